"""How far the trainings under way are, seen by the progress that they report."""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from statistics import fmean

from asdbench.core.progress import Progress, Stage

TICK_EVERY_S = 1.0
LEAST = 0.02  # of a training's steps, before its pace says anything


class WatchedProgress:
    """Progress that passes everything on, and knows the pace of trainings.

    Attributes:
        tick: called about once a second while anything moves.
    """

    def __init__(self, progress: Progress, tick: Callable[[], None] = lambda: None) -> None:
        self._progress = progress
        self.tick = tick
        self._ticked = time.monotonic()
        self._trainings: list[_WatchedStage] = []

    def note(self, message: str) -> None:
        """Pass on."""
        self._progress.note(message)

    def overall(self, name: str, total: int) -> AbstractContextManager[Stage]:
        """Pass on."""
        return self._progress.overall(name, total)

    @contextmanager
    def stage(self, name: str, total: int) -> Iterator["_WatchedStage"]:
        """Pass on, and watch the stages of trainings."""
        with self._progress.stage(name, total) as stage:
            watched = _WatchedStage(stage, total, self._moved)
            if name.startswith("train "):
                self._trainings.append(watched)
            try:
                yield watched
            finally:
                if watched in self._trainings:
                    self._trainings.remove(watched)

    def training_s(self) -> tuple[float, int] | None:
        """Seconds that a training under way takes as a whole, on average, and how many are; None at their beginning."""
        trainings = list(self._trainings)  # at once: stages may end in other threads
        known = [whole for stage in trainings if (whole := stage.whole_s) is not None]
        return (fmean(known), len(trainings)) if known else None

    def _moved(self) -> None:
        if time.monotonic() - self._ticked >= TICK_EVERY_S:
            self._ticked = time.monotonic()
            self.tick()


class _WatchedStage:
    """Counts steps and passes them on. What a resumed training has done before is in the first count."""

    def __init__(self, stage: Stage, total: int, moved: Callable[[], None]) -> None:
        self._stage = stage
        self._total = total
        self._moved = moved
        self._done = 0
        self._first: tuple[float, int] | None = None

    def advance(self, steps: int = 1, detail: str = "", left_s: float | None = None) -> None:
        """Count."""
        self._stage.advance(steps, detail, left_s)
        self._done += steps
        if self._first is None:
            self._first = time.monotonic(), self._done
        self._moved()

    @property
    def whole_s(self) -> float | None:
        """Seconds that all steps take at the pace so far; None before it is known."""
        if self._first is None:
            return None
        begun, before = self._first
        done = self._done - before
        return (time.monotonic() - begun) / done * self._total if done >= max(1, LEAST * self._total) else None
