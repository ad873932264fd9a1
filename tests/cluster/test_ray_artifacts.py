"""Nodes that share no folder hand fits and features to each other through a store with an address."""

from pathlib import Path

import pytest
from ray_commands import comparable, needs_ray


@needs_ray
@pytest.mark.slow
def test_nodes_with_caches_of_their_own_make_the_same_runs(
    nodes, other, zygote, small_dataset, cli, tmp_path, monkeypatch
):
    words = [
        "run", "--dataset", small_dataset, "--tracking", "none", "--json",
        "--extractor", "raw-mel", "--extractor", "autoencoder", "--scorer", "knn",
        "-p", "autoencoder.epochs=1",
    ]  # fmt: skip
    command = zygote.start(
        *words, "--engine", "ray", "--out", tmp_path / "far", "--artifacts", f"file://{tmp_path}/store",
        cache=tmp_path / "driver", log=tmp_path / "log", **nodes.environment,
    )  # fmt: skip
    code = zygote.wait(command)
    assert code == 0, (tmp_path / "log").read_text()
    monkeypatch.setenv("ASDBENCH_CACHE", str(tmp_path / "own"))
    near = cli(*words, "--out", tmp_path / "near")
    names = [Path(run["record"]).parent.name for run in near.json["runs"]]
    assert sorted(names) == sorted(path.parent.name for path in (tmp_path / "far").glob("*/run.json"))
    assert len(names) == 2
    for name in names:
        assert comparable(tmp_path / "far" / name) == comparable(tmp_path / "near" / name)
    for kind in ("trained", "embeddings"):
        assert len(list((tmp_path / "store" / kind).glob("*/digests.json"))) == 4
    assert not (tmp_path / "driver" / "trained").exists(), "nothing was fitted by the command itself"
    assert list((other.cache / "trained").iterdir()), "both nodes had something to do"
