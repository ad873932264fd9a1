"""A study whose workers are processes of a Ray cluster, one of which is killed."""

import json
import os
import signal
import sqlite3

import pytest
from ray_commands import needs_ray
from waiting import until


@needs_ray
@pytest.mark.slow
def test_a_lost_worker_costs_no_trial_and_the_values_are_those_of_one_machine(
    nodes, zygote, plugin, signs, small_dataset, cli, tmp_path, monkeypatch
):
    words = [
        "tune", "--plugin-path", plugin, "--dataset", small_dataset, "--machine", "fan", "--tracking", "none",
        "--extractor", "patient", "--scorer", "knn", "--only", "patient", "--sampler", "grid",
        "--space", "patient.weight=1,2", "--json",
    ]  # fmt: skip
    command = zygote.start(
        *words, "--engine", "ray", "--out", tmp_path / "far", "--storage", f"sqlite:///{tmp_path}/far.db",
        cache=tmp_path / "shared", log=tmp_path / "log", ASDBENCH_DATA=str(signs), **nodes.environment,
    )  # fmt: skip
    begun = until(lambda: zygote.has_ended(command) or sorted(signs.glob("127*")))
    assert begun is not True, (tmp_path / "log").read_text()
    os.kill(int(begun[0].read_text()), signal.SIGKILL)
    (signs / "go").touch()
    assert zygote.wait(command) == 0, (tmp_path / "log").read_text()
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
