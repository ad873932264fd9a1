"""How far a task under way is, seen by the progress that it reports."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from asdbench.core.progress import LabelledProgress, Progress, Stage

LEAST = 0.02  # of a training's steps, before its pace says anything


class WatchedProgress(LabelledProgress):
    """Progress of one task, which passes everything on as it is and knows how far its fits, or its run, are.

    A fit is as far as its training, or where it has none as its embedding; a run as its scores. Components are given
    this, so nothing can be reached from it that they must not see.
    """

    def __init__(self, progress: Progress) -> None:
        super().__init__(progress, "")
        self._stages: list[_WatchedStage] = []
        self._trains = False

    @contextmanager
    def stage(self, name: str, total: int) -> Iterator["_WatchedStage"]:
        """Pass on, and watch."""
        with super().stage(name, total) as stage:
            watched = _WatchedStage(stage, total)
            training = name.startswith("train ")
            if training and not self._trains:
                self._trains, self._stages = True, []
            if training or (name.startswith(("embed", "score")) and not self._trains):
                self._stages.append(watched)
            try:
                yield watched
            finally:
                watched.share = 1.0

    def left_s(self, count: int) -> float | None:
        """Seconds that the task, of so many fits or one run, takes at the pace so far; None before it is known."""
        begun = [stage for stage in list(self._stages) if stage.begun is not None]  # at once: stages open meanwhile
        gained = sum(stage.share - stage.share_before for stage in begun)
        if gained < LEAST:
            return None
        seconds = time.monotonic() - min(stage.begun for stage in begun if stage.begun is not None)
        return max(0.0, count - sum(stage.share for stage in begun)) * seconds / gained


class _WatchedStage:
    """Counts steps and passes them on. What a resumed training has done before is in the first count.

    Attributes:
        begun: when the first count came; None before.
        share: of the steps that are done.
        share_before: of them, what was done when the first count came.
    """

    def __init__(self, stage: Stage, total: int) -> None:
        self._stage = stage
        self._total = total
        self.begun: float | None = None
        self.share = self.share_before = 0.0

    def advance(self, steps: int = 1, detail: str = "", left_s: float | None = None) -> None:
        """Count."""
        self._stage.advance(steps, detail, left_s)
        self.share += steps / max(1, self._total)
        if self.begun is None:
            self.share_before, self.begun = self.share, time.monotonic()
