"""The sender's process: what it costs the command when the store is away, and what is left when either is killed."""

import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest
from made_runs import made_run
from postgres import free_port

from asdbench.core.progress import Silent
from asdbench.tracking.client import Client
from asdbench.tracking.link import Link
from asdbench.tracking.process import Sender
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


def test_a_server_that_gets_stuck_in_the_middle_costs_little_and_sync_completes_it_once(
    tmp_path, link, line_to, mlflow_server
):
    fault = line_to(mlflow_server)
    folders = [made_run(tmp_path, seed=seed, data="stuck") for seed in range(3)]
    one = link(f"http://ann:{PASSWORD}@127.0.0.1:{fault.port}")
    _wait_until_connected(one)
    fault.after = fault.requests + 12  # in the midst of the first run
    for folder in folders:
        one.run(folder)
    assert PASSWORD not in Path(f"/proc/{one._process.pid}/cmdline").read_text()
    # One wait for all that is left, where MLflow alone would take a minute for each.
    assert _finish(one) < 25.0
    assert sorted(one.failed) == sorted(folders)
    assert one.away is not None
    assert "took more than 5 s for one request" in one.away
    server = Store(mlflow_server, None, None, False)
    assert [done.state for done in sync(tmp_path, server)] == ["sent"] * 3
    assert [_parents(server, folder) for folder in folders] == [1, 1, 1]
    assert {done.state for done in sync(tmp_path, server)} == {"there"}
    for folder in folders:
        assert PASSWORD not in (folder / "tracking.json").read_text()


def test_a_server_that_goes_in_the_middle_is_given_up_at_once(tmp_path, line_to, mlflow_server, monkeypatch):
    fault = line_to(mlflow_server)
    fault.kind, fault.after = "gone", 12
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://ann:{PASSWORD}@127.0.0.1:{fault.port}")
    monkeypatch.setattr(os, "_exit", sys.exit)
    folders = [made_run(tmp_path, seed=seed, data="gone") for seed in range(2)]
    lines, said = "".join(json.dumps({"run": str(folder)}) + "\n" for folder in folders), io.StringIO()
    with pytest.raises(SystemExit):
        Sender(store_of(tmp_path), io.StringIO(lines), said).work()
    heard = [json.loads(line) for line in said.getvalue().splitlines() if "alive" not in line]
    assert heard  # once, or once more by the thread that watches
    assert all(one["away"].startswith(f"http://127.0.0.1:{fault.port} does not answer") for one in heard)
    server = Store(mlflow_server, None, None, False)
    assert [done.state for done in sync(tmp_path, server)] == ["sent"] * 2
    assert [_parents(server, folder) for folder in folders] == [1, 1]


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
    folders = [made_run(tmp_path, seed=seed) for seed in range(2)]
    lines = io.StringIO("".join(json.dumps({"run": str(folder)}) + "\n" for folder in folders))
    gone, ours = os.pipe()
    os.close(gone)  # as of a command that was killed: nobody reads what the sender says
    with pytest.raises(BrokenPipeError), os.fdopen(os.dup(ours), "w") as output:
        output.write("x")
    output = os.fdopen(ours, "w")
    Sender(store_of(tmp_path), lines, output).work()
    with suppress(BrokenPipeError):
        output.close()
    assert all(run_is_sent(folder, store_of(tmp_path)) for folder in folders)


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
