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
    """Trainings of one extractor: seconds that one takes and that are behind it, on average; and how many."""

    whole_s: float
    done_s: float
    count: int


class WatchedProgress(LabelledProgress):
    """Progress that passes everything on as it is, and knows the pace of trainings.

    Components are given it, so nothing can be reached from it that they must not see.
    """

    def __init__(self, progress: Progress) -> None:
        super().__init__(progress, "")
        self._trainings: list[tuple[str, _WatchedStage]] = []  # with the extractor's name

    @contextmanager
    def stage(self, name: str, total: int) -> Iterator["_WatchedStage"]:
        """Pass on, and watch the stages of trainings."""
        with super().stage(name, total) as stage:
            watched = _WatchedStage(stage, total)
            what, *extractor = name.split(" ")
            training = [(extractor[0], watched)] if what == "train" and extractor else []
            self._trainings += training
            try:
                yield watched
            finally:
                for one in training:
                    self._trainings.remove(one)

    def trainings(self) -> dict[str, Pace]:
        """The pace of the trainings under way, by extractor; without those that have just begun."""
        stages: dict[str, list[_WatchedStage]] = {}
        for extractor, stage in list(self._trainings):  # at once: stages may end in other threads
            stages.setdefault(extractor, []).append(stage)
        paces = {}
        for extractor, alike in stages.items():
            known = [(whole, whole * stage.share) for stage in alike if (whole := stage.whole_s) is not None]
            if known:
                whole_s, done_s = (fmean(seconds) for seconds in zip(*known, strict=True))
                paces[extractor] = Pace(whole_s, done_s, len(alike))
        return paces


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
