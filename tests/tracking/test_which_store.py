import socket
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from postgres import free_port, postgres

from asdbench.core.errors import UsageError
from asdbench.tracking.database import has_run
from asdbench.tracking.reach import why_away
from asdbench.tracking.store import Store, store_of


def test_the_store_lies_beside_the_runs_unless_mlflow_is_told_else(tmp_path):
    store = store_of(tmp_path / "runs", {})
    assert store.uri == f"sqlite:///{tmp_path}/runs/mlflow.db"
    assert store.artifacts == (tmp_path / "runs" / "mlartifacts").as_uri()
    assert (store.file, store.beside) == (tmp_path / "runs" / "mlflow.db", True)
    named = store_of(tmp_path, {"MLFLOW_TRACKING_URI": "https://ann:pw@host/x", "MLFLOW_EXPERIMENT_NAME": "trials"})
    assert (named.uri, named.artifacts, named.experiment) == ("https://ann:pw@host/x", None, "trials")
    assert named.shown == "https://host/x"
    assert "pw" not in repr(named)
    database = store_of(tmp_path, {"MLFLOW_TRACKING_URI": "sqlite:////data/all.db"})
    assert (database.artifacts, database.beside) == ("file:///data/mlartifacts", False)
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


def test_a_database_that_is_written_to_is_not_doubted(tmp_path, made_database):
    assert not has_run(made_database, "0" * 32)
    with closing(sqlite3.connect(made_database)) as writer:
        writer.execute("BEGIN EXCLUSIVE")
        assert has_run(made_database, "0" * 32)
        writer.rollback()
    made_database.write_bytes(b"no database")
    assert not has_run(made_database, "0" * 32)


def test_a_token_of_the_environment_is_no_part_of_a_message(tmp_path):
    store = store_of(tmp_path, {"MLFLOW_TRACKING_URI": "http://h", "MLFLOW_TRACKING_TOKEN": "tok-123"})
    assert store.scrubbed("refused: Bearer tok-123") == "refused: Bearer ***"


def _store(uri: str) -> Store:
    return Store(uri, None, None, False)


@pytest.mark.parametrize("scheme", ["http", "postgresql", "mysql+pymysql", "mssql"])
def test_a_port_where_nobody_listens_is_told_at_once_without_the_password(scheme):
    port = free_port()
    started = time.monotonic()
    reason = why_away(_store(f"{scheme}://ann:s3cret@127.0.0.1:{port}"))
    assert reason == f"{scheme}://127.0.0.1:{port} does not answer: Connection refused"
    assert time.monotonic() - started < 0.9


@pytest.mark.parametrize("scheme", ["http", "postgresql", "mysql"])
def test_a_server_that_takes_the_connection_and_says_nothing_is_away(scheme, silent_port):
    started = time.monotonic()
    assert "does not answer" in why_away(_store(f"{scheme}://u:s3cret@127.0.0.1:{silent_port}"), 0.3)
    assert time.monotonic() - started < 0.9


def test_a_name_that_nobody_looks_up_in_time_is_away(monkeypatch):
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: time.sleep(5))
    started = time.monotonic()
    assert why_away(_store("http://slow.example"), 0.2) == "http://slow.example does not answer within 0.2 s"
    assert time.monotonic() - started < 0.9


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
        assert why_away(_store(f"http://127.0.0.1:{server.server_port}/mlflow/")) is None


def test_what_cannot_be_asked_counts_as_there():
    for uri in ("sqlite:////nowhere/x.db", "databricks", "databricks://profile", "databricks-uc"):
        assert why_away(_store(uri)) is None


def test_a_postgresql_server_answers_before_anybody_logs_in():
    with postgres() as uri:
        assert why_away(_store(uri)) is None
        assert why_away(_store(uri.replace("s3cret", "wrong"))) is None
    assert "Connection refused" in why_away(_store(uri))


def test_the_command_itself_loads_neither_mlflow_nor_its_libraries():
    program = (
        "import sys, asdbench.cli.tracking, asdbench.tracking.link, asdbench.tracking.process, asdbench.cli.run\n"
        "print(*{'mlflow', 'sqlalchemy', 'optuna', 'pandas', 'requests', 'torch'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "\n"


@pytest.mark.parametrize("path", ["ann:s3cret@h/db", "/ann:s3cret@h/db", "ann%3As3cret@h/db"])
def test_a_password_in_the_path_of_a_file_is_refused_and_not_shown(tmp_path, path):
    with pytest.raises(UsageError) as caught:
        store_of(tmp_path, {"MLFLOW_TRACKING_URI": f"sqlite:///{path}"})
    assert "s3cret" not in str(caught.value)
