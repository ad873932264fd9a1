"""optuna-dashboard reads our studies: the real program, on a real SQLite file, over its HTTP interface."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

import optuna
import pytest
from made_studies import lived_study

from asdbench.tuning.storage import open_storage, quiet_optuna

pytest.importorskip("optuna_dashboard", reason="optuna-dashboard is not installed")


@pytest.fixture
def served(tmp_path):
    """A study in a file, and the address at which the program shows it."""
    made, _, _ = lived_study(12)
    uri = f"sqlite:///{tmp_path / 'optuna.db'}"
    with quiet_optuna():
        study = optuna.create_study(storage=open_storage(uri), study_name="made", direction="maximize")
    study.add_trials(made.get_trials(deepcopy=False))
    study.set_user_attr("asdbench", json.dumps({"dataset": "synthetic"}))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    program = "from optuna_dashboard._cli import main; main()"  # what the command optuna-dashboard does
    command = [sys.executable, "-c", program, uri, "--host", "127.0.0.1", "--port", str(port)]
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env={**os.environ, "OMP_NUM_THREADS": "1"})
    try:
        yield study, f"http://127.0.0.1:{port}", lambda: process.poll() is None, tmp_path / "log"
    finally:
        process.kill()
        process.wait()


def asked(address, seconds=60):
    """The JSON at an address, once the program answers."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            with urllib.request.urlopen(address, timeout=10) as answer:
                return json.load(answer)
        except (urllib.error.URLError, ConnectionError):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def test_the_dashboard_shows_study_and_trials(served):
    study, address, alive, log = served
    (found,) = asked(f"{address}/api/studies")["study_summaries"]
    assert alive(), log.read_text()
    assert found["study_name"] == "made"
    detail = asked(f"{address}/api/studies/{found['study_id']}")
    shown = {trial["number"]: trial for trial in detail["trials"]}
    names = {"COMPLETE": "Complete", "PRUNED": "Pruned", "FAIL": "Fail"}
    assert len(shown) == 12
    for trial in study.trials:
        own = shown[trial.number]
        assert own["state"] == names[trial.state.name]
        assert {param["name"]: param["param_external_value"] for param in own["params"]} == {
            name: str(value) for name, value in trial.params.items()
        }
        assert [float(value) for value in own.get("values") or []] == (trial.values or [])
        assert {step["step"]: step["value"] for step in own.get("intermediate_values") or []} == (
            trial.intermediate_values
        )
    assert {attr["key"] for attr in found["user_attrs"]} == {"asdbench"}
    assert {param["name"] for param in detail["union_search_space"]} == set().union(*(t.params for t in study.trials))
