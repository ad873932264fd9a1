"""How a study stands: which of its trials count, which were lost, which is next. All of it follows from the storage.

A trial whose command was lost is tried again as a later one with its parameters, which says so in an attribute.
"""

import os
import socket
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asdbench.core.digests import digest
from asdbench.tuning.space import Space
from asdbench.tuning.storage import GRACE_S

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import FrozenTrial, Trial

RECORD = "record"  # user attributes of trials
WORKER = "worker"
PLACE = "worker_place"
SURPLUS = "surplus"
RETRY_OF = "retry_of"
LOSSES = "losses"
GIVEN_BACK = "given_back"
RETRIES = 2  # of a trial whose command was lost; a third loss is the trial's own doing


def worker_name() -> str:
    """``host:process``."""
    return f"{socket.gethostname()}:{os.getpid()}"


@contextmanager
def command() -> Iterator[dict[str, Any]]:
    """What tells this command from all others, as long as it lasts: where it runs, its process, and which call it is.

    One process may tune several times, after an error for instance.
    """
    call = uuid.uuid4().hex
    _calls.add(call)
    try:
        yield {"machine": _machine(), "pid": os.getpid(), "began": _began(os.getpid()), "call": call}
    finally:
        _calls.discard(call)


_calls: set[str] = set()  # of this process, under way


def is_gone(place: dict[str, Any]) -> bool:
    """Whether a command is surely gone; False for one on another machine."""
    if place.get("machine") != _machine():
        return False
    pid = int(place["pid"])
    if pid == os.getpid() and _began(pid) == str(place["began"]):
        return place.get("call") not in _calls
    if Path("/proc/self/stat").exists():
        return _began(pid) != str(place["began"])
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        pass
    return False


def _machine() -> str:
    """This machine since it was started; a container counts as one, because its process numbers are its own."""
    parts = [socket.gethostname()]
    with suppress(OSError):
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text().strip())
        parts.append(str(Path("/proc/self/ns/pid").readlink()))
    return digest(parts)


def _began(pid: int) -> str:
    """When a process began; empty where that cannot be said or there is none."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] == "Z" else fields[19]  # one that is dead, but not yet buried


def history(trial: "FrozenTrial") -> list[int]:
    """Numbers of the lost trials that it repeats, the first one first."""
    own = trial.user_attrs.get(RETRY_OF) or trial.system_attrs.get("retry_history", [])  # the latter of older studies
    return list(own)


def losses(trial: "FrozenTrial") -> int:
    """How many of those were lost; the others were given back by a command that was interrupted."""
    return int(trial.user_attrs.get(LOSSES, len(history(trial))))


def counts(trial: "FrozenTrial") -> bool:
    """Whether it is one of the study's: not one too many, and not ended by other software than this."""
    from optuna.trial import TrialState

    is_foreign = trial.state in (TrialState.COMPLETE, TrialState.PRUNED) and RECORD not in trial.user_attrs
    return not trial.user_attrs.get(SURPLUS) and not is_foreign


def is_fresh(trial: "FrozenTrial") -> bool:
    """Whether it counts and repeats no other."""
    return counts(trial) and not history(trial)


def ordinal_of(trial: "FrozenTrial", trials: Sequence["FrozenTrial"]) -> int:
    """Place among the trials that the study is to have; of a repeated one, that of the first try."""
    first = history(trial)[0] if history(trial) else trial.number
    return sum(is_fresh(one) and one.number < first for one in trials)


def fixed_in(trial: "FrozenTrial") -> dict[str, Any]:
    """The parameters that it was given or has drawn so far."""
    return {**trial.system_attrs.get("fixed_params", {}), **trial.params}


def has_ended(trial: "FrozenTrial") -> bool:
    """Whether it came to an end of its own: done, pruned or failed. A lost one may have left a record of its end."""
    from optuna.trial import TrialState

    if not trial.state.is_finished() or RECORD not in trial.user_attrs:
        return False
    return trial.state != TrialState.FAIL or trial.user_attrs[RECORD].get("state") == "failed"


def is_lost(trial: "FrozenTrial") -> bool:
    """Whether its command was lost, or gave it back."""
    from optuna.trial import TrialState

    return trial.state == TrialState.FAIL and not trial.user_attrs.get(SURPLUS) and not has_ended(trial)


def is_given_up(trial: "FrozenTrial") -> bool:
    """Whether it was lost once too often to be tried again."""
    return is_lost(trial) and not trial.user_attrs.get(GIVEN_BACK) and losses(trial) >= RETRIES


def settled(trials: Sequence["FrozenTrial"]) -> "list[FrozenTrial]":
    """Trials that count: those that came to an end of their own, and those that were given up."""
    repeated = {number for one in trials for number in history(one)}
    return [
        one
        for one in trials
        if (has_ended(one) or is_given_up(one)) and one.number not in repeated and not one.user_attrs.get(SURPLUS)
    ]


def is_surplus(trial: "FrozenTrial", trials: Sequence["FrozenTrial"]) -> bool:
    """Whether two commands at once queued the same, and the other's comes first."""
    given, past = trial.system_attrs.get("fixed_params", {}), history(trial)
    if not given and not past:
        return False
    return any(
        history(one) == past and (past or one.system_attrs.get("fixed_params", {}) == given)
        for one in trials
        if one.number < trial.number and not one.user_attrs.get(SURPLUS)
    )


def give_back(study: "Study", trial: "Trial") -> None:
    """End a trial under way that this command does not do any more; ``queue_lost`` queues it again."""
    from optuna.trial import TrialState

    trial.set_user_attr(GIVEN_BACK, True)
    study.tell(trial, state=TrialState.FAIL)


def recover(study: "Study", space: Space) -> None:
    """Find trials whose command is gone, and queue them again.

    At once where the command was one of this machine. Else by Optuna's heartbeat, which databases have and journals
    do not.
    """
    from optuna.storages import fail_stale_trials
    from optuna.trial import TrialState

    fail_stale_trials(study)
    for one in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        if _is_abandoned(one):
            with suppress(ValueError, LookupError, RuntimeError):  # another command was faster
                study.tell(one.number, state=TrialState.FAIL)
    queue_lost(study, space)


def queue_lost(study: "Study", space: Space) -> None:
    """Queue again, with its parameters, each trial that was lost and that no other repeats.

    One that was lost while it drew its parameters draws all of them again, by the same seed.
    """
    trials = study.get_trials(deepcopy=False)
    repeated = {number for one in trials for number in history(one)}
    for one in trials:
        if is_lost(one) and not is_given_up(one) and one.number not in repeated:
            params = fixed_in(one)
            attributes = {
                RETRY_OF: [*history(one), one.number],
                LOSSES: losses(one) + (not one.user_attrs.get(GIVEN_BACK)),
            }
            study.enqueue_trial(params if space.is_whole(params) else {}, user_attrs=attributes)


def _is_abandoned(trial: "FrozenTrial") -> bool:
    """Whether nobody does a trial that counts as running."""
    place = trial.user_attrs.get(PLACE)
    if place:
        return is_gone(place)
    begun = trial.datetime_start  # its command says within milliseconds where it is, if it is not lost then
    return begun is not None and datetime.now() - begun > timedelta(seconds=GRACE_S)
