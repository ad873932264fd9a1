"""How far the trainings under way are, seen by the progress that they report."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import fmean

from asdbench.core.progress import LabelledProgress, Progress, Stage

LEAST = 0.02  # of a training's steps, before its pace says anything


@dataclass(frozen=True)
class Pace:
    """Trainings under way: seconds that one takes as a whole and those that are behind it, on average; and how many."""

    whole_s: float
    done_s: float
    count: int


class WatchedProgress(LabelledProgress):
    """Progress that passes everything on as it is, and knows the pace of trainings.

    Components are given it, so nothing can be reached from it that they must not see.
    """

    def __init__(self, progress: Progress) -> None:
        super().__init__(progress, "")
        self._trainings: list[_WatchedStage] = []

    @contextmanager
    def stage(self, name: str, total: int) -> Iterator["_WatchedStage"]:
        """Pass on, and watch the stages of trainings."""
        with super().stage(name, total) as stage:
            watched = _WatchedStage(stage, total)
            if name.startswith("train "):
                self._trainings.append(watched)
            try:
                yield watched
            finally:
                if watched in self._trainings:
                    self._trainings.remove(watched)

    def trainings(self) -> Pace | None:
        """The pace of the trainings under way; None at their beginning."""
        trainings = list(self._trainings)  # at once: stages may end in other threads
        known = [(whole, whole * stage.share) for stage in trainings if (whole := stage.whole_s) is not None]
        if not known:
            return None
        whole_s, done_s = (fmean(seconds) for seconds in zip(*known, strict=True))
        return Pace(whole_s, done_s, len(trainings))


class _WatchedStage:
    """Counts steps and passes them on. What a resumed training has done before is in the first count."""

    def __init__(self, stage: Stage, total: int) -> None:
        self._stage = stage
        self._total = total
        self._done = 0
        self._first: tuple[float, int] | None = None

    def advance(self, steps: int = 1, detail: str = "", left_s: float | None = None) -> None:
        """Count."""
        self._stage.advance(steps, detail, left_s)
        self._done += steps
        if self._first is None:
            self._first = time.monotonic(), self._done

    @property
    def share(self) -> float:
        """Of the steps that are done."""
        return self._done / self._total

    @property
    def whole_s(self) -> float | None:
        """Seconds that all steps take at the pace so far; None before it is known."""
        if self._first is None:
            return None
        begun, before = self._first
        done = self._done - before
        return (time.monotonic() - begun) / done * self._total if done >= max(1, LEAST * self._total) else None
