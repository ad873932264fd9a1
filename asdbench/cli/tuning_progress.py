"""What ``tune`` shows while it works: a line for each trial, and a bar of all of them."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any

from asdbench.cli.progress import ConsoleProgress
from asdbench.core.progress import SilentStage, Stage
from asdbench.tuning.record import StudyRecord, TrialRecord
from asdbench.tuning.study import Tuning

AT_ONCE = 8  # trials that end before the first of them is shown


class Bars:
    """Progress of trials: bars where they go again, and nothing else; notes of a run stand in its record."""

    def __init__(self, progress: ConsoleProgress) -> None:
        self._progress = progress

    def note(self, message: str) -> None:
        """Say nothing."""

    def stage(self, name: str, total: int) -> AbstractContextManager[Stage]:
        """A bar on a terminal."""
        return self._progress.stage(name, total) if self._progress.has_bars else _silent()

    overall = stage


@contextmanager
def _silent() -> Iterator[SilentStage]:
    yield SilentStage()


class TrialLines:
    """Shows what the study found, and a line for each trial as it ends.

    Args:
        tuning: the study.
        progress: of the command.
    """

    def __init__(self, tuning: Tuning, progress: ConsoleProgress) -> None:
        self._tuning = tuning
        self._progress = progress
        self._stack = ExitStack()
        self._bar: Any = None
        self._counted = 0

    def __enter__(self) -> "TrialLines":
        return self

    def __exit__(self, *error: Any) -> None:
        self._stack.__exit__(*error)

    def __call__(self, trial: TrialRecord | None, study: StudyRecord) -> None:
        """Show the trial that has just ended, or of the study at the beginning."""
        done, wanted = sum(study.counts.values()), self._tuning.trials
        if trial is None:
            self._begin(study, done, wanted)
        else:
            # Workers end trials faster than they are shown; where other commands do some as well, the count jumps.
            done = done if done - self._counted > AT_ONCE else min(self._counted + 1, done)
            self._progress.line(f"{done} of {wanted}, trial {trial.number}: {_outcome(trial)}{_best(trial, study)}")
        if self._bar is not None:
            self._bar.advance(max(0, done - self._counted), _best(None, study).strip(" ,;"))
        self._counted = max(done, self._counted)

    def _begin(self, study: StudyRecord, done: int, wanted: int) -> None:
        for note in notes(self._tuning):
            self._progress.note(note)
        names = ", ".join(study.space)
        self._progress.line(f"study {study.name} in {study.storage}, {wanted} trials over {names}")
        if done:
            self._progress.line(f"{min(done, wanted)} of them were done before{_best(None, study)}")
        if self._progress.has_bars:
            self._bar = self._stack.enter_context(self._progress.overall("trials", wanted))


def notes(tuning: Tuning) -> Iterator[str]:
    """What the user should know before the first trial."""
    endless = tuning.whole_space.endless()
    if tuning.is_grid and endless:
        yield (
            f"no end of values, so a grid leaves them as they are: {', '.join(endless)}. "
            "--space COMPONENT.PARAM=A,B,C takes one in."
        )
    if not tuning.is_grid and tuning.space.default is None:
        yield "the default configuration does not lie in the space, so no trial tells what tuning gains over it."
    if not tuning.is_admissible:
        yield (f"{tuning.machines[0]} is tuned alone: under the first-shot rule such parameters are not admissible.")


def _outcome(trial: TrialRecord) -> str:
    if trial.state == "done":
        more = "".join(f", {value:g}" for value in trial.values[1:])
        return f"{100 * trial.values[0]:.2f}{more}"
    reason = trial.reason.splitlines()[0].rstrip(".") if trial.reason else "no reason given"
    return f"given up at {reason}" if trial.state == "pruned" else f"failed, {reason}"


def _best(trial: TrialRecord | None, study: StudyRecord) -> str:
    if study.best is None:
        return ""
    if trial is not None and study.best.trial == trial.number:
        return ", the best so far"
    return f"; best {100 * study.best.score:.2f}, trial {study.best.trial}"
