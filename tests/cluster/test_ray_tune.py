"""A study whose workers are processes of a Ray cluster, one of which is killed."""

import json
import os
import signal
import sqlite3

import pytest
from ray_commands import needs_ray, start
from waiting import WITHIN_S, until


@needs_ray
@pytest.mark.slow
def test_a_lost_worker_costs_no_trial_and_the_values_are_those_of_one_machine(
    nodes, plugin, signs, small_dataset, cli, tmp_path, monkeypatch
):
    words = [
        "tune", "--plugin-path", plugin, "--dataset", small_dataset, "--machine", "fan", "--tracking", "none",
        "--extractor", "patient", "--scorer", "knn", "--only", "patient", "--sampler", "grid",
        "--space", "patient.weight=1,2", "--json",
    ]  # fmt: skip
    command = start(
        *words, "--engine", "ray", "--out", tmp_path / "far", "--storage", f"sqlite:///{tmp_path}/far.db",
        cache=tmp_path / "shared", ASDBENCH_DATA=str(signs), **nodes.environment,
    )  # fmt: skip
    begun = until(lambda: command.poll() is not None or sorted(signs.glob("127*")))
    assert begun is not True, command.communicate()
    os.kill(int(begun[0].read_text()), signal.SIGKILL)
    (signs / "go").touch()
    _, err = command.communicate(timeout=WITHIN_S)
    assert command.returncode == 0, err
    monkeypatch.setenv("ASDBENCH_CACHE", str(tmp_path / "own"))
    near = cli(*words, "--out", tmp_path / "near", "--storage", f"sqlite:///{tmp_path}/near.db")
    assert near.code == 0, near.err
    values = []
    for place in ("far", "near"):
        paths = (tmp_path / place).glob("studies/*/trials/*.json")
        records = [json.loads(path.read_text()) for path in paths]
        values.append(sorted((str(one["params"]), one["state"], one["values"]) for one in records))
    assert values[0] == values[1]
    assert len(values[0]) == 2
    with sqlite3.connect(tmp_path / "far.db") as database:
        assert database.execute("select count(*) from trials where state = 'RUNNING'").fetchone() == (0,)
