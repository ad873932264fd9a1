"""One cluster for the tests of a process."""

import tempfile
from pathlib import Path

import pytest
from ray_commands import write_patient
from ray_nodes import Nodes


@pytest.fixture(scope="session")
def nodes(tmp_path_factory):
    """The head of a cluster, whose cache is its own unless it is told another one; tests add nodes."""
    with tempfile.TemporaryDirectory(prefix="ray-", dir="/tmp") as folder:  # sockets want short names
        cluster = Nodes(Path(folder), ASDBENCH_CACHE=str(tmp_path_factory.mktemp("head")))
        try:
            yield cluster
        finally:
            cluster.end()


@pytest.fixture(scope="session")
def other(nodes, tmp_path_factory):
    """A second node with a cache of its own, until a test takes it away: to start one takes seconds."""
    cache = tmp_path_factory.mktemp("other")
    node = nodes.add(ASDBENCH_CACHE=str(cache))
    node.cache = cache
    return node


@pytest.fixture(scope="session")
def plugin(tmp_path_factory):
    """One folder: a process imports a module from one place only."""
    return write_patient(tmp_path_factory.mktemp("plugin"))


@pytest.fixture
def signs(tmp_path):
    """Where the patient extractor says that it has begun, and is told to go on."""
    folder = tmp_path / "signs"
    folder.mkdir()
    return folder
