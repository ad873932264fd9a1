"""What a worker does: takes trials and does them, until the study has all that were asked for."""

import os
import time
import traceback
from collections.abc import Callable
from copy import copy
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from asdbench.core.errors import AsdbenchError, UsageError
from asdbench.core.progress import Progress
from asdbench.harness.failures import Abandoned
from asdbench.tuning.claims import RECORD, Claims, hand_back, heartbeat, history, worker_name
from asdbench.tuning.conduct import UNIT, Conducted, Conductor
from asdbench.tuning.files import write_trial
from asdbench.tuning.methods import make_sampler
from asdbench.tuning.record import State, TrialRecord
from asdbench.tuning.study import Tuning

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import FrozenTrial

LOOK_S = 0.5  # how often a worker with nothing to do looks whether there is something again


@dataclass
class Worker:
    """One worker of a study.

    Args:
        tuning: the study.
        study: opened by this process.
        progress: where the work of a trial is reported.
        tell: given the record of each trial as it ends.
        jobs: threads for decoding.
    """

    tuning: Tuning
    study: "Study"
    progress: Progress
    tell: Callable[[TrialRecord], None]
    jobs: int | None = None

    def work(self, deadline: float | None = None) -> None:
        """Do trials until the study has all of them, or the deadline (of ``time.time``) has passed.

        While other workers are at the last ones this one waits, so that a trial whose worker is lost finds another.

        Raises:
            AsdbenchError: what would meet every trial: bad recordings, a full disk.
        """
        claims = Claims(self.study, self.tuning.trials)
        if not claims.complete:
            self.tuning.bench.require_buildable()
        while deadline is None or time.time() < deadline:
            taken = claims.take()
            if taken is not None:
                record = self._do(*taken)
                if record is not None:
                    self.tell(record)
            elif claims.complete:
                return
            else:
                time.sleep(LOOK_S)

    def _do(self, frozen: "FrozenTrial", ordinal: int) -> TrialRecord | None:
        """One trial; None where another worker has taken it over meanwhile."""
        import optuna
        from optuna.exceptions import UpdateFinishedTrialError

        self.study.sampler = make_sampler(self.tuning.asked.sampler, self.tuning.asked.sampler_seed, ordinal)
        fixed = self.tuning.fixed(ordinal)
        try:
            with heartbeat(self.study, frozen):
                if fixed is not None:
                    self.study._storage.set_trial_system_attr(frozen._trial_id, "fixed_params", fixed)
                trial = optuna.trial.Trial(self.study, frozen._trial_id)
                record = _Attempt(self.tuning, frozen, trial).conduct(self.progress, self.jobs)
                trial.set_user_attr(RECORD, record.model_dump(mode="json"))
                if self.study._storage.get_trial(frozen._trial_id).state == optuna.trial.TrialState.WAITING:
                    raise UpdateFinishedTrialError  # handed back; tell() would refuse it by a ValueError
                self.study.tell(trial, record.values or None, _STATES[record.state](optuna.trial.TrialState))
        except UpdateFinishedTrialError:
            self.progress.note(f"Trial {frozen.number} was taken over by another worker while this one said nothing.")
            return None
        except BaseException:
            hand_back(self.study, frozen._trial_id)
            raise
        write_trial(self.tuning.folder, record)
        return record


_STATES: dict[State, Callable[[Any], Any]] = {
    "done": lambda states: states.COMPLETE,
    "pruned": lambda states: states.PRUNED,
    "failed": lambda states: states.FAIL,
}


class _Attempt:
    """One trial under way."""

    def __init__(self, tuning: Tuning, frozen: "FrozenTrial", trial: Any) -> None:
        self._tuning = tuning
        self._frozen = frozen
        self._trial = trial
        self._params: dict[str, Any] = {}
        self._done = Conducted()
        self._told: dict[int, float] = {}
        self._started_at = datetime.now(UTC).isoformat(timespec="seconds")
        self._started = time.perf_counter()

    def conduct(self, progress: Progress, jobs: int | None) -> TrialRecord:
        """Its record, whatever comes of it."""
        try:
            self._params = self._tuning.space.suggest(self._trial)
            before = self._same_before()
            if before is not None:
                return before
            plan = self._tuning.bench.plan(self._params, self._tuning.runs)
            tell = None if self._tuning.pruner == "none" else self._tell
            conductor = Conductor(plan, self._tuning.order, progress, tell, self._tuning.within, jobs)
            self._done = conductor.done
            conductor.run()
        except Abandoned as reason:
            return self._record("pruned", str(reason))
        except AsdbenchError as error:
            if error.concerns_all and not isinstance(error, UsageError):
                raise
            return self._record("failed", str(error))
        except (Exception, SystemExit) as error:
            if _of_the_storage(error):
                raise
            last = traceback.extract_tb(error.__traceback__)[-1]
            return self._record("failed", f"{type(error).__name__}: {error} ({last.filename}, line {last.lineno})")
        return self._record("done", values=self._done.values(list(self._tuning.asked.objectives)))

    def _tell(self, step: int, value: float) -> None:
        self._trial.report(value, step)
        self._told[step] = value
        last = len(self._tuning.order) * UNIT  # all is scored by then, so giving up saves nothing
        if step < last and self._should_prune():
            unit, within = divmod(step, UNIT)
            machine, seed = self._tuning.order[unit if within else unit - 1]
            place = f"{within / 10:.0f} % into the training for" if within else "after"
            seeds = f" (seed {seed})" if len(self._tuning.seeds) > 1 else ""
            raise Abandoned(f"{100 * value:.2f} {place} {machine}{seeds}")

    def _should_prune(self) -> bool:
        """Whether the pruner gives it up, by what this attempt has told; never the default, which all is set against.

        A trial that was handed back still holds what its former worker told, of later steps too.
        """
        if self._params == self._tuning.space.default:
            return False
        study = self._trial.study
        as_told = copy(study._storage.get_trial(self._trial._trial_id))
        as_told.intermediate_values = dict(self._told)
        return bool(study.pruner.prune(study, as_told))

    def _same_before(self) -> TrialRecord | None:
        """The record of this trial, where a done one had the same parameters: its numbers would be the same."""
        from optuna.trial import TrialState

        study = self._trial.study
        for one in study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)):
            if one.params == self._params and RECORD in one.user_attrs:
                known = TrialRecord.model_validate(one.user_attrs[RECORD])
                if len(self._tuning.asked.objectives) == 1:
                    for step, value in one.intermediate_values.items():
                        self._trial.report(value, step)
                return self._record("done", values=known.values).model_copy(
                    update={"parts": known.parts, "runs": known.runs}
                )
        return None

    def _record(self, state: State, reason: str = "", values: list[float] | None = None) -> TrialRecord:
        lost = history(self._frozen)
        return TrialRecord(
            study=self._tuning.name,
            number=self._frozen.number,
            state=state,
            params=self._params,
            values=values or [],
            parts=self._done.parts,
            runs=[run.run_id for run in self._done.runs] if state == "done" else [],
            reason=reason,
            retry_of=lost[0] if lost else None,
            worker=worker_name(os.getpid()),
            started_at=self._started_at,
            seconds=round(time.perf_counter() - self._started, 3),
        )


def _of_the_storage(error: BaseException) -> bool:
    from optuna.exceptions import OptunaError
    from sqlalchemy.exc import SQLAlchemyError

    return isinstance(error, OptunaError | SQLAlchemyError)
