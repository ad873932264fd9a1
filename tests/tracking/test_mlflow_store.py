import re
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from made_runs import made_run
from postgres import free_port
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError

from asdbench.core.errors import UsageError
from asdbench.tracking.marks import contains
from asdbench.tracking.store import Store, reason_of, store_of, why_away, why_lost
from asdbench.tracking.sync import Sender


def test_the_store_lies_beside_the_runs_unless_mlflow_names_another(tmp_path):
    store = store_of(tmp_path / "runs", {})
    assert store.uri == f"sqlite:///{tmp_path}/runs/mlflow.db"
    assert store.artifacts == (tmp_path / "runs" / "mlartifacts").as_uri()
    assert store.file == tmp_path / "runs" / "mlflow.db"
    named = store_of(tmp_path, {"MLFLOW_TRACKING_URI": "https://ann:pw@host/x", "MLFLOW_EXPERIMENT_NAME": "trials"})
    assert (named.uri, named.artifacts, named.experiment) == ("https://ann:pw@host/x", None, "trials")
    assert named.shown == "https://host/x"
    assert "pw" not in repr(named)
    database = store_of(tmp_path, {"MLFLOW_TRACKING_URI": "sqlite:////data/all.db"})
    assert database.artifacts == "file:///data/mlartifacts"
    assert database.lock.is_relative_to("/data")  # one for all folders of runs
    relative = store_of(tmp_path, {"MLFLOW_TRACKING_URI": "sqlite:///a%20b/all.db?timeout=5"})
    assert relative.uri == f"sqlite:///{Path.cwd()}/a%20b/all.db?timeout=5"
    assert relative.artifacts == (Path.cwd() / "a%20b" / "mlartifacts").as_uri()
    chosen = {"MLFLOW_TRACKING_URI": "postgresql://h/x", "MLFLOW_DEFAULT_ARTIFACT_ROOT": "s3://bucket"}
    assert store_of(tmp_path, chosen).artifacts == "s3://bucket"


@pytest.mark.parametrize(
    "uri",
    ["sqlite://", "sqlite:///", "sqlite:///:memory:", "sqlite:///file:x?mode=memory&uri=true", "sqlite+pysqlite://"],
)
def test_a_database_that_no_file_holds_is_refused(tmp_path, uri):
    with pytest.raises(UsageError, match="it names no file"):
        store_of(tmp_path, {"MLFLOW_TRACKING_URI": uri})


def test_a_database_that_is_written_to_is_not_doubted(store):
    assert not contains(store, "0" * 32)
    with closing(sqlite3.connect(store.file)) as writer:
        writer.execute("BEGIN EXCLUSIVE")
        assert contains(store, "0" * 32)
        writer.rollback()
    store.file.write_bytes(b"no database")
    assert not contains(store, "0" * 32)


def test_a_token_of_the_environment_is_no_part_of_a_message(tmp_path):
    store = store_of(tmp_path, {"MLFLOW_TRACKING_URI": "http://h", "MLFLOW_TRACKING_TOKEN": "tok-123"})
    assert store.scrubbed("refused: Bearer tok-123") == "refused: Bearer ***"


def _at(uri: str) -> Store:
    return store_of(Path("/runs"), {"MLFLOW_TRACKING_URI": uri})


def test_a_port_where_nobody_listens_is_reported_at_once_without_the_password():
    port = free_port()
    started = time.monotonic()
    reason = why_away(_at(f"http://ann:s3cret@127.0.0.1:{port}"))
    assert reason == f"http://127.0.0.1:{port} does not answer: Connection refused"
    assert time.monotonic() - started < 2.0


def test_a_server_that_takes_the_connection_and_says_nothing_is_away(silent_port, monkeypatch):
    monkeypatch.setattr("asdbench.tracking.store.ANSWERS_WITHIN_S", 0.3)
    started = time.monotonic()
    assert "does not answer" in why_away(_at(f"http://u:s3cret@127.0.0.1:{silent_port}"))
    assert time.monotonic() - started < 2.0


@pytest.mark.parametrize("code", [200, 401, 404, 503])
def test_whoever_answers_is_there(code):
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(code)
            self.end_headers()

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.handle_request, daemon=True).start()
        assert why_away(_at(f"http://127.0.0.1:{server.server_port}/mlflow/")) is None


def test_databases_are_not_asked_beforehand():
    for uri in ("sqlite:////nowhere/x.db", "postgresql://127.0.0.1:1/x", "databricks", "databricks://profile"):
        assert why_away(_at(uri)) is None


def test_a_database_that_is_locked_is_lost_and_a_damaged_record_loses_none(tmp_path):
    store = store_of(tmp_path, {})
    engine = create_engine(store.uri, connect_args={"timeout": 0.1})
    with closing(sqlite3.connect(store.file)) as other, pytest.raises(DBAPIError) as locked:
        other.execute("CREATE TABLE runs (x)")
        other.execute("BEGIN EXCLUSIVE")
        with engine.connect() as connection:
            connection.execute(text("SELECT * FROM runs"))
    engine.dispose()
    wrapped = ValueError("of a library")
    wrapped.__context__ = locked.value
    assert why_lost(store, wrapped) == f"sqlite:///{tmp_path}/mlflow.db does not answer: database is locked"
    assert why_lost(store, ValueError("of a damaged record")) is None
    assert why_lost(store, FileNotFoundError("of a file that has gone")) is None


SENTENCES = {
    "The filesystem tracking backend (e.g., './mlruns') is in maintenance mode and will not receive further "
    "updates. Please migrate to a database backend (e.g., 'sqlite:///mlflow.db').": (
        "The filesystem tracking backend (e.g., './mlruns') is in maintenance mode and will not receive further updates"
    ),
    "MLflow 3.17 has no version 1.2. Look": "MLflow 3.17 has no version 1.2",
    "no s3cret of http://ann:s3cret@h/x here\nsecond line": "no *** of http://h/x here",
    "  ": "ValueError",
}


@pytest.mark.parametrize("message", SENTENCES)
def test_a_reason_is_the_first_sentence_without_credentials(message):
    assert reason_of(ValueError(message), _at("http://ann:s3cret@h/x")) == SENTENCES[message]


@pytest.mark.parametrize("uri", ["foo", "file:/tmp/nowhere"])
def test_a_store_that_mlflow_does_not_take_is_reported_in_a_line(tmp_path, uri):
    sent = Sender(store_of(tmp_path, {"MLFLOW_TRACKING_URI": uri})).send(made_run(tmp_path))
    assert sent.state == "failed"
    assert 20 < len(sent.reason) < 150


def test_tables_of_another_mlflow_are_refused_with_the_next_command(tmp_path, store):
    with closing(sqlite3.connect(store.file)) as database, database:
        database.execute("UPDATE alembic_version SET version_num = ?", ("0a8213491aaa",))
    sent = Sender(store).send(made_run(tmp_path))
    assert sent.state == "failed"
    assert re.search(r"newer one, update.*older.*mlflow db upgrade sqlite:////\S+mlflow\.db$", sent.reason)


def test_the_command_itself_loads_neither_mlflow_nor_its_libraries():
    program = (
        "import sys, asdbench.tracking.background, asdbench.cli.run\n"
        "print(*{'mlflow', 'sqlalchemy', 'optuna', 'pandas', 'requests', 'torch'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "\n"


@pytest.mark.parametrize("path", ["ann:s3cret@h/db", "/ann:s3cret@h/db", "ann%3As3cret@h/db"])
def test_a_password_in_the_path_of_a_file_is_refused_and_not_shown(tmp_path, path):
    with pytest.raises(UsageError) as caught:
        store_of(tmp_path, {"MLFLOW_TRACKING_URI": f"sqlite:///{path}"})
    assert "s3cret" not in str(caught.value)
