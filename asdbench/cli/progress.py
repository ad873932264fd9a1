"""Progress on standard error: bars on a terminal, a line now and then elsewhere."""

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import click
from rich.console import Console
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

from asdbench.cli.output import shown
from asdbench.cli.tables import text

LINE_EVERY_S = 15.0
BRIEF_S = 1.0
LONGEST_START = 90  # characters by which a note is known again
_RUN = re.compile(r"[\w.:,+-]+( \+ [\w.:,+-]+)?(, seed \d+)?")  # what a note may be of, before its colon
_OWN = re.compile(r" \([^()]*\)$|\d+(?:\.\d+)?")  # machine types at the end, and numbers
NAMED = 3  # runs, of those that a note is repeated for


def duration(seconds: float) -> str:
    """A span of time as people say it: "40 s", "12 min", "3.5 h"."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 100 * 60 else f"{seconds / 3600:.1f} h"


def _shared(message: str) -> str:
    """What messages share that differ by the run or machine type they are of, and by numbers."""
    subject, colon, rest = message.partition(": ")
    return _OWN.sub("", rest) if colon and _RUN.fullmatch(subject) else message


class BarStage:
    """A bar of a terminal."""

    def __init__(self, bars: Progress, task: TaskID) -> None:
        self._bars = bars
        self._task = task
        self._detail = ""

    def advance(self, steps: int = 1, detail: str = "", left_s: float | None = None) -> None:
        """Move the bar."""
        self._detail = shown(detail) or self._detail
        ends_at = None if left_s is None else time.monotonic() + left_s
        self._bars.update(self._task, advance=steps, detail=self._detail, ends_at=ends_at)


class LineStage:
    """A line when the stage ends, and one now and then while it lasts."""

    def __init__(self, progress: "ConsoleProgress", name: str, total: int) -> None:
        self._progress = progress
        self._name = name
        self._total = total
        self._done = 0
        self._detail = ""
        self._started = self._last_line = time.monotonic()

    def advance(self, steps: int = 1, detail: str = "", left_s: float | None = None) -> None:
        """Count, and print a line when the last one is old enough."""
        self._done += steps
        self._detail = detail or self._detail
        now = time.monotonic()
        if left_s is None and self._done:
            left_s = (now - self._started) / self._done * (self._total - self._done)  # by the mean pace
        if now - self._last_line >= LINE_EVERY_S and self._done < self._total and left_s is not None:
            self._print(f"{self._done}/{self._total}, about {duration(left_s)} left")
            self._last_line = now

    def finish(self) -> None:
        """Print how long it took; nothing of a moment's work among much other."""
        if self._progress.is_overall and time.monotonic() - self._started < BRIEF_S:
            return
        self._print(f"{self._done} done in {time.monotonic() - self._started:.1f} s")

    def _print(self, state: str) -> None:
        self._progress.line(f"{self._name}: {state}" + (f" ({self._detail})" if self._detail else ""))


class TimeLeft(TimeRemainingColumn):
    """Time that remains: counted down from the stage's estimate, else from its mean pace."""

    def render(self, task: Task) -> Text:
        """As h:mm:ss."""
        ends_at = task.fields.get("ends_at")
        if ends_at is None:
            return super().render(task)
        left = round(ends_at - time.monotonic())
        known = left > 0 or task.finished  # else it takes longer than estimated
        return Text(str(timedelta(seconds=left)) if known else "-:--:--", style="progress.remaining")


class ConsoleProgress:
    """Shows stages and notes on standard error.

    On a terminal every stage has a bar. While a whole command is counted (``overall``), a bar goes when its stage ends,
    so that the screen does not fill.

    Args:
        quiet: show neither.
    """

    def __init__(self, quiet: bool) -> None:
        self._console = Console(stderr=True, quiet=quiet)
        self._notes: dict[str, list[str]] = {}  # messages that are alike, by what they share
        self._bars: Progress | None = None
        self._open_stages = 0
        self._overall = False
        context = click.get_current_context(silent=True)
        if context is not None:
            context.call_on_close(self.say_repeated)

    @property
    def is_overall(self) -> bool:
        """Whether a whole command of several runs is being counted."""
        return self._overall

    @property
    def has_bars(self) -> bool:
        """Whether stages are bars, which go again, or lines, which stay."""
        return self._console.is_terminal

    def note(self, message: str) -> None:
        """Show a message once; of those that differ by run, machine type or number the first, and later of which."""
        alike = self._notes.setdefault(_shared(message), [])
        if message not in alike:
            alike.append(message)
            if len(alike) == 1:
                self.line(f"note: {message}", "yellow")

    def say_repeated(self) -> None:
        """Say once, for each note that others were like, which runs they were of."""
        for first, *others in list(self._notes.values()):
            subject, _, text = first.partition(": ")
            names = [name for name in dict.fromkeys(one.partition(": ")[0] for one in others) if name != subject]
            if others:
                more = [f"{len(names) - NAMED} more"] if len(names) > NAMED else []
                of = f"of {', '.join([*names[:NAMED], *more])}" if names else f"{len(others)} times more"
                start = text if len(text) <= LONGEST_START else f"{text[:LONGEST_START].rpartition(' ')[0]} ..."
                self.line(f"note: the like {of}: {start}", "yellow")
        self._notes = {key: messages[:1] for key, messages in self._notes.items()}

    def line(self, message: str, style: str = "") -> None:
        """Show one line, above the bars."""
        self._console.print(text(message, style), soft_wrap=not self.has_bars)

    @contextmanager
    def stage(self, name: str, total: int) -> Iterator[BarStage | LineStage]:
        """A bar on a terminal, else lines."""
        if not self.has_bars:
            line = LineStage(self, name, total)
            yield line
            line.finish()
            return
        with self._live() as bars:
            task = bars.add_task(shown(name), total=total, detail="", ends_at=None)
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
                self.say_repeated()

    @contextmanager
    def _live(self) -> Iterator[Progress]:
        """The bars, on the screen while any stage is open."""
        if self._bars is None:
            self._bars = Progress(
                TextColumn("{task.description:<22}", markup=False),
                BarColumn(30),
                MofNCompleteColumn(),
                TimeElapsedColumn(),
                TextColumn("left"),
                TimeLeft(),
                TextColumn("{task.fields[detail]}", markup=False),
                console=self._console,
            )
            self._bars.start()
        bars = self._bars
        self._open_stages += 1
        try:
            yield bars
        finally:
            self._open_stages -= 1
            if not self._open_stages:
                bars.stop()
                self._bars = None
