"""The trials of a study: ask Optuna, hand machine types and runs to the executor, report the results to Optuna."""

import os
import socket
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from asdbench.core.errors import UsageError
from asdbench.core.progress import Progress
from asdbench.harness.executors import Executor, Outcome
from asdbench.harness.record import RunRecord
from asdbench.harness.spec import RunSpec
from asdbench.tuning import queue
from asdbench.tuning.files import write_study
from asdbench.tuning.record import MachineScore, State, StudyRecord, TrialRecord
from asdbench.tuning.spec import make_sampler
from asdbench.tuning.storage import JOURNAL, heartbeat, one_at_a_time, say_alive
from asdbench.tuning.study import UNIT, Tuning
from asdbench.tuning.tasks import evaluate_machine, run_seed, scores_of, value_of

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import Trial

LOOK_S = 0.5  # how often is looked at what other commands do on the same study

# A trial that has just ended (None at the beginning), and the study as it stands.
Report = Callable[[TrialRecord | None, StudyRecord], None]


@dataclass
class _Running:
    """A trial under way."""

    trial: "Trial"  # Optuna's
    retry_of: int | None  # number of the first of the lost trials that it repeats
    losses: int  # of its commands, and of processes that were at it
    # Functions and arguments of what is still to be done: with a pruner every machine type with every seed is scored,
    # then the runs of all seeds follow
    tasks: deque[tuple[Any, ...]]
    params: dict[str, Any] = field(default_factory=dict)  # that it drew
    spec: RunSpec = field(default_factory=RunSpec)  # its configuration
    scores: dict[int, dict[str, MachineScore]] = field(default_factory=dict)  # so far, by seed and machine type
    runs: list[RunRecord] = field(default_factory=list)  # done so far
    started_at: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))
    started: float = field(default_factory=time.perf_counter)


class Trials:
    """Asks for trials and hands them to an executor, task by task, until the study has all of them.

    Trials are given up between machine types and seeds, where the study has a pruner. Several commands may be at one
    study; while others are at the last trials this one waits, so that a trial whose command is lost is done here.

    Args:
        tuning: the study.
        study: Optuna's.
        storage: Optuna's.
        executor: what does the tasks.
        progress: where they report.
        report: called after each trial.
        lock: of this command, see ``queue.locked``.
    """

    def __init__(
        self,
        tuning: Tuning,
        study: "Study",
        storage: Any,
        executor: Executor,
        progress: Progress,
        report: Report,
        lock: dict[str, str],
    ) -> None:
        self._tuning = tuning
        self._study = study
        self._storage = storage
        self._executor = executor
        self._progress = progress
        self._report = report
        self._lock = lock
        self._worker = f"{socket.gethostname()}:{os.getpid()}"
        self._running: dict[int, _Running] = {}  # by number of the trial
        self._tasks: dict[int, _Running] = {}  # by number of the task

    def run(self, deadline: float) -> None:
        """Do trials until the study has all of them, or the deadline (of ``time.time``) has passed.

        Raises:
            AsdbenchError: what would fail every trial.
        """
        has_waited = False
        try:
            with heartbeat(self._storage, self._tuning.name, self._running):
                while True:
                    while time.time() < deadline and self._executor.free and self._begin():
                        pass
                    if self._tasks:
                        for task, outcome in self._executor.results():
                            running = self._tasks.pop(task)
                            with self._unless_lost(running):
                                self._take(running, outcome)
                    elif time.time() >= deadline or queue.is_complete(self._tuning, self._study):
                        return
                    else:
                        has_waited = has_waited or self._say_that_it_waits()
                        time.sleep(LOOK_S)
        except BaseException:
            for one in self._running.values():
                with suppress(Exception):  # what ended it is what matters
                    self._interrupt(one)
            raise

    def _begin(self) -> bool:
        """Begin a trial; whether there was one to begin."""
        running = self._ask()
        if running is None:
            return False
        with self._unless_lost(running):
            running.params = self._tuning.space.suggest(running.trial)
            same = self._done_before(running.params)
            if running.losses > queue.RETRIES:
                reason = f"its process was lost in all {running.losses} tries; most likely for want of memory"
                self._end(running, "failed", reason)
            elif same is not None:
                running.scores = same.parts
                self._end(running, "done", values=same.values, runs=same.runs)
            else:
                try:
                    running.spec = self._tuning.configured(running.params)
                except UsageError as error:
                    self._end(running, "failed", str(error))
                else:
                    self._submit(running)
        return True

    def _ask(self) -> _Running | None:
        """A trial to begin; None where there is none."""
        from optuna.trial import TrialState

        tuning = self._tuning
        with one_at_a_time(tuning.asked.storage, self._storage):
            queue.recover(self._study, tuning.space)
            trials = queue.trials_of(self._study)
            waiting = next((one for one in trials if one.state == TrialState.WAITING), None)
            if waiting is None:
                params = queue.next_params(tuning, trials)
                if params is None:
                    return None
                self._study.enqueue_trial(params)
                trials = queue.trials_of(self._study)
                waiting = trials[-1]
            ordinal = queue.ordinal_of(waiting, trials)
            self._study.sampler = make_sampler(tuning.asked.sampler, tuning.asked.sampler_seed, ordinal)
            trial = self._study.ask()
            say_alive(self._storage, tuning.name, trial.number)
            trial.set_user_attr(queue.LOCK, self._lock)
        trial.set_user_attr(queue.WORKER, self._worker)
        tasks: list[tuple[Any, ...]] = [(run_seed, seed) for seed in tuning.seeds]
        if tuning.pruner != "none":
            tasks = [(evaluate_machine, machine, seed) for machine, seed in tuning.units] + tasks
        retry_of = next(iter(queue.history(waiting)), None)
        running = _Running(trial, retry_of, queue.losses(waiting, trials), deque(tasks))
        self._running[trial.number] = running
        return running

    @contextmanager
    def _unless_lost(self, running: _Running) -> Iterator[None]:
        """Leave a trial that another command took for lost, and does again."""
        from optuna.exceptions import UpdateFinishedTrialError

        try:
            yield
        except UpdateFinishedTrialError:
            del self._running[running.trial.number]

    def _submit(self, running: _Running) -> None:
        """Hand over the next task of a trial."""
        function, *args = running.tasks[0]
        self._tasks[self._executor.submit(function, running.spec, *args, progress=self._progress)] = running

    def _take(self, running: _Running, outcome: Outcome) -> None:
        """Take the outcome of a task; the trial goes on, or ends."""
        if outcome.error is not None and outcome.error.concerns_all and not isinstance(outcome.error, UsageError):
            raise outcome.error
        running.losses += outcome.process_died
        if outcome.process_died and running.losses <= queue.RETRIES:
            self._submit(running)
        elif outcome.error is not None or outcome.death is not None:
            self._end(running, "failed", str(outcome.error or outcome.death).strip())
        else:
            reason = self._reason_to_prune(running, outcome.value)
            if reason is not None:
                self._end(running, "pruned", reason)
            elif running.tasks:
                self._submit(running)
            else:
                values = [value_of(running.runs, objective) for objective in self._tuning.asked.objectives]
                self._end(running, "done", values=values, runs=[run.run_id for run in running.runs])

    def _reason_to_prune(self, running: _Running, result: MachineScore | RunRecord) -> str | None:
        """Note the result of a task, and report the score until then; why the trial is given up, or None.

        The default configuration never is, because all others are compared with it.
        """
        tuning = self._tuning
        _, *args = running.tasks.popleft()
        if isinstance(result, RunRecord):
            running.scores[args[0]] = scores_of(result)
            running.runs.append(result)
            return None
        machine, seed = args
        running.scores.setdefault(seed, {})[machine] = result
        terms = [{name: one.terms for name, one in scores.items()} for scores in running.scores.values()]
        mean = sum(float(tuning.definition.of_dataset(one)) for one in terms) / len(terms)
        units = sum(map(len, terms))
        running.trial.report(mean, units * UNIT)
        is_last = units == len(tuning.units)
        if is_last or running.params == tuning.space.default or not running.trial.should_prune():
            return None
        return f"{100 * mean:.2f} after {machine}{f' (seed {seed})' if len(tuning.seeds) > 1 else ''}"

    def _done_before(self, params: dict[str, Any]) -> TrialRecord | None:
        """The record of a done trial with the same parameters: its numbers would be the same."""
        from optuna.trial import TrialState

        for one in self._study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)):
            if one.params == params and queue.RECORD in one.user_attrs:
                return TrialRecord.model_validate(one.user_attrs[queue.RECORD])
        return None

    def _end(
        self, running: _Running, state: State, reason: str = "", values: Sequence[float] = (), runs: Sequence[str] = ()
    ) -> None:
        """Record the end of a trial, unless another command took it for lost and does it again."""
        from optuna.trial import TrialState

        states = {"done": TrialState.COMPLETE, "pruned": TrialState.PRUNED, "failed": TrialState.FAIL}
        record = TrialRecord(
            study=self._tuning.name,
            number=running.trial.number,
            state=state,
            params=running.params,
            values=list(values),
            parts=running.scores,
            runs=list(runs),
            reason=reason,
            retry_of=running.retry_of,
            worker=self._worker,
            started_at=running.started_at,
            seconds=round(time.perf_counter() - running.started, 3),
        )
        running.trial.set_user_attr(queue.RECORD, record.model_dump(mode="json"))
        ended = self._study.tell(running.trial, record.values or None, state=states[state], skip_if_finished=True)
        del self._running[running.trial.number]
        if ended.state == states[state]:
            self._report(record, write_study(self._tuning, self._study))

    def _interrupt(self, running: _Running) -> None:
        """End a trial that this command does not do any more; the next one queues it again."""
        from optuna.trial import TrialState

        running.trial.set_user_attr(queue.INTERRUPTED, True)
        self._study.tell(running.trial, state=TrialState.FAIL)

    def _say_that_it_waits(self) -> bool:
        """Say whose trials are waited for; whether there was anything to say."""
        from optuna.trial import TrialState

        others = self._study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
        if not others:
            return False
        names = ", ".join(f"{one.number} ({one.user_attrs.get(queue.WORKER, 'unknown')})" for one in others)
        note = f"Other commands are at the last trials; waiting for {names}."
        if self._tuning.asked.storage.startswith(JOURNAL):
            note += " If one was killed on another machine, give its command again there: a journal keeps no heartbeat."
        self._tuning.progress.note(note)
        return True
