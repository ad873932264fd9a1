"""How a study stands: which of its trials count, which were lost, which is next. All of it follows from the storage.

A trial whose process was lost is tried again as a later one with its parameters, which says so in an attribute.
"""

import os
import socket
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asdbench.core.digests import digest

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import FrozenTrial

RECORD = "record"  # user attributes of trials
WORKER = "worker"
PLACE = "worker_place"
SURPLUS = "surplus"
RETRY_OF = "retry_of"
RETRIES = 2  # of a trial whose process was lost; a third loss is the trial's own doing


def worker_name() -> str:
    """``host:process``."""
    return f"{socket.gethostname()}:{os.getpid()}"


def place_of(pid: int) -> dict[str, Any]:
    """What tells a process from all others: where it runs, its number, and when it began."""
    return {"machine": _machine(), "pid": pid, "began": _began(pid)}


def is_gone(place: dict[str, Any]) -> bool:
    """Whether a process is surely gone; False for one on another machine."""
    return place.get("machine") == _machine() and _began(int(place["pid"])) != str(place["began"])


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


def is_fresh(trial: "FrozenTrial") -> bool:
    """Whether it is neither another's repetition nor one too many."""
    return not history(trial) and not trial.user_attrs.get(SURPLUS)


def fixed_in(trial: "FrozenTrial") -> dict[str, Any]:
    """The parameters that it was given, or drew."""
    found: dict[str, Any] = trial.params or trial.system_attrs.get("fixed_params", {})
    return found


def settled(trials: Sequence["FrozenTrial"]) -> "list[FrozenTrial]":
    """Trials that came to an end of their own: done, pruned or failed."""
    repeated = {number for one in trials for number in history(one)}
    return [
        one
        for one in trials
        if one.state.is_finished()
        and one.number not in repeated
        and not one.user_attrs.get(SURPLUS)
        and (RECORD in one.user_attrs or len(history(one)) >= RETRIES)
    ]


def queue_again(study: "Study", trial: "FrozenTrial") -> None:
    """Queue a lost trial again with its parameters; one that was lost too often is left as it is."""
    if len(history(trial)) < RETRIES:
        study.enqueue_trial(fixed_in(trial), user_attrs={RETRY_OF: [*history(trial), trial.number]})


def give_back(study: "Study", number: int) -> None:
    """End a trial that nobody does any more, and queue it again."""
    from optuna.trial import TrialState

    with suppress(ValueError):  # another command was faster
        frozen = study.tell(number, state=TrialState.FAIL)
        queue_again(study, frozen)


def recover(study: "Study") -> None:
    """Queue trials again whose process is gone: at once where it was of this machine, else by Optuna's heartbeat."""
    from optuna.storages import fail_stale_trials
    from optuna.trial import TrialState

    fail_stale_trials(study)
    for one in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        place = one.user_attrs.get(PLACE)
        if place and is_gone(place):
            give_back(study, one.number)
