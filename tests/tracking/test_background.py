"""The process beside a command: what it costs when the store is away, and what is left when either is killed."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from made_runs import made_run
from mlflow_stores import contents
from postgres import free_port
from waiting import until

from asdbench.core.files import write_text
from asdbench.core.progress import Silent
from asdbench.harness.spec import RunSpec
from asdbench.tracking.background import Background
from asdbench.tracking.marks import is_sent, read_mark
from asdbench.tracking.store import store_of
from asdbench.tracking.sync import sync

PASSWORD = "hunter22-s3cret"


@pytest.fixture
def command(tmp_path):
    """Does what a tracked command does: ``command(folders, during)``; what it says at its end."""
    from asdbench.tracking.background import tracked

    def run(folders, during=lambda: None, **more):
        progress = Silent()
        with tracked(RunSpec(out=tmp_path, tracking="mlflow"), folders, progress, **more):
            during()
        return progress.notes

    return run


def _parents(store, folder):
    return sum(run.data.tags["asdbench.run_id"] == folder.name for run in contents(store)[1])


def _children_of_this_process():
    listed = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    lines = {pid: Path(f"/proc/{pid}/cmdline") for pid in listed}
    return [int(pid) for pid, line in lines.items() if line.exists() and b"tracking.background" in line.read_bytes()]


def test_runs_are_sent_while_and_after_a_command_and_one_that_cannot_be_is_reported(
    tmp_path, store, command, monkeypatch
):
    trap = tmp_path / "trap"
    trap.mkdir()
    for name in ("select", "mlflow", "json"):  # the working directory is no library
        (trap / f"{name}.py").write_text("raise SystemExit('a file of the folder was imported')")
    monkeypatch.chdir(trap)
    folders = [tmp_path / made_run(tmp_path / "aside", seed=seed).name for seed in range(3)]
    other = made_run(tmp_path, "psd")  # of another command, with --tracking none say

    def during():
        for folder in folders[:2]:
            (tmp_path / "aside" / folder.name).rename(folder)
        until(lambda: is_sent(folders[1], store))  # while the command goes on
        write_text(folders[0] / "report.html", "<html>")
        (tmp_path / "aside" / folders[2].name).rename(folders[2])
        (folders[2] / "run.json").write_text(json.dumps({"schema_version": 4}))

    notes = command(folders, during)
    until(lambda: not _children_of_this_process())
    assert [is_sent(folder, store) for folder in folders] == [True, True, False]
    assert "damaged" in read_mark(folders[2], store).reason
    (note,) = notes
    assert note.startswith("tracking: 1 is ")
    assert f" --out {tmp_path}" in note
    assert not is_sent(other, store)
    assert [_parents(store, folder) for folder in folders] == [1, 1, 0]

    started = []

    class Noted:
        def __init__(self, out, folders, *more):
            started.append(folders)

        def close(self, wait_s=0.0):
            return True

        def last_line(self):
            return ""

    monkeypatch.setattr("asdbench.tracking.background.Background", Noted)
    assert command(folders[:2]) == []
    assert started == []  # what is there already costs nothing
    command(folders[:1], lambda: write_text(folders[0] / "report.html", "<html> of another version"))
    assert started == [folders[:1]]  # what is added to a run that is there is sent as well


def test_a_server_that_is_away_costs_the_command_little_and_is_reported(tmp_path, command, monkeypatch):
    # A loaded machine is slow to start Python.
    monkeypatch.setattr("asdbench.tracking.background.WAIT_S", 60.0)
    port = free_port()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://ann:{PASSWORD}@127.0.0.1:{port}")
    folder, store = made_run(tmp_path), store_of(tmp_path)
    (note,) = command([folder, made_run(tmp_path, seed=1)])
    reason = f"http://127.0.0.1:{port} does not answer: "
    assert note.startswith(f"tracking: 2 are not sent: {reason}")
    assert note.count(reason) == 1
    assert note.endswith(f". Later: asdbench track sync --out {tmp_path}")
    mark = read_mark(folder, store)
    assert mark.sent_at is None
    assert mark.reason.startswith(reason)
    assert PASSWORD not in (folder / "tracking.json").read_text() + note


def test_the_command_waits_a_moment_and_not_for_the_store(tmp_path, command, silent_port, monkeypatch):
    monkeypatch.setattr("asdbench.tracking.background.WAIT_S", 0.2)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://ann:{PASSWORD}@127.0.0.1:{silent_port}")
    folder = made_run(tmp_path)
    started = time.monotonic()
    (note,) = command([folder])
    assert time.monotonic() - started < 2.0
    assert note == (
        f"tracking: 1 is still being sent to http://127.0.0.1:{silent_port} in the background: "
        f"asdbench track status --out {tmp_path}"
    )
    for pid in _children_of_this_process():
        assert PASSWORD not in Path(f"/proc/{pid}/cmdline").read_text()
    until(lambda: not _children_of_this_process())  # it gives up by itself
    assert read_mark(folder, store_of(tmp_path)).reason.startswith(f"http://127.0.0.1:{silent_port} does not answer: ")


def test_whatever_goes_wrong_with_the_process_is_reported_and_fails_nothing(tmp_path, store, command, monkeypatch):
    folder = made_run(tmp_path)
    monkeypatch.setattr("asdbench.tracking.background.WAIT_S", 60.0)

    def kill():
        for pid in until(_children_of_this_process):  # for a moment a new process has no command line
            os.kill(pid, signal.SIGKILL)

    (note,) = command([folder], kill)
    assert note == f"tracking: 1 is not sent: the process that sends ended. Later: asdbench track sync --out {tmp_path}"

    trap = tmp_path / "trap"
    trap.mkdir()
    (trap / "select.py").write_text(f"raise SystemError('shadowed {PASSWORD}')")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", PASSWORD)
    monkeypatch.setenv("PYTHONPATH", f"{trap}:{os.environ.get('PYTHONPATH', '')}")
    (note,) = command([folder])
    assert "not sent: SystemError: shadowed ***. Later" in note
    monkeypatch.undo()

    def refuse(*_, **__):
        raise OSError("Too many processes")

    with monkeypatch.context() as patch:
        patch.setattr(subprocess, "Popen", refuse)
        (note,) = command([folder])
    assert "not sent: no process can be started: Too many processes. Later" in note
    assert [done.state for done in sync(tmp_path, store)] == ["sent"]
    assert command([folder]) == []


def test_ctrl_c_in_a_command_is_its_own_and_nothing_is_waited_for(tmp_path, command, silent_port, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{silent_port}")

    def interrupt():
        raise KeyboardInterrupt

    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        command([made_run(tmp_path)], interrupt)
    assert time.monotonic() - started < 2.0


def test_of_two_commands_at_once_of_which_one_is_killed_each_run_is_sent_once(tmp_path, store):
    folders = [made_run(tmp_path, seed=seed) for seed in range(3)]
    program = (
        "import os, sys, time\n"
        "from pathlib import Path\n"
        "from asdbench.tracking.background import Background\n"
        "background = Background(Path(sys.argv[1]), [*map(Path, sys.argv[2:])])\n"
        "if os.fork() == 0: time.sleep(60)\n"  # a worker that outlives the command holds its pipes open
        "else: os.kill(os.getpid(), 9)\n"
    )
    words = [sys.executable, "-c", program, str(tmp_path), *map(str, folders[:2])]
    killed = subprocess.Popen(words, start_new_session=True)
    other = Background(tmp_path, folders[1:])
    assert killed.wait(60) == -9
    assert other.close(120.0)
    assert other.last_line() == ""
    until(lambda: all(is_sent(folder, store) for folder in folders))
    os.killpg(killed.pid, signal.SIGKILL)
    assert [_parents(store, folder) for folder in folders] == [1, 1, 1]
