"""Progress on standard error: bars on a terminal, a line now and then elsewhere."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

LINE_EVERY_S = 15.0


class BarStage:
    """A bar of a terminal."""

    def __init__(self, bars: Progress, task: TaskID) -> None:
        self._bars = bars
        self._task = task
        self._detail = ""

    def advance(self, steps: int = 1, detail: str = "") -> None:
        """Move the bar."""
        self._detail = detail or self._detail
        self._bars.update(self._task, advance=steps, detail=self._detail)


class LineStage:
    """A line when the stage ends, and one now and then while it lasts."""

    def __init__(self, console: Console, name: str, total: int) -> None:
        self._console = console
        self._name = name
        self._total = total
        self._done = 0
        self._detail = ""
        self._started = self._said = time.monotonic()

    def advance(self, steps: int = 1, detail: str = "") -> None:
        """Count, and say so when the last line is old enough."""
        self._done += steps
        self._detail = detail or self._detail
        now = time.monotonic()
        if now - self._said >= LINE_EVERY_S and 0 < self._done < self._total:
            remaining = (now - self._started) / self._done * (self._total - self._done)
            self._say(f"{self._done}/{self._total}, about {remaining:.0f} s left")
            self._said = now

    def finish(self) -> None:
        """Say how long it took."""
        self._say(f"{self._done} done in {time.monotonic() - self._started:.1f} s")

    def _say(self, words: str) -> None:
        detail = f" ({self._detail})" if self._detail else ""
        self._console.print(f"{self._name}: {words}{detail}", markup=False, highlight=False, soft_wrap=True)


class ConsoleProgress:
    """Shows stages and notes on standard error.

    Args:
        quiet: show neither.
    """

    def __init__(self, quiet: bool) -> None:
        self._console = Console(stderr=True, quiet=quiet)
        self._said: set[str] = set()

    def note(self, message: str) -> None:
        """Show a message once."""
        if message not in self._said:
            self._said.add(message)
            self._console.print(f"note: {message}", style="yellow", markup=False, highlight=False, soft_wrap=True)

    @contextmanager
    def stage(self, name: str, total: int) -> Iterator[BarStage | LineStage]:
        """A bar on a terminal, else lines."""
        if not self._console.is_terminal:
            line = LineStage(self._console, name, total)
            yield line
            line.finish()
            return
        columns = (
            TextColumn("{task.description:<22}"),
            BarColumn(30),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[detail]}"),
        )
        with Progress(*columns, console=self._console) as bars:
            yield BarStage(bars, bars.add_task(name, total=total, detail=""))
