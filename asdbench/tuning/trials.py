"""Do what a study lacks of its trials: ask Optuna, hand their parts to the executor, record what comes of them."""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from asdbench.core.errors import UsageError
from asdbench.core.files import require_writable
from asdbench.core.progress import Progress
from asdbench.harness.executors import Executor, Outcome
from asdbench.harness.experiment import executor_for
from asdbench.harness.record import RunRecord
from asdbench.harness.spec import RunSpec
from asdbench.tuning.best import write_best
from asdbench.tuning.files import trial_records, write_study, write_trial
from asdbench.tuning.importance import importances
from asdbench.tuning.methods import make_sampler
from asdbench.tuning.record import Part, State, StudyRecord, TrialRecord
from asdbench.tuning.report import write_study_report
from asdbench.tuning.standing import (
    PLACE,
    RECORD,
    RETRIES,
    SURPLUS,
    WORKER,
    command,
    counts,
    fixed_in,
    give_back,
    history,
    is_fresh,
    is_surplus,
    ordinal_of,
    queue_lost,
    recover,
    settled,
    worker_name,
)
from asdbench.tuning.storage import (
    BEAT_S,
    JOURNAL,
    clear_storage_errors,
    heartbeat,
    one_at_a_time,
    quiet_optuna,
)
from asdbench.tuning.study import UNIT, Tuning, Unit
from asdbench.tuning.trial import parts_of, run_seed, score_machine, value_of

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import FrozenTrial, Trial

LOOK_S = 0.5  # how often is looked at what other commands do on the same study

# A trial that has just ended (None for the state that the study was found in), and the study as it stands.
Report = Callable[[TrialRecord | None, StudyRecord], None]


def tune(tuning: Tuning, report: Report, progress: Progress, *, timeout: float | None = None) -> StudyRecord:
    """Do what the study lacks of its trials, and leave its files.

    Args:
        tuning: the study.
        report: called at the beginning and after each trial of this command.
        progress: where the work of trials is reported.
        timeout: seconds after which no trial is begun.

    Returns:
        The study with importances; best.toml and report.html are written.

    Raises:
        StorageError: the storage cannot be reached.
        AsdbenchError: what would meet every trial.
    """
    deadline = None if timeout is None else time.time() + timeout
    require_writable(tuning.folder, "--out DIR")
    with quiet_optuna(), clear_storage_errors(tuning.asked.storage):
        study = tuning.open()
        report(None, write_study(tuning, study))

        def on_end(trial: TrialRecord) -> None:
            record = write_study(tuning, study)
            if record.best is not None and record.best.trial == trial.number:
                write_best(tuning.folder, record, trial_records(study))
            report(trial, record)

        try:
            if not is_complete(tuning, study):
                tuning.configurations.require_buildable()
                with executor_for(tuning.configurations.opened, tuning.trials, progress) as executor:
                    Trials(tuning, study, executor, on_end).run(deadline)
        except BaseException:
            with suppress(Exception):  # what ended it is what matters
                write_study(tuning, study)
            raise
        record = write_study(tuning, study, importances(study))
        trials = trial_records(study)
        write_best(tuning.folder, record, trials)
        write_study_report(study, record, trials, tuning.folder)
        return record


def is_complete(tuning: Tuning, study: "Study") -> bool:
    """Whether all trials that the study is to have are settled, and nobody is at one."""
    trials = study.get_trials(deepcopy=False)
    if not all(one.state.is_finished() for one in trials):
        return False
    return len(settled(trials)) >= tuning.trials and not _missing(tuning, trials)


def _missing(tuning: Tuning, trials: "list[FrozenTrial]") -> list[dict[str, Any]]:
    """Of a grid, the combinations that no trial has."""
    if not tuning.is_grid:
        return []
    there = [fixed_in(one) for one in trials if counts(one)]
    return [combination for combination in tuning.combinations[: tuning.trials] if combination not in there]


@dataclass
class _Trial:
    """A trial under way.

    Attributes:
        trial: Optuna's.
        lost: numbers of the trials that it repeats.
        params: that it drew.
        spec: its configuration.
        units: machine types and seeds that are still to be scored on the way.
        seeds: of runs that are still to be done.
        parts: results so far, by seed and machine type.
        runs: done so far.
        deaths: of processes that were at it.
    """

    trial: "Trial"
    lost: list[int]
    units: deque[Unit]
    seeds: deque[int]
    params: dict[str, Any] = field(default_factory=dict)
    spec: RunSpec = field(default_factory=RunSpec)
    parts: dict[int, dict[str, Part]] = field(default_factory=dict)
    runs: list[RunRecord] = field(default_factory=list)
    deaths: int = 0
    started_at: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))
    started: float = field(default_factory=time.perf_counter)


class Trials:
    """Asks for trials and hands them to an executor, part by part, until the study has all of them.

    Trials are given up between machine types and seeds, where the study has a pruner. Several commands may be at one
    study; while others are at the last trials this one waits, so that a trial whose command is lost finds another.

    Args:
        tuning: the study.
        study: Optuna's.
        executor: what does the parts.
        on_end: given the record of each trial as it ends.
    """

    def __init__(
        self, tuning: Tuning, study: "Study", executor: Executor, on_end: Callable[[TrialRecord], None]
    ) -> None:
        self._tuning = tuning
        self._study = study
        self._executor = executor
        self._on_end = on_end
        self._beat = heartbeat(tuning.storage, study)
        self._under_way: dict[int, _Trial] = {}  # by number
        self._tasks: dict[int, _Trial] = {}

    def run(self, deadline: float | None) -> None:
        """Do trials until the study has all of them, or the deadline (of ``time.time``) has passed.

        Raises:
            AsdbenchError: what would meet every trial.
        """
        has_waited = False
        with command() as place, self._heartbeat():
            try:
                while True:
                    late = deadline is not None and time.time() >= deadline
                    while not late and self._executor.free and self._begin(place):
                        late = deadline is not None and time.time() >= deadline
                    if self._tasks:
                        for task, outcome in self._executor.results():
                            now = self._tasks.pop(task)
                            with self._unless_lost(now):
                                self._take(now, outcome)
                    elif late or is_complete(self._tuning, self._study):
                        return
                    else:
                        has_waited = has_waited or self._say_that_it_waits()
                        time.sleep(LOOK_S)
            except BaseException:
                with suppress(Exception):  # what ended it is what matters
                    for one in self._under_way.values():
                        with suppress(Exception):
                            give_back(self._study, one.trial)
                    queue_lost(self._study, self._tuning.space)
                raise

    def _begin(self, place: dict[str, Any]) -> bool:
        """Begin a trial; whether there was one to begin."""
        now = self._ask(place)
        if now is None:
            return False
        with self._unless_lost(now):
            if self._is_surplus(now.trial.number):
                now.trial.set_user_attr(SURPLUS, True)
                self._tell(now, "failed")
                return True
            now.params = self._tuning.space.suggest(now.trial)
            same = self._same_before(now.params)
            if same is not None:
                now.parts = same.parts
                self._end(now, "done", values=same.values, runs=same.runs)
                return True
            try:
                now.spec = self._tuning.configurations.configured(now.params, self._tuning.runs)
            except UsageError as error:
                self._end(now, "failed", str(error))
                return True
            self._submit(now)
        return True

    @contextmanager
    def _unless_lost(self, now: _Trial) -> Iterator[None]:
        """Leave a trial that another command took for lost, and does again."""
        from optuna.exceptions import UpdateFinishedTrialError

        try:
            yield
        except UpdateFinishedTrialError:
            del self._under_way[now.trial.number]

    def _ask(self, place: dict[str, Any]) -> _Trial | None:
        """A trial to begin; None where there is none to be had."""
        from optuna.trial import TrialState

        with one_at_a_time(self._tuning.asked.storage):
            recover(self._study, self._tuning.space)
            trials = self._study.get_trials(deepcopy=False)
            fresh = sum(is_fresh(one) for one in trials)
            if not any(one.state == TrialState.WAITING for one in trials):
                missing = _missing(self._tuning, trials)
                if not missing and (self._tuning.is_grid or fresh >= self._tuning.trials):
                    return None
                fixed = missing[0] if missing else self._tuning.fixed(fresh)
                if fixed is not None:
                    self._study.enqueue_trial(fixed)
            self._seed_sampler(fresh)
            trial = self._study.ask()
            if self._beat is not None:
                self._beat(trial.number)
            trial.set_user_attr(PLACE, place)
        trial.set_user_attr(WORKER, worker_name())
        trials = self._study.get_trials(deepcopy=False)
        frozen = next(one for one in trials if one.number == trial.number)
        self._seed_sampler(ordinal_of(frozen, trials))  # nothing is drawn yet; another command may have been faster
        units = deque(self._tuning.order if self._tuning.pruner != "none" else [])
        now = _Trial(trial, history(frozen), units, deque(self._tuning.seeds))
        self._under_way[trial.number] = now
        return now

    def _seed_sampler(self, ordinal: int) -> None:
        self._study.sampler = make_sampler(self._tuning.asked.sampler, self._tuning.asked.sampler_seed, ordinal)

    def _is_surplus(self, number: int) -> bool:
        """Whether a trial is one too many, because other commands took one at the same time."""
        trials = self._study.get_trials(deepcopy=False)
        own = next(one for one in trials if one.number == number)
        if is_surplus(own, trials):
            return True
        if not is_fresh(own):
            return False
        if self._tuning.is_grid:
            return fixed_in(own) not in self._tuning.combinations
        return ordinal_of(own, trials) >= self._tuning.trials

    def _submit(self, now: _Trial) -> None:
        """Hand over the next part of a trial."""
        if now.units:
            task = self._executor.submit(score_machine, now.spec, *now.units[0])
        else:
            task = self._executor.submit(run_seed, now.spec, now.seeds[0])
        self._tasks[task] = now

    def _take(self, now: _Trial, outcome: Outcome) -> None:
        """What came of a part; the trial goes on, or ends."""
        if outcome.error is not None:
            if outcome.error.concerns_all and not isinstance(outcome.error, UsageError):
                raise outcome.error
            self._end(now, "failed", str(outcome.error))
            return
        if outcome.death is not None:
            now.deaths += 1
            if outcome.process_died and now.deaths <= RETRIES:
                self._submit(now)
            else:
                self._end(now, "failed", outcome.death.strip())
            return
        if now.units:
            reason = self._scored(now, outcome.value)
            if reason is not None:
                self._end(now, "pruned", reason)
                return
        else:
            record: RunRecord = outcome.value
            now.parts[now.seeds.popleft()] = parts_of(record)
            now.runs.append(record)
        if now.units or now.seeds:
            self._submit(now)
        else:
            values = [value_of(now.runs, objective) for objective in self._tuning.asked.objectives]
            self._end(now, "done", values=values, runs=[run.run_id for run in now.runs])

    def _scored(self, now: _Trial, part: Part) -> str | None:
        """Report the score of what is known of a trial; where it is given up, at what.

        Never the default configuration, which all is set against.
        """
        machine, seed = now.units.popleft()
        now.parts.setdefault(seed, {})[machine] = part
        known = [{name: own.terms for name, own in parts.items()} for parts in now.parts.values()]
        of_dataset = self._tuning.configurations.definition.of_dataset
        score = sum(float(of_dataset(terms)) for terms in known) / len(known)
        now.trial.report(score, (len(self._tuning.order) - len(now.units)) * UNIT)
        if not now.units or now.params == self._tuning.space.default or not now.trial.should_prune():
            return None
        seeds = f" (seed {seed})" if len(self._tuning.seeds) > 1 else ""
        return f"{100 * score:.2f} after {machine}{seeds}"

    def _same_before(self, params: dict[str, Any]) -> TrialRecord | None:
        """The record of a done trial with the same parameters: its numbers would be the same."""
        from optuna.trial import TrialState

        for one in self._study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)):
            if one.params == params and RECORD in one.user_attrs:
                return TrialRecord.model_validate(one.user_attrs[RECORD])
        return None

    def _end(
        self, now: _Trial, state: State, reason: str = "", values: Sequence[float] = (), runs: Sequence[str] = ()
    ) -> None:
        """Record a trial and tell Optuna."""
        record = TrialRecord(
            study=self._tuning.name,
            number=now.trial.number,
            state=state,
            params=now.params,
            values=list(values),
            parts=now.parts,
            runs=list(runs),
            reason=reason,
            retry_of=now.lost[0] if now.lost else None,
            worker=worker_name(),
            started_at=now.started_at,
            seconds=round(time.perf_counter() - now.started, 3),
        )
        if self._tell(now, state, record):
            write_trial(self._tuning.folder, record)
            self._on_end(record)

    def _tell(self, now: _Trial, state: State, record: TrialRecord | None = None) -> bool:
        """Tell Optuna how a trial ended; False where another command took it for lost and does it again."""
        from optuna.trial import TrialState

        states = {"done": TrialState.COMPLETE, "pruned": TrialState.PRUNED, "failed": TrialState.FAIL}
        if record is not None:
            now.trial.set_user_attr(RECORD, record.model_dump(mode="json"))
        values = record.values if record is not None and record.values else None
        ended = self._study.tell(now.trial, values, state=states[state], skip_if_finished=True)
        del self._under_way[now.trial.number]
        return ended.state == states[state]

    def _say_that_it_waits(self) -> bool:
        """Say whose trials are waited for; whether there was anything to say."""
        from optuna.trial import TrialState

        others = self._study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
        if not others:
            return False
        names = ", ".join(f"{one.number} ({one.user_attrs.get(WORKER, 'unknown')})" for one in others)
        note = f"Other commands are at the last trials; waiting for {names}."
        if self._tuning.asked.storage.startswith(JOURNAL):
            note += " If one was killed on another machine, give its command again there: a journal keeps no heartbeat."
        self._tuning.progress.note(note)
        return True

    @contextmanager
    def _heartbeat(self) -> Iterator[None]:
        """Say now and then that the trials under way are alive, where the storage keeps that."""
        beat = self._beat
        if beat is None:
            yield
            return
        end = threading.Event()

        def say() -> None:
            while not end.wait(BEAT_S):
                for number in list(self._under_way):
                    with suppress(Exception):  # the next one may get through
                        beat(number)
            self._tuning.storage.remove_session()

        thread = threading.Thread(target=say, daemon=True)
        thread.start()
        try:
            yield
        finally:
            end.set()
            thread.join(BEAT_S)
