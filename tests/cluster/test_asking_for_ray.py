"""What is refused, and settled, before any cluster is there."""

import socket
import sys

import pytest

from asdbench.core.errors import UsageError
from asdbench.harness.cluster.artifacts import ArtifactStore, pack_folder, unpack_folder
from asdbench.harness.cluster.folders import SharedFolders
from asdbench.harness.cluster.nodes import Request
from asdbench.harness.spec import read_spec


@pytest.mark.parametrize(
    ("request_", "node", "wanted"),
    [
        (Request(1), {"CPU": 4.0}, 4),
        (Request(3), {"CPU": 4.0}, 1),
        (Request(8), {"CPU": 4.0}, 0),
        (Request(1), {}, 0),
        (Request(1, 1.0), {"CPU": 16.0, "GPU": 2.0}, 2),
        (Request(1, 0.25), {"CPU": 16.0, "GPU": 2.0}, 8),
        (Request(1, 0.3), {"CPU": 16.0, "GPU": 2.0}, 6),  # three on each; the rest of a GPU is no GPU
        (Request(1, 0.1), {"CPU": 16.0, "GPU": 1.0}, 10),
        (Request(1, 2.0), {"CPU": 16.0, "GPU": 3.0}, 1),
        (Request(4, 0.25), {"CPU": 6.0, "GPU": 1.0}, 1),
        (Request(1, 0.5), {"CPU": 16.0}, 0),
    ],
)
def test_how_many_tasks_a_node_does(request_, node, wanted):
    assert request_.fits(node) == wanted


def test_jobs_are_what_the_cluster_has_unless_told(tmp_path):
    assert read_spec(None, {"params": [], "engine": "ray"}).jobs == 0
    assert read_spec(None, {"params": [], "engine": "ray", "jobs": 3}).jobs == 3
    assert read_spec(None, {"params": [], "engine": "local"}).jobs == 1
    file = tmp_path / "run.toml"
    file.write_text('engine = "ray"\njobs = 5\n')
    assert read_spec(file, {"params": []}).jobs == 5
    assert read_spec(file, {"params": [], "engine": "local"}).jobs == 5


def test_what_goes_with_ray_alone(cli):
    words = ("run", "--extractor", "raw-mel", "--scorer", "knn")
    outcome = cli(*words, "--artifacts", "s3://bucket/x")
    assert (outcome.code, "--artifacts goes with --engine ray" in outcome.err) == (2, True)
    outcome = cli(*words, "--engine", "dask")
    assert (outcome.code, "--engine" in outcome.err) == (2, True)
    outcome = cli(*words, "--engine", "ray", "--gpus-per-task", "1.5")
    assert (outcome.code, "whole ones" in outcome.err) == (2, True)


def test_without_ray_the_command_to_get_it_is_told(cli, small_dataset, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    outcome = cli(
        "run", "--dataset", small_dataset, "--extractor", "raw-mel", "--scorer", "knn", "--out", tmp_path / "runs",
        "--engine", "ray",
    )  # fmt: skip
    assert outcome.code == 3
    assert "pip install 'asdbench[ray]'" in outcome.err


@pytest.mark.parametrize("kind", ["nobody there", "no address", "a client's"])
def test_an_address_where_no_cluster_is(kind, cli, small_dataset, tmp_path, monkeypatch):
    pytest.importorskip("ray")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = {"nobody there": f"127.0.0.1:{port}", "no address": "cluster", "a client's": "ray://127.0.0.1:10001"}
    monkeypatch.setenv("RAY_ADDRESS", address[kind])
    outcome = cli(
        "run", "--dataset", small_dataset, "--extractor", "raw-mel", "--scorer", "knn", "--out", tmp_path / "runs",
        "--engine", "ray",
    )  # fmt: skip
    assert outcome.code == 3
    wanted = "must run on a node" if kind == "a client's" else "no Ray cluster answers there"
    assert f"RAY_ADDRESS={address[kind]}: " in outcome.err
    assert wanted in outcome.err
    assert not (tmp_path / "runs").exists()


def test_a_place_that_is_not_seen_is_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there").touch()
    signs = (("recordings", str(tmp_path / "there")), ("the cache", "/nowhere/cache/sign"))
    assert SharedFolders(str(tmp_path), signs).unseen() == ["the cache: /nowhere/cache"]
    assert SharedFolders("/nowhere", ()).unseen() == ["the working folder: /nowhere"]


def test_a_folder_comes_back_as_it_was_packed(tmp_path):
    source = tmp_path / "run"
    (source / "scores").mkdir(parents=True)
    (source / "run.json").write_text("{}")
    (source / "scores" / "a.csv").write_bytes(b"a,1\n")
    unpack_folder(pack_folder(source), tmp_path / "back")
    found = {path.relative_to(tmp_path / "back").as_posix() for path in (tmp_path / "back").rglob("*")}
    assert found == {"run.json", "scores", "scores/a.csv"}
    assert (tmp_path / "back" / "scores" / "a.csv").read_bytes() == b"a,1\n"


@pytest.mark.parametrize("url", ["/mnt/x", "nosuch://bucket/x"])
def test_an_address_of_no_store(url, tmp_path):
    with pytest.raises(UsageError, match="--artifacts"):
        ArtifactStore(url, tmp_path)
