"""Which trials of a study count, which were lost, which is next. All of it follows from the storage.

A trial whose command was lost or interrupted stays as failed, and is tried again as a later one with its parameters.
Optuna's own callback for that knows databases only, loses a trial whose finder is lost before it is queued again, and
counts an interruption as a loss.
"""

import os
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from asdbench.core.locks import BusyError, exclusive
from asdbench.tuning.space import Space
from asdbench.tuning.storage import GRACE_S
from asdbench.tuning.study import Tuning

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import FrozenTrial

RECORD = "record"  # user attributes of trials
WORKER = "worker"
LOCK = "worker_lock"
RETRY_OF = "retry_of"
INTERRUPTED = "given_back"
RETRIES = 2  # of a trial whose command or process was lost; a third loss is the trial's fault


@contextmanager
def locked(folder: Path) -> Iterator[dict[str, str]]:
    """Lock a file for as long as a command lives, by which others on this machine see whether it does."""
    path = folder.absolute() / ".commands" / f"{uuid4().hex}.lock"
    with exclusive(path):
        yield {"host": socket.gethostname(), "path": str(path)}
    path.unlink(missing_ok=True)  # not after an error: a trial may still name it
    with suppress(OSError):  # of other commands
        path.parent.rmdir()


def is_gone(lock: dict[str, str]) -> bool:
    """Whether a command of this machine has ended; False where that cannot be said."""
    path = Path(lock["path"])
    if lock["host"] != socket.gethostname() or not os.access(path, os.W_OK):
        return False
    try:
        with exclusive(path, wait=False):
            return True
    except BusyError:
        return False


def trials_of(study: "Study") -> "list[FrozenTrial]":
    """The trials that count: no surplus of older versions, and none that other software has ended."""
    from optuna.trial import TrialState

    ended = (TrialState.COMPLETE, TrialState.PRUNED)
    trials = [one for one in study.get_trials(deepcopy=False) if not one.user_attrs.get("surplus")]
    return [one for one in trials if one.state not in ended or RECORD in one.user_attrs]


def history(trial: "FrozenTrial") -> list[int]:
    """Numbers of the lost trials that it repeats, the first one first."""
    return list(trial.user_attrs.get(RETRY_OF) or trial.system_attrs.get("retry_history", []))  # of older studies


def ordinal_of(trial: "FrozenTrial", trials: Sequence["FrozenTrial"]) -> int:
    """Place among the trials that the study is to have; of a repeated one, that of the first try."""
    first = [*history(trial), trial.number][0]
    return sum(not history(one) and one.number < first for one in trials)


def params_of(trial: "FrozenTrial") -> dict[str, Any]:
    """The parameters that it was given or has drawn so far."""
    return {**trial.system_attrs.get("fixed_params", {}), **trial.params}


def has_ended(trial: "FrozenTrial") -> bool:
    """Whether it is done, pruned or failed, not lost. A lost one may have recorded its end just before."""
    from optuna.trial import TrialState

    if not trial.state.is_finished() or RECORD not in trial.user_attrs:
        return False
    return trial.state != TrialState.FAIL or trial.user_attrs[RECORD].get("state") == "failed"


def losses(trial: "FrozenTrial", trials: Sequence["FrozenTrial"]) -> int:
    """How often it was lost before; interruptions do not count."""
    before = history(trial)
    return sum(one.number in before and not one.user_attrs.get(INTERRUPTED) for one in trials)


def recover(study: "Study", space: Space) -> None:
    """Queue again, with its parameters, each trial whose command is gone.

    A command on this machine is gone at once; others are noticed by Optuna's heartbeat, which journals do not
    have. A trial that was lost while it drew its parameters draws all of them again, by the same seed.
    """
    from optuna.storages import fail_stale_trials
    from optuna.trial import TrialState

    fail_stale_trials(study)
    for one in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        if _is_abandoned(one):
            with suppress(RuntimeError):  # it has ended by itself
                study.tell(one.number, state=TrialState.FAIL, skip_if_finished=True)
    trials = trials_of(study)
    repeated = {number for one in trials for number in history(one)}
    for one in trials:
        if one.state.is_finished() and not has_ended(one) and one.number not in repeated:
            params = params_of(one)
            again = {RETRY_OF: [*history(one), one.number]}
            study.enqueue_trial(params if space.is_complete(params) else {}, user_attrs=again)


def _is_abandoned(trial: "FrozenTrial") -> bool:
    """Whether nobody does a trial that counts as running."""
    lock = trial.user_attrs.get(LOCK)
    if lock:
        return is_gone(lock)
    if "worker_place" in trial.user_attrs:  # of a command of an older version, which heartbeats alone show to be lost
        return False
    start = trial.datetime_start  # its command says within milliseconds where it is, unless it is lost then
    return start is not None and datetime.now() - start > timedelta(seconds=GRACE_S)


def missing(tuning: Tuning, trials: Sequence["FrozenTrial"]) -> list[dict[str, Any]]:
    """Of a grid, the combinations that no trial has."""
    there = [params_of(one) for one in trials]
    return [one for one in tuning.combinations[: tuning.trials] if one not in there]


def is_complete(tuning: Tuning, study: "Study") -> bool:
    """Whether all trials that the study is to have have ended, and nobody is at one."""
    trials = trials_of(study)
    if not all(one.state.is_finished() for one in trials) or sum(map(has_ended, trials)) < tuning.trials:
        return False
    return not (tuning.is_grid and missing(tuning, trials))


def next_params(tuning: Tuning, trials: Sequence["FrozenTrial"]) -> dict[str, Any] | None:
    """The parameters of the next trial that are not for the sampler to draw; None where there is none to begin.

    Those of a grid, and those of the default configuration, which comes first.
    """
    if tuning.is_grid:
        return next(iter(missing(tuning, trials)), None)
    count = sum(not history(one) for one in trials)
    if count >= tuning.trials:
        return None
    return (tuning.space.default or {}) if count == 0 else {}
