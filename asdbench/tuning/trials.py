"""Do what a study lacks of its trials: ask Optuna, hand the parts of trials to the executor, tell what came of them."""

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
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
    fixed_in,
    give_back,
    history,
    is_fresh,
    place_of,
    recover,
    settled,
    worker_name,
)
from asdbench.tuning.storage import BEAT_S, clear_storage_errors, quiet_optuna
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

        def tell(trial: TrialRecord) -> None:
            record = write_study(tuning, study)
            if record.best is not None and record.best.trial == trial.number:
                write_best(tuning.folder, record, trial_records(study))
            report(trial, record)

        try:
            if not is_complete(tuning, study):
                tuning.configurations.require_buildable()
                with executor_for(tuning.configurations.opened, tuning.trials, progress) as executor:
                    Trials(tuning, study, executor, tell).run(deadline)
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
    there = [fixed_in(one) for one in trials]
    return [combination for combination in tuning.combinations[: tuning.trials] if combination not in there]


@dataclass
class _Trial:
    """A trial under way.

    Attributes:
        trial: Optuna's.
        params: that it drew.
        spec: its configuration.
        units: machine types and seeds that are still to be scored on the way.
        seeds: of runs that are still to be done.
    """

    trial: "Trial"
    params: dict[str, Any]
    spec: RunSpec
    units: deque[Unit]
    seeds: deque[int]
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
        tell: given the record of each trial as it ends.
    """

    def __init__(self, tuning: Tuning, study: "Study", executor: Executor, tell: Callable[[TrialRecord], None]) -> None:
        self._tuning = tuning
        self._study = study
        self._executor = executor
        self._tell = tell
        self._under_way: dict[int, _Trial] = {}

    def run(self, deadline: float | None) -> None:
        """Do trials until the study has all of them, or the deadline (of ``time.time``) has passed.

        Raises:
            AsdbenchError: what would meet every trial.
        """
        try:
            with self._heartbeat():
                while True:
                    late = deadline is not None and time.time() >= deadline
                    while not late and self._executor.free and self._begin():
                        pass
                    if self._under_way:
                        for number, outcome in self._executor.results():
                            self._take(number, outcome)
                    elif late or is_complete(self._tuning, self._study):
                        return
                    else:
                        time.sleep(LOOK_S)
        except BaseException:
            for one in self._under_way.values():
                with suppress(Exception):  # what ended it is what matters
                    give_back(self._study, one.trial.number)
            raise

    def _begin(self) -> bool:
        """Begin a trial; whether there was one to begin."""
        trial = self._ask()
        if trial is None:
            return False
        params = self._tuning.space.suggest(trial)
        units = deque(self._tuning.order if self._tuning.pruner != "none" else [])
        now = _Trial(trial, params, RunSpec(), units, deque(self._tuning.seeds))
        if self._tuning.is_grid and params not in self._tuning.combinations:  # another command took the last one
            self._drop(trial)
            return True
        same = self._same_before(params)
        if same is not None:
            self._end(now, "done", values=same.values, same=same)
            return True
        try:
            now.spec = self._tuning.configurations.configured(params, self._tuning.runs)
        except UsageError as error:
            self._end(now, "failed", str(error))
            return True
        self._submit(now)
        return True

    def _ask(self) -> "Trial | None":
        """A trial to begin; None where there is none to be had."""
        from optuna.trial import TrialState

        recover(self._study)
        trials = self._study.get_trials(deepcopy=False)
        fresh = sum(is_fresh(one) for one in trials)
        if not any(one.state == TrialState.WAITING for one in trials):
            missing = _missing(self._tuning, trials)
            if not missing and (self._tuning.is_grid or fresh >= self._tuning.trials):
                return None
            fixed = missing[0] if missing else self._tuning.fixed(fresh)
            if fixed is not None:
                self._study.enqueue_trial(fixed)
        self._study.sampler = make_sampler(self._tuning.asked.sampler, self._tuning.asked.sampler_seed, fresh)
        trial = self._study.ask()
        trial.set_user_attr(PLACE, place_of(os.getpid()))
        trial.set_user_attr(WORKER, worker_name())
        trials = self._study.get_trials(deepcopy=False)
        own = next(one for one in trials if one.number == trial.number)
        ordinal = sum(is_fresh(one) and one.number < own.number for one in trials)
        if is_fresh(own) and ordinal >= self._tuning.trials and not self._tuning.is_grid:  # another was faster
            self._drop(trial)
            return None
        return trial

    def _drop(self, trial: "Trial") -> None:
        """End a trial that is one too many."""
        from optuna.trial import TrialState

        trial.set_user_attr(SURPLUS, True)
        self._study.tell(trial, state=TrialState.FAIL)

    def _submit(self, now: _Trial) -> None:
        """Hand over the next part of a trial."""
        if now.units:
            machine, seed = now.units[0]
            number = self._executor.submit(score_machine, now.spec, machine, seed)
        else:
            number = self._executor.submit(run_seed, now.spec, now.seeds[0])
        self._under_way[number] = now

    def _take(self, number: int, outcome: Outcome) -> None:
        """What came of a part; the trial goes on, or ends."""
        now = self._under_way.pop(number)
        if outcome.error is not None:
            if outcome.error.concerns_all and not isinstance(outcome.error, UsageError):
                self._under_way[number] = now  # so that it is given back
                raise outcome.error
            self._end(now, "failed", str(outcome.error))
            return
        if outcome.death is not None:
            now.deaths += 1
            if outcome.death.startswith("its process") and now.deaths <= RETRIES:
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
            self._end(now, "done", values=[value_of(now.runs, one) for one in self._tuning.asked.objectives])

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
        self,
        now: _Trial,
        state: State,
        reason: str = "",
        values: list[float] | None = None,
        same: TrialRecord | None = None,
    ) -> None:
        """Record a trial and tell Optuna."""
        from optuna.exceptions import UpdateFinishedTrialError
        from optuna.trial import TrialState

        frozen = next(one for one in self._study.get_trials(deepcopy=False) if one.number == now.trial.number)
        lost = history(frozen)
        record = TrialRecord(
            study=self._tuning.name,
            number=now.trial.number,
            state=state,
            params=now.params,
            values=values or [],
            parts=same.parts if same else now.parts,
            runs=same.runs if same else [run.run_id for run in now.runs] if state == "done" else [],
            reason=reason,
            retry_of=lost[0] if lost else None,
            worker=worker_name(),
            started_at=now.started_at,
            seconds=round(time.perf_counter() - now.started, 3),
        )
        states = {"done": TrialState.COMPLETE, "pruned": TrialState.PRUNED, "failed": TrialState.FAIL}
        try:
            now.trial.set_user_attr(RECORD, record.model_dump(mode="json"))
            self._study.tell(now.trial, record.values or None, state=states[state])
        except (UpdateFinishedTrialError, ValueError):  # taken for lost; another command does it again
            return
        write_trial(self._tuning.folder, record)
        self._tell(record)

    @contextmanager
    def _heartbeat(self) -> Iterator[None]:
        """Say now and then that the trials under way are alive, where the storage keeps that."""
        beat = getattr(self._tuning.storage, "record_heartbeat", None)
        if beat is None:
            yield
            return
        end = threading.Event()

        def say() -> None:
            while not end.wait(BEAT_S / 5):
                for one in list(self._under_way.values()):
                    with suppress(Exception):  # the next one may get through
                        beat(one.trial._trial_id)
            self._tuning.storage.remove_session()

        thread = threading.Thread(target=say, daemon=True)
        thread.start()
        try:
            yield
        finally:
            end.set()
            thread.join(BEAT_S)
