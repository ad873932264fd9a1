"""``asdbench ui`` over a server that is none of MLflow's, so that its end is seen in a second."""

import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from postgres import free_port

# Stands in for the interpreter that MLflow's server is started with.
SERVER = """#!{python}
import os, sys
from http.server import BaseHTTPRequestHandler, HTTPServer
class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
    def log_message(self, *_): pass
print("no such table: runs", flush=True)
if "{kind}" == "says its store": print(os.environ["MLFLOW_BACKEND_STORE_URI"], flush=True)
if "{kind}" == "ends at once": sys.exit(3)
HTTPServer(("127.0.0.1", int(sys.argv[sys.argv.index("--port") + 1])), Handler).serve_forever()
"""
COMMAND = "import sys; sys.executable = {server!r}; from asdbench.cli.app import main; main()"


@pytest.fixture
def ui(tmp_path):
    """Starts the command; yields ``start(kind, before)``, which gives the process."""
    started = []
    (tmp_path / "mlflow.db").touch()

    def start(kind="lives", before=()):
        server = tmp_path / "server"
        server.write_text(SERVER.format(python=sys.executable, kind=kind))
        server.chmod(0o755)
        words = ["ui", "--out", str(tmp_path), "--no-browser", "--port", str(free_port())]
        started.append(
            subprocess.Popen(
                [*before, sys.executable, "-c", COMMAND.format(server=str(server)), *words],
                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            )
        )  # fmt: skip
        return started[0]

    yield start
    for process in started:
        process.kill()
        process.communicate()


def _server_of(process) -> int:
    assert process.stdout.readline().startswith("http://127.0.0.1:")  # it is there by then
    return int(Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()[0])


def _is_gone(pid: int) -> bool:
    deadline = time.monotonic() + 5
    while (place := Path(f"/proc/{pid}")).exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    return not place.exists()


@pytest.mark.parametrize("kind", [signal.SIGHUP, signal.SIGTERM, signal.SIGINT])
def test_a_closed_terminal_leaves_no_server_behind(ui, kind):
    process = ui()
    server = _server_of(process)
    process.send_signal(kind)
    assert process.wait(10) == 0
    assert "Traceback" not in process.stderr.read()
    assert _is_gone(server)


def test_under_nohup_the_page_stays(ui):
    process = ui(before=["nohup"])
    _server_of(process)
    process.send_signal(signal.SIGHUP)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.3)
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 0


def test_a_server_that_dies_is_reported_with_what_it_said_last(ui):
    process = ui()
    subprocess.run(["kill", "-9", str(_server_of(process))], check=True)
    assert process.wait(10) == 1
    assert "asdbench: MLflow's server ended: no such table: runs\n" in process.stderr.read()


def test_a_server_that_does_not_start_is_reported_at_once(ui):
    process = ui("ends at once")
    assert process.wait(10) == 1
    assert "MLflow's server ended at once: no such table: runs" in process.stderr.read()


def test_a_password_is_neither_in_the_list_of_processes_nor_in_what_the_server_says(ui, tmp_path, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as database:

        def answer():  # as PostgreSQL does before a log-in
            line, _ = database.accept()
            with line:
                line.recv(8)
                line.sendall(b"N")

        threading.Thread(target=answer, daemon=True).start()
        address = f"127.0.0.1:{database.getsockname()[1]}/runs"
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"postgresql://ann:s3cret-word@{address}")
        process = ui("says its store")
        server = _server_of(process)
    for pid in (server, process.pid):
        assert b"s3cret-word" not in Path(f"/proc/{pid}/cmdline").read_bytes()
    assert b"s3cret-word" in Path(f"/proc/{server}/environ").read_bytes()
    subprocess.run(["kill", "-9", str(server)], check=True)
    assert process.wait(10) == 1
    said = process.stderr.read()
    assert f"ended: postgresql://{address}" in said
    assert "s3cret-word" not in said
