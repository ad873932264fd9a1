"""The cache is looked at, limited and cleared; runs find what is left and compute the rest again."""

import json
import os
import shutil
import time

import pytest
from typer.testing import CliRunner
from waiting import until

from asdbench.datasets.contents import RECENT_NS

WORDS = ("run", "--extractor", "raw-mel", "--scorer", "knn", "--json")


@pytest.fixture(scope="module")
def filled(small_dataset, tmp_path_factory):
    """A cache filled by one run, and what the run printed."""
    from asdbench.cli.app import app

    newest = max(path.stat().st_ctime for path in small_dataset.rglob("*.wav"))
    until(lambda: time.time() > newest + RECENT_NS / 1e9)  # digests of what is newer are not kept
    root = tmp_path_factory.mktemp("filled")
    words = [*WORDS, "--dataset", str(small_dataset), "--out", str(root / "runs")]
    outcome = CliRunner().invoke(app, words, env={"ASDBENCH_CACHE": str(root / "cache")})
    return root / "cache", json.loads(outcome.stdout)


@pytest.fixture
def cache(tmp_path, monkeypatch, small_dataset, cli, filled):
    """A copy of that cache, the run's JSON, and the same run into another folder."""
    monkeypatch.setenv("ASDBENCH_CACHE", str(tmp_path / "cache"))
    shutil.copytree(filled[0], tmp_path / "cache")
    again = (*WORDS, "--dataset", small_dataset)
    return tmp_path / "cache", filled[1], lambda out: cli(*again, "--out", tmp_path / out).json


def contents(root):
    return {path.relative_to(root) for path in root.rglob("*") if path.is_file() and path.parent.name != "locks"}


def kinds(cli):
    return cli("cache", "info", "--json").json["kinds"]


def test_info_counts_every_file(cli, cache):
    root, _, _ = cache
    found = kinds(cli)
    assert {"features", "trained", "embeddings", "digests"} == set(found)
    assert found["features"]["entries"] == 4, "two machine types, train and test"
    assert found["embeddings"]["entries"] == 2
    everything = sum(path.stat().st_size for path in root.rglob("*") if path.is_file())
    assert sum(kind["bytes"] for kind in found.values()) == everything
    assert str(root) in cli("cache", "info").out


def test_a_cleared_cache_is_filled_again_with_the_same_results(cli, cache):
    root, first, again = cache
    before = contents(root)
    assert "would remove" in cli("cache", "clear", "--dry-run").out
    assert kinds(cli)
    assert "removed 9 entries" in cli("cache", "clear").out
    assert kinds(cli) == {}
    scores = [run["official_score"] for run in again("second")["runs"]]
    assert scores == [run["official_score"] for run in first["runs"]]
    assert contents(root) == before


def test_one_kind_is_cleared_alone(cli, cache):
    _, first, again = cache
    cli("cache", "clear", "--kind", "embeddings")
    assert "embeddings" not in kinds(cli)
    assert kinds(cli)["features"]["entries"] == 4
    assert again("second")["runs"][0]["machines"] == first["runs"][0]["machines"]


def test_the_oldest_go_first(cli, cache):
    root, _, _ = cache
    old = sorted((root / "features").iterdir())[0]
    for path in old.iterdir():
        os.utime(path, (time.time() - 40 * 86400,) * 2)
    assert "would remove 1 entries" in cli("cache", "prune", "--older-than", "30d", "--dry-run").out
    sizes = {kind: own["bytes"] for kind, own in kinds(cli).items()}
    limit = sum(sizes.values()) - 1
    assert "removed 1 entries" in cli("cache", "prune", "--max-size", f"{limit}B").out
    assert not old.exists()
    assert kinds(cli)["features"]["entries"] == 3


def test_what_a_killed_process_left_goes_after_a_day(cli, cache):
    root, _, _ = cache
    for name, age in ((".old.abc.partial", 2 * 86400), (".new.abc.partial", 60)):
        folder = root / "trained" / name
        folder.mkdir()
        (folder / "state").write_bytes(b"x" * 100)
        os.utime(folder / "state", (time.time() - age,) * 2)
    assert kinds(cli)["unfinished"] == {"entries": 2, "bytes": 200}
    assert "removed 1 entries" in cli("cache", "prune").out
    assert kinds(cli)["unfinished"]["entries"] == 1
    cli("cache", "prune", "--max-size", "0")
    assert set(kinds(cli)) == {"unfinished"}, "somebody may be writing it"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["prune", "--older-than", "yesterday"], "for example 30d"),
        (["prune", "--max-size", "much"], "for example 20GB"),
        (["clear", "--kind", "feature"], "Did you mean 'features'"),
    ],
)
def test_mistakes(cli, words, message):
    outcome = cli("cache", *words)
    assert outcome.code == 2
    assert message in outcome.err


def test_an_empty_cache(cli, tmp_path, monkeypatch):
    monkeypatch.setenv("ASDBENCH_CACHE", str(tmp_path / "none"))
    assert json.loads(cli("cache", "info", "--json").out)["kinds"] == {}
    assert "removed 0 entries" in cli("cache", "clear").out


def test_what_a_running_command_makes_is_left(cli, cache):
    from asdbench.core.locks import exclusive, lock_path

    root, _, _ = cache
    held = next(path for path in (root / "trained").iterdir())
    with exclusive(lock_path(held)):
        told = cli("cache", "clear")
    assert "left 1 that a running command is making" in told.err
    assert held.is_dir()
    cli("cache", "clear")
    assert not held.exists()
