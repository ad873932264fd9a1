import csv
import json
import os
import shutil
import socket
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import soundfile

from asdbench.tracking.marks import read_mark
from asdbench.tracking.store import store_of

# What a user's program does with a model, where no network can be reached.
FRESH = """
import json, socket, sys
def refuse(*words): raise OSError("the network was asked for")
socket.socket.connect = socket.getaddrinfo = refuse
import mlflow, numpy, pandas, soundfile
mlflow.set_tracking_uri(sys.argv[1])
model = mlflow.pyfunc.load_model(sys.argv[2])
paths = json.loads(sys.argv[3])
waves = [soundfile.read(path, dtype="float32") for path in paths]
tables = {
    "paths": [{"recording": path, "machine": "fan"} for path in paths],
    "arrays": pandas.DataFrame({"waveform": [w for w, _ in waves], "sample_rate_hz": 16000, "machine": "fan"}),
}
found = {name: model.predict(table) for name, table in tables.items()}
answer = {name: [list(table.columns), table.values.tolist()] for name, table in found.items()}
answer["example"] = model.predict(model.input_example).values.tolist()
print(json.dumps(answer))
"""


@pytest.fixture(scope="module")
def runs(small_dataset, session_cache, empty_database, tmp_path_factory):
    """A folder with one run that was not sent anywhere."""
    from typer.testing import CliRunner

    from asdbench.cli.app import app

    out = tmp_path_factory.mktemp("modelled") / "runs"
    words = ["run", "--dataset", small_dataset, "--extractor", "raw-mel", "--scorer", "gmm", "--out", out, "--quiet"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ASDBENCH_CACHE", str(session_cache))
        patch.setenv("ASDBENCH_TRACKING", "none")
        result = CliRunner().invoke(app, [str(word) for word in words])
    assert result.exit_code == 0, result.output
    shutil.copy(empty_database, out / "mlflow.db")
    return out


@pytest.fixture(scope="module")
def run(runs):
    return next(runs.glob("raw-mel*"))


@pytest.fixture(autouse=True)
def no_store_of_the_user(monkeypatch):
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI", "MLFLOW_EXPERIMENT_NAME"):
        monkeypatch.delenv(name, raising=False)


def rows_of(run, kind):
    return dict(csv.reader((run / "scores" / f"{kind}_fan_section_00_test.csv").open()))


@pytest.mark.slow
def test_a_logged_model_gives_the_runs_scores_in_a_fresh_process_without_a_network(
    cli, runs, run, small_dataset, tmp_path, monkeypatch
):
    from mlflow import MlflowClient

    def refuse(*words):
        raise OSError("the network was asked for")

    monkeypatch.chdir(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(socket.socket, "connect", refuse)
        patch.setattr(socket, "getaddrinfo", refuse)
        done = cli("track", "model", run.name[:7], "--out", runs, "--register", "listener")
    assert done.code == 0, done.err
    uri = done.out.strip()
    assert uri == "models:/listener/1"
    assert not list(tmp_path.iterdir())  # MLflow has left nothing where one stands
    assert "MLFLOW_TRACKING_URI" not in os.environ
    store = store_of(runs)
    assert f'mlflow.set_tracking_uri("{store.uri}")' in done.err
    assert f'mlflow.pyfunc.load_model("{uri}")' in done.err

    expected = rows_of(run, "anomaly_score")
    paths = [str(small_dataset / "fan" / "test" / name) for name in expected]
    command = [sys.executable, "-W", "error::UserWarning:asdbench", "-c", FRESH, store.uri, uri, json.dumps(paths)]
    environ = {name: value for name, value in os.environ.items() if not name.startswith("ASDBENCH_")}
    fresh = subprocess.run(command, check=False, capture_output=True, text=True, cwd=tmp_path, env=environ, timeout=120)
    assert fresh.returncode == 0, fresh.stderr
    found = json.loads(fresh.stdout.splitlines()[-1])
    decisions = [int(value) for value in rows_of(run, "decision_result").values()]
    for given in ("paths", "arrays"):
        columns, values = found[given]
        assert columns == ["anomaly_score", "anomaly"]
        assert [score for score, _ in values] == [float(value) for value in expected.values()]
        assert [int(decision) for _, decision in values] == decisions
    ((score, decision),) = found["example"]
    assert np.isfinite(score)
    assert decision in (0.0, 1.0)

    client = MlflowClient(store.uri)
    sent = client.get_run(read_mark(run, store).mlflow_run)  # sent on the way
    (model,) = sent.outputs.model_outputs
    logged = client.get_logged_model(model.model_id)
    assert (logged.status, logged.source_run_id, logged.experiment_id) == (
        "READY",
        sent.info.run_id,
        sent.info.experiment_id,
    )
    assert logged.tags["asdbench.run_id"] == run.name
    assert logged.artifact_location.startswith(store.artifacts)
    assert sent.info.status == "FINISHED"
    assert {metric.key: metric.value for metric in logged.metrics}["official_score"] == pytest.approx(
        sent.data.metrics["official_score"]
    )


@pytest.fixture(scope="module")
def saved(run, session_cache, tmp_path_factory):
    """The run's model in a folder."""
    from asdbench.tracking.model_logging import save_model

    place = tmp_path_factory.mktemp("saved") / "model"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ASDBENCH_CACHE", str(session_cache))
        save_model(run, place)
    return place


def test_a_saved_model_is_whole_says_what_it_takes_and_holds_no_pickle(saved):
    from mlflow.models import Model

    files = {path.relative_to(saved).as_posix() for path in saved.rglob("*") if path.is_file()}
    assert {"MLmodel", "model_code.py", "input_example.json", "artifacts/detector.asd"} <= files
    assert not [name for name in files if name.endswith((".pkl", ".pickle", ".pt", ".joblib"))]
    signature = Model.load(saved).signature
    assert [str(column.name) for column in signature.inputs] == [
        "recording",
        "waveform",
        "sample_rate_hz",
        "machine",
        "section",
    ]
    assert [(column.name, column.type.name) for column in signature.outputs] == [
        ("anomaly_score", "double"),
        ("anomaly", "long"),
    ]
    requirements = (saved / "requirements.txt").read_text().split()
    assert {line.partition("==")[0] for line in requirements} == {"asdbench", "mlflow"}
    assert "://" not in (saved / "requirements.txt").read_text() + (saved / "conda.yaml").read_text()


def test_the_serving_example_is_answered_as_a_server_would(saved):
    from mlflow.pyfunc import load_model
    from mlflow.pyfunc.scoring_server import invocations

    model = load_model(str(saved))
    body = (saved / "serving_input_example.json").read_text()
    answer = invocations(body, "application/json", model, model.metadata.get_input_schema())
    assert answer.status == 200, answer.response
    (row,) = json.loads(answer.response)["predictions"]
    assert np.isfinite(row["anomaly_score"])
    records = {"dataframe_records": [{"waveform": [0, 0.5, 0], "sample_rate_hz": 16000, "machine": "fan"}]}
    with pytest.raises(Exception, match=r"row 0: too short: 3 samples") as caught:
        invocations(json.dumps(records), "application/json", model, model.metadata.get_input_schema())
    assert caught.value.get_http_status_code() == 400


@pytest.fixture(scope="module")
def detector(saved):
    from asdbench.tracking.model import AnomalyDetector

    found = AnomalyDetector()
    found.load_context(SimpleNamespace(artifacts={"detector": str(saved / "artifacts" / "detector.asd")}))
    return found


def test_rows_of_several_machine_types_keep_their_order_and_index(detector, small_dataset):
    clips = [sorted((small_dataset / machine / "test").iterdir())[0] for machine in ("fan", "valve", "fan")]
    machines = ["fan", "valve", "fan"]
    table = pd.DataFrame({"recording": [str(clip) for clip in clips], "machine": machines}, index=["x", "y", "z"])
    together = detector.predict(None, table)
    assert list(together.index) == ["x", "y", "z"]
    assert together.dtypes.astype(str).to_dict() == {"anomaly_score": "float64", "anomaly": "int64"}
    alone = [detector.predict(None, table.loc[[name]])["anomaly_score"].iloc[0] for name in table.index]
    np.testing.assert_allclose(together["anomaly_score"], alone, rtol=1e-9)
    assert together["anomaly_score"]["x"] == together["anomaly_score"]["z"] != together["anomaly_score"]["y"]


def test_paths_and_arrays_may_stand_in_one_table_with_channels_as_nested_lists(detector, small_dataset):
    clip = sorted((small_dataset / "fan" / "test").iterdir())[0]
    samples, rate = soundfile.read(clip, dtype="float32")
    rows = [
        {"recording": str(clip), "machine": "fan", "section": "00"},
        {"waveform": samples, "sample_rate_hz": rate, "machine": "fan"},
        {"waveform": [[value, 0.0] for value in samples.tolist()], "sample_rate_hz": float(rate), "machine": "fan"},
    ]
    scores = detector.predict(None, pd.DataFrame(rows))["anomaly_score"]
    assert scores[0] == pytest.approx(scores[1], rel=1e-9)
    assert scores[0] == pytest.approx(scores[2], rel=1e-9)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"machine": "fan"}, "nothing to score. Give rows with 'recording'"),
        ({"recording": None, "machine": "fan"}, "Row 0: give either 'recording'"),
        ({"recording": "a.wav", "waveform": [0.1], "sample_rate_hz": 1, "machine": "fan"}, "Row 0: give either"),
        ({"waveform": [0.1, 0.2], "machine": "fan"}, "Row 0: 'waveform' needs 'sample_rate_hz'"),
        ({"waveform": ["loud"], "sample_rate_hz": 16000, "machine": "fan"}, "Row 0: .* take numbers"),
        ({"recording": "gone.wav", "machine": "fan"}, "gone.wav: there is no such file"),
        ({"recording": "gone.wav"}, "several machine types; name one with --machine: fan, valve"),
        ({"recording": "gone.wav", "machine": "fun"}, "not fitted to 'fun'. Did you mean 'fan'"),
    ],
)
def test_a_row_that_cannot_be_scored_is_named(detector, row, message):
    from mlflow.exceptions import MlflowException

    with pytest.raises(MlflowException, match=message) as caught:
        detector.predict(None, pd.DataFrame([row]))
    assert caught.value.get_http_status_code() == 400


def test_the_command_refuses_what_cannot_be_done_and_leaves_nothing(cli, runs, run, tmp_path, monkeypatch):
    (tmp_path / "there").mkdir()
    refused = cli("track", "model", run.name, "--out", runs, "--to", tmp_path / "there")
    assert (refused.code, "is there already" in refused.err) == (2, True)
    refused = cli("track", "model", run.name, "--out", runs, "--to", tmp_path / "new", "--register", "name")
    assert (refused.code, "do not go together" in refused.err) == (2, True)
    refused = cli("track", "model", run.name, "--out", runs, "--register", "a/b")
    assert (refused.code, "has no '/'" in refused.err) == (2, True)
    with monkeypatch.context() as patch:
        patch.setenv("ASDBENCH_CACHE", str(tmp_path / "empty"))
        refused = cli("track", "model", run.name, "--out", runs, "--to", tmp_path / "new")
    assert (refused.code, "--fresh" in refused.err) == (3, True)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://user:secret@127.0.0.1:9")
    away = cli("track", "model", run.name, "--out", runs)
    assert (away.code, "--to DIR" in away.err) == (3, True)
    assert "secret" not in away.err
    assert not list(tmp_path.glob("*new*"))
