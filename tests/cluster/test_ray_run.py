"""A plan on a Ray cluster of two nodes of this machine: one of them goes, then the command does."""

import json
import os
import signal
from pathlib import Path

import pytest
from ray_commands import comparable, needs_ray, start
from waiting import WITHIN_S, until

from asdbench.core.errors import RequirementError


@needs_ray
@pytest.mark.slow
def test_a_lost_node_and_a_cancelled_command_change_nothing(
    nodes, plugin, signs, small_dataset, cli, tmp_path, monkeypatch
):
    words = [
        "run", "--plugin-path", plugin, "--dataset", small_dataset, "--tracking", "none", "--json",
        "--extractor", "patient", "--extractor", "autoencoder", "--scorer", "knn", "--scorer", "mahalanobis-ml",
        "-p", "autoencoder.epochs=2", "-p", "autoencoder.score=mse",
    ]  # fmt: skip
    far = [*words, "--engine", "ray", "--out", tmp_path / "far"]
    settings = {"cache": tmp_path / "shared", "ASDBENCH_DATA": str(signs), **nodes.environment}
    other = nodes.add()
    command = start(*far, **settings, stderr=(tmp_path / "err").open("w"))

    def said(text):
        return command.poll() is not None or text in (tmp_path / "err").read_text()

    until(lambda: command.poll() is not None or list(signs.glob(f"{other.host}-*")))
    other.kill()
    until(lambda: said("what was lost is done again"))
    os.killpg(command.pid, signal.SIGINT)
    command.communicate(timeout=WITHIN_S)
    err = (tmp_path / "err").read_text()
    assert "what was lost is done again" in err, err
    assert command.returncode == 130, err
    assert "Finished stages are stored" in err

    (signs / "go").touch()
    out, err = start(*far, **settings).communicate(timeout=WITHIN_S)
    monkeypatch.setenv("ASDBENCH_CACHE", str(tmp_path / "own"))
    near = cli(*words, "--out", tmp_path / "near")
    done = {Path(run["record"]).parent.name: run["status"] for run in json.loads(out)["runs"]}
    assert done == {Path(run["record"]).parent.name: run["status"] for run in near.json["runs"]}
    assert len(done) == 4
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
    from asdbench.harness.cluster.calls import Request
    from asdbench.harness.cluster.folders import SharedFolders
    from asdbench.harness.cluster.joining import joined

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
