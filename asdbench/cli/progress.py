"""Progress on standard error: bars on a terminal, a line now and then elsewhere."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from asdbench.cli.console import Console

LINE_EVERY_S = 15.0


def in_words(seconds: float) -> str:
    """A span of time as people say it: "40 s", "12 min", "3.5 h"."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 100 * 60 else f"{seconds / 3600:.1f} h"


class BarStage:
    """A bar of a terminal."""

    def __init__(self, bars: Progress, task: TaskID) -> None:
        self._bars = bars
        self._task = task
        self._detail = ""

    def advance(self, steps: int = 1, detail: str = "", left_s: float | None = None) -> None:
        """Move the bar."""
        self._detail = detail or self._detail
        ends_at = None if left_s is None else time.monotonic() + left_s
        self._bars.update(self._task, advance=steps, detail=self._detail, ends_at=ends_at)


class LineStage:
    """A line when the stage ends, and one now and then while it lasts."""

    def __init__(self, console: Console, name: str, total: int) -> None:
        self._console = console
        self._name = name
        self._total = total
        self._done = 0
        self._detail = ""
        self._started = self._said = time.monotonic()

    def advance(self, steps: int = 1, detail: str = "", left_s: float | None = None) -> None:
        """Count, and say so when the last line is old enough."""
        self._done += steps
        self._detail = detail or self._detail
        now = time.monotonic()
        if now - self._said >= LINE_EVERY_S and 0 < self._done < self._total:
            mean_pace = (now - self._started) / self._done * (self._total - self._done)
            remaining = mean_pace if left_s is None else left_s
            self._say(f"{self._done}/{self._total}, about {in_words(remaining)} left")
            self._said = now

    def finish(self) -> None:
        """Say how long it took."""
        self._say(f"{self._done} done in {time.monotonic() - self._started:.1f} s")

    def _say(self, words: str) -> None:
        detail = f" ({self._detail})" if self._detail else ""
        self._console.print(f"{self._name}: {words}{detail}", markup=False, highlight=False, soft_wrap=True)


class Left(TimeRemainingColumn):
    """Time that remains: counted down from what the stage was told, else from its mean pace."""

    def render(self, task: Task) -> Text:
        """As h:mm:ss."""
        ends = task.fields.get("ends_at")
        if ends is None:
            return super().render(task)
        left = round(ends - time.monotonic())
        text = str(timedelta(seconds=left)) if left > 0 or task.finished else "-:--:--"  # it takes longer than foretold
        return Text(text, style="progress.remaining")


class ConsoleProgress:
    """Shows stages and notes on standard error.

    On a terminal every stage has a bar. While a whole command is counted (``overall``), a bar goes when its stage ends,
    so that the screen does not fill.

    Args:
        quiet: show neither.
    """

    def __init__(self, quiet: bool) -> None:
        self._console = Console(stderr=True, quiet=quiet)
        self._said: set[str] = set()
        self._bars: Progress | None = None
        self._open = 0
        self._overall = False

    def note(self, message: str) -> None:
        """Show a message once."""
        if message not in self._said:
            self._said.add(message)
            self._console.print(f"note: {message}", style="yellow", markup=False, highlight=False, soft_wrap=True)

    @property
    def has_bars(self) -> bool:
        """Whether stages are bars, which go again, or lines, which stay."""
        return self._console.is_terminal

    def line(self, message: str) -> None:
        """Show one line of what came out."""
        self._console.print(message, markup=False, highlight=False, soft_wrap=True)

    @contextmanager
    def stage(self, name: str, total: int) -> Iterator[BarStage | LineStage]:
        """A bar on a terminal, else lines."""
        if not self._console.is_terminal:
            line = LineStage(self._console, name, total)
            yield line
            line.finish()
            return
        with self._live() as bars:
            task = bars.add_task(name, total=total, detail="", ends_at=None)
            yield BarStage(bars, task)
            if self._overall:
                bars.remove_task(task)

    @contextmanager
    def overall(self, name: str, total: int) -> Iterator[BarStage | LineStage]:
        """The bar of the whole command, above those of its stages."""
        with self.stage(name, total) as stage:
            self._overall = True
            try:
                yield stage
            finally:
                self._overall = False

    @contextmanager
    def _live(self) -> Iterator[Progress]:
        """The bars, on the screen while any stage is open."""
        if self._bars is None:
            self._bars = Progress(
                TextColumn("{task.description:<22}"),
                BarColumn(30),
                MofNCompleteColumn(),
                TimeElapsedColumn(),
                TextColumn("left"),
                Left(),
                TextColumn("{task.fields[detail]}"),
                console=self._console,
            )
            self._bars.start()
        bars = self._bars
        self._open += 1
        try:
            yield bars
        finally:
            self._open -= 1
            if not self._open:
                bars.stop()
                self._bars = None
