"""What a command needs to have child processes: how they are started, what they report, why they ended."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from multiprocessing.connection import wait
from typing import Any

from asdbench.core.progress import Progress, Stage


class Relay:
    """Shows the stages and notes that a child process sends over its line (``worker.RemoteProgress``)."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._stages: dict[int, tuple[ExitStack, Stage]] = {}

    def take(self, kind: str, *content: Any) -> None:
        """Show one message."""
        if kind == "note":
            self._progress.note(content[0])
        elif kind == "open":
            stack = ExitStack()
            self._stages[content[0]] = stack, stack.enter_context(self._progress.stage(*content[1:]))
        elif kind == "advance":
            self._stages[content[0]][1].advance(*content[1:])
        elif kind == "close":
            self._stages.pop(content[0])[0].close()

    def close(self) -> None:
        """Close the stages of a child that will not."""
        for stack, _ in self._stages.values():
            stack.close()
        self._stages = {}


def end_with_parent() -> None:
    """In a child: leave at once when the command is gone, however it went."""
    threading.Thread(target=_wait_for_parent, daemon=True).start()


def _wait_for_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    wait([parent.sentinel])
    os._exit(1)


def cause_of_death(exit_code: int | None) -> str:
    """Why a child ended that should not have."""
    if exit_code is not None and exit_code < 0:
        name = signal.Signals(-exit_code).name
        why = ", most likely for want of memory" if name == "SIGKILL" else ""
        return f"its process was killed ({name}{why}). With fewer --jobs each has more memory."
    return f"its process ended without a word (exit code {exit_code})."


@contextmanager
def interrupts_ignored() -> Iterator[None]:
    """What is started within never takes Ctrl-C, not even while it imports: the command does, and ends it."""
    if threading.current_thread() is not threading.main_thread():  # only that one may say so
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def in_environment(**values: str) -> Iterator[None]:
    """Set variables for what is started within."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
