"""Recordings of a tiny challenge, and a small one whose zips come from a server of this machine."""

import pytest
from zip_server import Served, recordings, serving, write_card, zip_of

from asdbench.core.progress import Silent
from asdbench.datasets.download import download_challenge, transfer
from asdbench.registry.reader import read_card

FAN = "/files/dev_fan.zip"
NAME = "dcase2023-mini"


def card_of(folder):
    return read_card(folder / "registry" / "datasets" / f"{NAME}.toml", "datasets")


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setattr(transfer, "BACKOFF_S", 0.0)
    monkeypatch.setattr(transfer, "RETRIES", 3)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with serving() as running:
        yield running


@pytest.fixture
def fan(server, dcase2023_names):
    """The zip of fan as it is served; attributes set here say how the server misbehaves."""
    server.files[FAN] = Served(zip_of(recordings("fan", dcase2023_names())))
    return server.files[FAN]


@pytest.fixture
def other_fan(dcase2023_names):
    """Another zip of the same recordings' names."""
    return zip_of(recordings("fan", dcase2023_names(), seed=1))


@pytest.fixture
def make_card(server, tmp_path):
    """The challenge's card: ``make_card({"dev_fan.zip": "md5:..."})``."""

    def make(checksums=None):
        return card_of(write_card(tmp_path / "plugin", server.base, checksums or {}))

    return make


@pytest.fixture
def root(tmp_path):
    return tmp_path / "data"


@pytest.fixture
def get(make_card, root):
    """Downloads: ``get("fan")``; gives the zips, and leaves the notes in ``get.notes``."""

    def call(*machines, split="dev", card=None, **options):
        progress = Silent()
        call.notes = progress.notes
        return download_challenge(NAME, card or make_card(), split, root, progress, machines, **options)

    return call


@pytest.fixture
def left_over(root):
    """Names of everything below the root but the recordings and the ledger."""

    def names():
        files = (path for path in root.rglob("*") if path.is_file() and "raw" not in path.parts)
        return sorted(path.name for path in files if path.name not in ("downloads.json", ".downloads.lock"))

    return names


@pytest.fixture
def tiny(make_folder, dcase2023_names):
    """The folder of the tiny challenge of ``tiny_challenge``."""
    names = dcase2023_names(train=4, test=2)
    return make_folder({"fan": names, "pump": names})
