"""A plan on a Ray cluster of two nodes of this machine, one of which goes in the middle."""

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
def test_a_node_lost_in_the_middle_changes_nothing(nodes, plugin, signs, small_dataset, cli, tmp_path, monkeypatch):
    other = nodes.add()
    words = [
        "run", "--plugin-path", plugin, "--dataset", small_dataset, "--tracking", "none", "--json",
        "--extractor", "patient", "--extractor", "autoencoder", "--scorer", "knn", "--scorer", "mahalanobis-ml",
        "-p", "autoencoder.epochs=2", "-p", "autoencoder.score=mse",
    ]  # fmt: skip
    command = start(
        *words, "--engine", "ray", "--out", tmp_path / "far",
        cache=tmp_path / "shared", ASDBENCH_DATA=str(signs), **nodes.environment,
    )  # fmt: skip
    until(lambda: command.poll() is not None or list(signs.glob(f"{other.host}-*")))
    other.kill()
    (signs / "go").touch()
    out, err = command.communicate(timeout=WITHIN_S)
    assert "what was lost is done again" in err, err

    monkeypatch.setenv("ASDBENCH_CACHE", str(tmp_path / "own"))
    near = cli(*words, "--out", tmp_path / "near")
    assert command.returncode == near.code, err
    done = {Path(run["record"]).parent.name: run["status"] for run in json.loads(out)["runs"]}
    assert done == {Path(run["record"]).parent.name: run["status"] for run in near.json["runs"]}
    assert len(done) == 4
    for name in done:
        assert comparable(tmp_path / "far" / name) == comparable(tmp_path / "near" / name)
    assert not list((tmp_path / "shared").glob(".asdbench-*"))


@needs_ray
@pytest.mark.slow
def test_ctrl_c_cancels_what_is_at_work_and_keeps_the_rest(nodes, plugin, signs, small_dataset, tmp_path):
    words = [
        "run", "--plugin-path", plugin, "--dataset", small_dataset, "--tracking", "none", "--machine", "fan",
        "--extractor", "raw-mel", "--extractor", "patient", "--scorer", "knn", "--engine", "ray", "--jobs", "1",
        "--out", tmp_path / "runs",
    ]  # fmt: skip
    settings = {"cache": tmp_path / "shared", "ASDBENCH_DATA": str(signs), **nodes.environment}
    command = start(*words, **settings)
    until(lambda: command.poll() is not None or list(signs.iterdir()))
    os.killpg(command.pid, signal.SIGINT)
    _, err = command.communicate(timeout=WITHIN_S)
    assert command.returncode == 130, err
    assert "Finished stages are kept" in err
    (signs / "go").touch()
    again = start(*words, "--json", **settings)
    out, err = again.communicate(timeout=WITHIN_S)
    assert again.returncode == 0, err
    assert [run["status"] for run in json.loads(out)["runs"]] == ["done", "done"]


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
