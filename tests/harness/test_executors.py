"""Executors: the same tasks in this process and in others, whatever becomes of one of them."""

import os
import signal
from pathlib import Path

import pytest

from asdbench.core.errors import UsageError
from asdbench.core.progress import Silent
from asdbench.harness.executors import Processes, Serial


def look(shared, number, *, progress, cores):
    """What a task finds."""
    progress.note(f"task {number}")
    with progress.stage("look", 2) as stage:
        stage.advance(2)
    return {
        "shared": shared,
        "number": number,
        "cores": cores,
        "threads": os.environ.get("OMP_NUM_THREADS"),
        "late": os.environ.get("ASDBENCH_LATE"),
        "home": os.environ.get("HOME"),
        "interrupt": signal.getsignal(signal.SIGINT),
        "folder": str(Path.cwd()),
        "process": os.getpid(),
    }


def refuse(shared, *, progress, cores):
    """A fault of the user's."""
    raise UsageError("no such thing")


def stumble(shared, *, progress, cores):
    """A fault that nobody foresaw."""
    raise ZeroDivisionError("on purpose")


def die(shared, how, *, progress, cores):
    """A process that goes, as when there is no memory left."""
    if how == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    os._exit(9)


def outcomes(executor, tasks, progress):
    """Of all tasks, in their order."""
    numbers, found, left = [], {}, list(tasks)
    while left or len(found) < len(numbers):
        while left and executor.free:
            numbers.append(executor.submit(*left.pop(0), progress=progress))
        found |= dict(executor.results())
    return [found[number] for number in numbers]


def test_serial_does_tasks_here_in_their_order():
    progress = Silent()
    with Serial("shared", 3) as executor:
        first, second, third, last = outcomes(executor, [(look, 1), (refuse,), (stumble,), (look, 2)], progress)
    assert (first.value["shared"], first.value["number"], first.value["cores"]) == ("shared", 1, 3)
    assert first.value["process"] == os.getpid()
    assert isinstance(second.error, UsageError)
    assert third.death.startswith("ZeroDivisionError: on purpose")
    assert "stumble" in third.death, "with the line where it happened"
    assert last.value["number"] == 2
    assert progress.notes == ["task 1", "task 2"]


def test_a_process_that_dies_takes_its_own_task_along_and_no_other(tmp_path, monkeypatch):
    (tmp_path / "scipy.py").write_text("raise SystemExit('a file of the folder was imported')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ASDBENCH_LATE", "set after the first processes of this test run")
    monkeypatch.delenv("HOME", raising=False)
    before, progress = os.environ.get("OMP_NUM_THREADS"), Silent()
    tasks = [(look, 1), (die, "killed"), (look, 2), (die, "gone"), (refuse,), (stumble,), (look, 3)]
    with Processes(["shared"], 2, 4, 3) as executor:
        first, killed, second, gone, refused, stumbled, third = outcomes(executor, tasks, progress)
    assert [one.value["number"] for one in (first, second, third)] == [1, 2, 3]
    assert "SIGKILL" in killed.death
    assert "want of memory" in killed.death
    assert "exit code 9" in gone.death
    assert str(refused.error) == "no such thing"
    assert stumbled.death.startswith("ZeroDivisionError: on purpose")
    found = third.value
    assert found["process"] != os.getpid()
    assert (found["shared"], found["cores"], found["threads"]) == (["shared"], 2, "3")
    assert (found["late"], found["home"]) == ("set after the first processes of this test run", None)
    assert found["folder"] == str(tmp_path)
    assert found["interrupt"] == signal.SIG_IGN
    assert os.environ.get("OMP_NUM_THREADS") == before, "the command's own stays"
    assert sorted(progress.notes) == ["task 1", "task 2", "task 3"]


@pytest.mark.parametrize("executor", [Serial(None, 1), Processes(None, 2, 2, 1)])
def test_what_is_left_under_way_does_not_hold_the_command_up(executor):
    with executor:
        executor.submit(look, 1, progress=Silent())
