"""Workers of a Ray cluster on one study. What is lost with a node is put back at once, and another worker does it."""

import os
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asdbench.core.errors import AsdbenchError, UsageError
from asdbench.core.progress import Progress
from asdbench.harness.child import Relay
from asdbench.harness.cluster.calls import Call, LostError, call, listen
from asdbench.harness.cluster.crew import cancel_all, environment_of, fit_request
from asdbench.harness.cluster.joining import joined
from asdbench.harness.cluster.nodes import require_alike, slots
from asdbench.harness.cluster.places import Places, shown
from asdbench.harness.cluster.remote import require_places
from asdbench.tuning.claims import PLACE, Claims, hand_back, place_of, put_back
from asdbench.tuning.crew import FUTILE, do_trials
from asdbench.tuning.record import TrialRecord
from asdbench.tuning.storage import JOURNAL
from asdbench.tuning.study import TuneSpec, Tuning

if TYPE_CHECKING:
    from optuna import Study

LOOK_S = 1.0


def work_on_ray(
    tuning: Tuning,
    study: "Study",
    progress: Progress,
    tell: Callable[[TrialRecord], None],
    deadline: float | None,
) -> None:
    """Let workers of a cluster do trials until the study has all of them.

    Args:
        tuning: the study.
        study: opened by this process.
        progress: where stages of the workers are shown; what concerns the cluster goes to the study's own.
        tell: given the record of each trial as it ends.
        deadline: of ``time.time``, after which no trial is begun.

    Raises:
        UsageError: they are to share no folder.
        RequirementError: the cluster cannot be joined, or a node cannot do trials.
        AsdbenchError: what would meet every trial, or workers that are lost whatever they do.
    """
    if tuning.asked.run.artifacts is not None:
        raise UsageError(
            "--artifacts is for asdbench run: workers of a study share a folder, ASDBENCH_CACHE=DIR and --out DIR."
        )
    if Claims(study, tuning.trials).complete:
        return
    with ExitStack() as stack:
        stack.enter_context(joined(tuning.progress))
        crew = stack.enter_context(_Crew(tuning, study, progress, deadline))
        crew.run(tell)


@dataclass
class _Worker:
    """One of them, and the process that it is."""

    relay: Relay
    place: dict[str, Any] | None = None


class _Crew:
    """The workers. Leaving it stops them."""

    def __init__(self, tuning: Tuning, study: "Study", progress: Progress, deadline: float | None) -> None:
        self._tuning = tuning
        self._study = study
        self._progress = progress
        self._deadline = deadline
        self._stack = ExitStack()
        self._at_work: dict[Call, _Worker] = {}
        plan = tuning.bench.opened
        # Workers are told what was settled here: they are no command of their own that would look for a cluster.
        own = {"engine": "local", "jobs": 1, "device": plan.device}
        self._asked: TuneSpec = replace(tuning.asked, run=tuning.asked.run.model_copy(update=own))
        self._request, self._env = fit_request(plan), environment_of(plan)

    def __enter__(self) -> "_Crew":
        with ExitStack() as stack:
            self._places: Places = stack.enter_context(shown(self._tuning.bench.opened, *_files(self._tuning)))
            require_alike(self._request, self._places, self._env, self._tuning.progress)
            self._stack = stack.pop_all()
        wanted = self._tuning.asked.run.jobs or max(1, slots(self._request))
        for _ in range(min(wanted, self._tuning.trials)):
            self._start()
        return self

    def __exit__(self, *_: object) -> None:
        with self._stack:
            cancel_all(self._at_work)
            for worker in self._at_work.values():
                worker.relay.close()
                self._free(worker, lambda trial: hand_back(self._study, trial._trial_id))
            self._at_work = {}

    def run(self, tell: Callable[[TrialRecord], None]) -> None:
        """Listen until all workers have left."""
        futile = 0
        while self._at_work:
            for one in listen(self._at_work, LOOK_S):
                worker = self._at_work[one]
                try:
                    messages = one.hear()
                except LostError as error:
                    self._lose(one)
                    futile += 1
                    self._go_on(f"A worker was lost: {error}; another one does its trial.", str(error), futile)
                    continue
                if messages is None:
                    self._at_work.pop(one).relay.close()
                for kind, *content in messages or ():
                    if kind == "place":
                        (worker.place,) = content
                    elif kind == "trial":
                        futile = 0
                        tell(TrialRecord.model_validate(content[0]))
                    elif kind == "error":
                        raise content[0]
                    elif kind == "died":
                        futile += 1
                        self._go_on(f"A worker broke off: {content[0].splitlines()[-1]}", content[0], futile)
                    elif kind != "left":
                        worker.relay.take(kind, *content)

    def _start(self) -> None:
        args = (self._places, self._asked, self._request.cpus, self._deadline)
        one = call(_work, *args, request=self._request, env=self._env, name="tune")
        self._at_work[one] = _Worker(Relay(self._progress))

    def _go_on(self, told: str, cause: str, futile: int) -> None:
        """Start another worker in place of one that is gone."""
        if futile > FUTILE:
            raise AsdbenchError(
                f"Workers are lost without ending a trial: {cause}\n"
                "Finished trials are kept. The same command goes on; --engine local shows more of the cause."
            )
        self._tuning.progress.note(told)
        self._start()

    def _lose(self, one: Call) -> None:
        """Put back what a lost worker was at."""
        worker = self._at_work.pop(one)
        worker.relay.close()
        self._free(worker, lambda trial: put_back(self._study, trial))

    def _free(self, worker: _Worker, let_go: Callable[[Any], Any]) -> None:
        for trial in Claims(self._study, self._tuning.trials).running():
            if worker.place is not None and trial.user_attrs.get(PLACE) == worker.place:
                let_go(trial)


def _files(tuning: Tuning) -> list[tuple[str, str]]:
    """The study's file, where it is kept in one."""
    uri = tuning.asked.storage
    if uri.startswith("sqlite"):
        return [("the study (--storage)", str(Path(uri.partition(":///")[2].partition("?")[0]).absolute()))]
    if uri.startswith(JOURNAL):
        return [("the study (--storage)", str(Path(uri.removeprefix(JOURNAL).removeprefix("//")).absolute()))]
    return []


def _work(line: Any, places: Places, asked: TuneSpec, cores: int, deadline: float | None) -> None:
    """What a process of a node does."""
    require_places(places)
    line.send(("place", place_of(os.getpid())))
    do_trials(line, asked, cores, deadline)
