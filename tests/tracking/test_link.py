"""The sender's process: what it costs the command when the store is away, and what is left when either is killed."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from made_runs import made_run
from postgres import free_port

from asdbench.core.progress import Silent
from asdbench.tracking.client import Client
from asdbench.tracking.link import Link
from asdbench.tracking.process import LAST_S
from asdbench.tracking.receipts import read_receipt, run_is_sent
from asdbench.tracking.sending import send_run
from asdbench.tracking.store import Store, store_of
from asdbench.tracking.sync import sync

PASSWORD = "hunter22-s3cret"


@pytest.fixture
def link(tmp_path, monkeypatch):
    """A link to the store of ``tmp_path``, or to that at an address: ``link(uri)``."""
    links = []

    def open_link(uri: str | None = None) -> Link:
        if uri:
            monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
        links.append(Link(store_of(tmp_path), tmp_path))
        return links[-1]

    yield open_link
    for one in links:
        one.drop()


@pytest.fixture
def half_dead() -> Iterator[str]:
    """Address of a server of which one process answers, and the others are stuck."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            if not self.path.endswith("/health"):
                time.sleep(60)
            self.send_response(200)
            self.end_headers()

        do_POST = do_GET  # noqa: N815

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.block_on_close = False
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def _parents(store: Store, folder) -> int:
    client = Client(store)
    experiment, _ = client.experiment("synthetic")
    found = client._client.search_runs([experiment], f"tags.`asdbench.run_id` = '{folder.name}'")
    return sum("mlflow.parentRunId" not in run.data.tags for run in found)


def _finish(one: Link) -> float:
    started = time.monotonic()
    one.finish(Silent())
    return time.monotonic() - started


def _cpu_ticks(pid: int) -> int:
    return sum(map(int, Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]))


def _wait_until_connected(one: Link) -> None:
    """Until the sender has MLflow loaded and is waiting for work."""
    one.start()
    for _ in range(600):
        assert one._process.poll() is None
        before = _cpu_ticks(one._process.pid)
        time.sleep(0.4)
        if before > 100 and _cpu_ticks(one._process.pid) - before < 3:
            return
    raise AssertionError("the sender never came to rest")


def test_runs_go_to_the_store_beside_them_and_one_that_cannot_is_told(tmp_path, empty_database, link):
    shutil.copy(empty_database, tmp_path / "mlflow.db")
    bad, *folders = [made_run(tmp_path, seed=seed) for seed in range(3)]
    (bad / "run.json").write_text(json.dumps({"schema_version": 4}))
    one = link()
    for folder in (bad, *folders, folders[0]):
        one.run(folder)
    one.finish(Silent())
    assert one.sent == 2
    assert list(one.failed) == [bad]
    assert "damaged" in one.failed[bad]
    assert all(run_is_sent(folder, one.store) for folder in folders)
    # What is there already costs nothing: no process is started.
    two = link()
    for folder in folders:
        two.run(folder)
    two.finish(Silent())
    assert two._process is None


@pytest.mark.parametrize("kind", ["refused", "silent"])
def test_a_server_that_is_away_costs_the_command_little_and_the_record_says_so(tmp_path, link, silent_port, kind):
    port = free_port() if kind == "refused" else silent_port
    started = time.monotonic()
    one = link(f"http://ann:{PASSWORD}@127.0.0.1:{port}")
    one.start()
    folder = made_run(tmp_path)
    one.run(folder)
    one.finish(Silent())
    assert time.monotonic() - started < 6.0  # Python starts, then the limit of 1 s
    assert list(one.failed) == [folder]
    receipt = read_receipt(folder, one.store)
    assert receipt.sent_at is None
    assert receipt.reason.startswith(f"http://127.0.0.1:{port} does not answer")
    assert PASSWORD not in (folder / "tracking.json").read_text()
    later = made_run(tmp_path, seed=1)
    one.run(later)  # at once: the store was given up
    assert read_receipt(later, one.store).reason == receipt.reason


@pytest.mark.parametrize("kind", ["gone", "silent"])
def test_a_server_that_dies_in_the_middle_costs_little_and_sync_completes_it_once(
    tmp_path, link, line_to, mlflow_server, kind
):
    fault = line_to(mlflow_server)
    fault.kind = kind
    folders = [made_run(tmp_path, seed=seed, data=kind) for seed in range(3)]
    one = link(f"http://ann:{PASSWORD}@127.0.0.1:{fault.port}")
    _wait_until_connected(one)
    fault.after = fault.requests + 12  # in the midst of the first run
    for folder in folders:
        one.run(folder)
    assert PASSWORD not in Path(f"/proc/{one._process.pid}/cmdline").read_text()
    assert _finish(one) < 10.0  # MLflow alone would try for minutes
    assert sorted(one.failed) == sorted(folders)
    assert one.away is not None
    assert "does not answer" in one.away
    server = Store(mlflow_server, None, None, False)
    assert [done.state for done in sync(tmp_path, server)] == ["sent"] * 3
    assert [_parents(server, folder) for folder in folders] == [1, 1, 1]
    assert {done.state for done in sync(tmp_path, server)} == {"there"}
    for folder in folders:
        assert PASSWORD not in (folder / "tracking.json").read_text()


def test_a_server_that_answers_no_request_but_that_for_its_health_costs_one_wait(tmp_path, link, half_dead):
    folders = [made_run(tmp_path, seed=seed) for seed in range(3)]
    one = link(half_dead)
    for folder in folders:
        one.run(folder)
    _wait_until_connected(one)  # and at its first request
    assert _finish(one) < LAST_S + 5.0
    assert one.failed == dict.fromkeys(folders, f"{half_dead} took more than 5 s for one request")


def test_whatever_goes_wrong_on_the_commands_side_is_told_and_raises_nothing(tmp_path, link, monkeypatch):
    def unknown():
        raise KeyError("no such cell")

    folder, one = made_run(tmp_path), link(f"http://ann:{PASSWORD}@127.0.0.1:1")
    one.run(folder, unknown)
    assert one.failed == {folder: "'no such cell'"}
    monkeypatch.setattr("asdbench.tracking.link.study_is_sent", lambda *_: (folder / PASSWORD).read_text())
    one.study(folder / "study")
    assert one.failed[folder / "study"] == f"[Errno 2] No such file or directory: '{folder}/***'"
    monkeypatch.setattr(subprocess, "Popen", lambda *_, **__: Path("/nowhere").stat())
    one.start()
    one.run(folder)
    one.finish(Silent())
    assert one.failed[folder].startswith("the sender's process cannot be started: ")
    assert read_receipt(folder, one.store).reason == one.failed[folder]


def test_the_current_folder_is_no_library_and_what_ends_the_sender_is_told(tmp_path, link, monkeypatch):
    trap = tmp_path / "trap"
    trap.mkdir()
    (trap / "queue.py").write_text(f"raise SystemError('shadowed {PASSWORD}')")
    monkeypatch.chdir(trap)
    folder = made_run(tmp_path)
    away = link(f"http://ann:{PASSWORD}@127.0.0.1:1")
    away.run(folder)
    away.finish(Silent())
    assert "does not answer" in away.failed[folder]  # it came so far
    monkeypatch.setenv("PYTHONPATH", str(trap))
    dead = link(f"http://ann:{PASSWORD}@127.0.0.1:1")
    dead.run(folder)
    dead.finish(Silent())
    assert dead.failed == {folder: "the sender's process ended before its work was done: SystemError: shadowed ***"}


def test_a_sender_that_is_killed_or_stopped_does_no_harm(tmp_path, empty_database, link, monkeypatch):
    shutil.copy(empty_database, tmp_path / "mlflow.db")
    folder = made_run(tmp_path)
    killed = link()
    killed.start()
    killed.run(folder)
    os.kill(killed._process.pid, signal.SIGKILL)
    assert _finish(killed) < 2.0
    assert killed.failed == {folder: "the sender's process ended before its work was done"}
    assert read_receipt(folder, killed.store).reason == killed.failed[folder]

    monkeypatch.setattr("asdbench.tracking.link.SILENT_S", 0.5)
    stopped = link()
    stopped.start()
    os.kill(stopped._process.pid, signal.SIGSTOP)
    for seed in range(300):  # more than a pipe holds
        stopped._hand(tmp_path / str(seed), {"run": "x" * 1000})
    assert _finish(stopped) < 5.0
    assert stopped.missing == 300
    assert [done.state for done in sync(tmp_path, killed.store)] == ["sent"]
    assert read_receipt(folder, killed.store).reason is None


def test_the_sender_ends_its_work_when_the_command_is_killed(tmp_path, empty_database):
    shutil.copy(empty_database, tmp_path / "mlflow.db")
    folder = made_run(tmp_path)
    program = (
        "import os, sys, time; from pathlib import Path\n"
        "from asdbench.tracking.link import Link; from asdbench.tracking.store import store_of\n"
        "out, folder = map(Path, sys.argv[1:])\n"
        "link = Link(store_of(out), out); link.run(folder); print(link._process.pid, flush=True)\n"
        "time.sleep(0.5); os.kill(os.getpid(), 9)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path), str(folder)], capture_output=True, text=True, check=False
    )
    assert done.returncode == -signal.SIGKILL
    sender, deadline = int(done.stdout), time.monotonic() + 60
    while Path(f"/proc/{sender}").exists() and ") Z" not in Path(f"/proc/{sender}/stat").read_text():
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert run_is_sent(folder, store_of(tmp_path))


def test_an_interrupted_wait_ends_the_sender_and_says_what_is_left(tmp_path, link, silent_port):
    class Interrupting(Silent):
        def stage(self, name, total):
            assert (name, total) == ("tracking", 1)
            raise KeyboardInterrupt

    folder = made_run(tmp_path)
    one = link()
    one.run(folder)
    one.finish(Interrupting())
    assert one.failed == {folder: "the command was interrupted"}
    assert one._process.poll() is not None


def test_a_password_is_for_the_server_alone(tmp_path, line_to, mlflow_server):
    fault = line_to(mlflow_server)
    uri = f"http://ann:{PASSWORD}@127.0.0.1:{fault.port}"
    store, folder = Store(uri, None, None, False), made_run(tmp_path, data="password")
    assert send_run(Client(store), folder, dict).outcome == "sent"
    held = fault.heard
    assert b"Authorization: Basic" in held  # it did reach the server
    receipt = read_receipt(folder, store)
    assert list(json.loads((folder / "tracking.json").read_text())["stores"]) == [f"http://127.0.0.1:{fault.port}"]
    run = Client(Store(mlflow_server, None, None, False)).run(receipt.mlflow_run)
    for text in (repr(run.to_dictionary()), (folder / "tracking.json").read_text(), repr(store)):
        assert PASSWORD not in text
        assert "ann:" not in text
