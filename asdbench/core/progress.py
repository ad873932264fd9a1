"""How the layers below the command line report what they are doing, without printing."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol


class Stage(Protocol):
    """One stage of work under way."""

    def advance(self, steps: int = 1, detail: str = "", left_s: float | None = None) -> None:
        """Count ``steps`` as done.

        Args:
            steps: how many.
            detail: shown beside the bar (a loss, a file).
            left_s: time that remains, where the caller knows better than the mean pace.
        """


class Progress(Protocol):
    """Where stages and notes are reported."""

    def note(self, message: str) -> None:
        """Say one thing that the user should know; the same message is shown once."""

    def stage(self, name: str, total: int) -> AbstractContextManager[Stage]:
        """Open a stage of ``total`` steps; a context manager that yields a Stage."""

    def overall(self, name: str, total: int) -> AbstractContextManager[Stage]:
        """Open the count of a whole command, which lasts while stages come and go."""


class SilentStage:
    """Counts nothing."""

    def advance(self, steps: int = 1, detail: str = "", left_s: float | None = None) -> None:
        """Do nothing."""


class Silent:
    """Progress for programs and tests: notes are stored in ``notes``, nothing is shown."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, message: str) -> None:
        """Store the message once."""
        if message not in self.notes:
            self.notes.append(message)

    @contextmanager
    def stage(self, name: str, total: int) -> Iterator[SilentStage]:
        """Open a stage that shows nothing."""
        yield SilentStage()

    overall = stage


class LabelledProgress:
    """Progress whose stages have a label behind their names."""

    def __init__(self, progress: Progress, label: str) -> None:
        self._progress = progress
        self._label = label

    def note(self, message: str) -> None:
        """Pass on."""
        self._progress.note(message)

    def stage(self, name: str, total: int) -> AbstractContextManager[Stage]:
        """Open the stage under its longer name."""
        return self._progress.stage(name + self._label, total)

    def overall(self, name: str, total: int) -> AbstractContextManager[Stage]:
        """Pass on."""
        return self._progress.overall(name, total)
