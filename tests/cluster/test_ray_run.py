"""A plan on a Ray cluster of two nodes of this machine: one of them goes, then the command does."""

import os
import signal
from pathlib import Path

import pytest
from ray_commands import comparable, needs_ray
from waiting import until

from asdbench.core.errors import RequirementError


@needs_ray
@pytest.mark.slow
def test_a_lost_node_and_a_cancelled_command_change_nothing(
    nodes, other, zygote, plugin, signs, small_dataset, cli, tmp_path, monkeypatch
):
    words = [
        "run", "--plugin-path", plugin, "--dataset", small_dataset, "--tracking", "none", "--json",
        "--extractor", "patient", "--scorer", "knn", "--scorer", "mahalanobis-ml",
    ]  # fmt: skip
    log = tmp_path / "log"

    def far():
        return zygote.start(
            *words, "--engine", "ray", "--out", tmp_path / "far",
            cache=tmp_path / "shared", log=log, ASDBENCH_DATA=str(signs), **nodes.environment,
        )  # fmt: skip

    command = far()
    until(lambda: zygote.has_ended(command) or list(signs.glob(f"{other.host}-*")))
    other.kill()
    until(lambda: zygote.has_ended(command) or "what was lost is done again" in log.read_text())
    os.kill(command, signal.SIGINT)
    assert zygote.wait(command) == 130, log.read_text()
    assert "what was lost is done again" in log.read_text()
    assert "Finished stages are stored" in log.read_text()

    (signs / "go").touch()
    assert zygote.wait(far()) == 0, log.read_text()
    monkeypatch.setenv("ASDBENCH_CACHE", str(tmp_path / "own"))
    near = cli(*words, "--out", tmp_path / "near")
    done = [Path(run["record"]).parent.name for run in near.json["runs"]]
    assert sorted(done) == sorted(path.parent.name for path in (tmp_path / "far").glob("*/run.json"))
    assert len(done) == 2
    for name in done:
        assert comparable(tmp_path / "far" / name) == comparable(tmp_path / "near" / name)
    assert not list((tmp_path / "shared").glob(".asdbench-*"))


@needs_ray
@pytest.mark.slow
def test_what_the_nodes_do_not_see_is_told_before_anything_is_done(nodes, small_dataset, tmp_path, monkeypatch):
    import ray
    from ray._raylet import Config

    from asdbench.core.progress import Silent
    from asdbench.harness.cluster import nodes as of_nodes
    from asdbench.harness.cluster.folders import SharedFolders
    from asdbench.harness.cluster.joining import joined
    from asdbench.harness.cluster.nodes import Request

    for name, value in nodes.environment.items():
        monkeypatch.setenv(name, value)
    Config.initialize("")  # Ray reads its variables when it is imported
    elsewhere = SharedFolders(str(tmp_path), (("the cache (ASDBENCH_CACHE)", "/nowhere/cache/.asdbench-1"),))
    progress = Silent()
    with joined(progress):
        with pytest.raises(RequirementError, match=r"127\.0\.0\.2 does not see:\n  the cache .*: /nowhere/cache\n"):
            of_nodes.require_alike(Request(1), elsewhere, {}, progress)
        monkeypatch.setattr(of_nodes, "own_code", lambda: "9.9 (abc)")
        with pytest.raises(RequirementError, match=r"this command 9\.9 \(abc\); .*\n.*asdbench\[ray\]==9\.9"):
            of_nodes.require_alike(Request(1), SharedFolders(str(tmp_path), ()), {}, progress)
        of_nodes.require_alike(Request(64), elsewhere, {}, progress)
        assert "No node of the Ray cluster has 64 CPUs yet; tasks wait until one does." in progress.notes
    assert not ray.is_initialized()
    assert any(nodes.address in note for note in progress.notes)
