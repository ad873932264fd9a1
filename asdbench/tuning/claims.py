"""Whose trial is whose: which one comes next, and what becomes of one whose worker was lost.

The storage is all that the workers share, so all of this follows from the trials in it. A fresh trial's *ordinal* is
the count of fresh trials before it; a trial that was lost is tried again as a later one with its ordinal. A study of N
trials has the ordinals 0 to N - 1, whoever does them.
"""

import os
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asdbench.core.digests import digest
from asdbench.tuning.storage import BEAT_S, GRACE_S, RETRIES, repeat

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import FrozenTrial

WORKER, PLACE, SURPLUS, BEAT, RECORD = "worker", "worker_place", "surplus", "beat", "record"


def worker_name(pid: int | None = None) -> str:
    """``host:process``."""
    return f"{socket.gethostname()}:{pid or os.getpid()}"


def place_of(pid: int) -> dict[str, Any]:
    """What tells this process from all others: where it runs, its number, and when it began."""
    return {"machine": _machine(), "pid": pid, "began": _began(pid)}


def _machine() -> str:
    """This machine since it was started; a container counts as one, because its process numbers are its own."""
    parts = [socket.gethostname()]
    with suppress(OSError):
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text().strip())
        parts.append(str(Path("/proc/self/ns/pid").readlink()))
    return digest(parts)


def _began(pid: int) -> str:
    """When a process began; empty where that cannot be told or there is none."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] == "Z" else fields[19]  # one that is dead and not buried yet


def is_gone(place: dict[str, Any]) -> bool:
    """Whether the worker is surely gone; False for one on another machine."""
    if place.get("machine") != _machine():
        return False
    if Path("/proc/self/stat").exists():
        return _began(int(place["pid"])) != str(place["began"])
    try:
        os.kill(place["pid"], 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        pass
    return False


def ordinal_of(trial: "FrozenTrial", trials: Sequence["FrozenTrial"]) -> int:
    """Place of the trial among those that the study was asked for; of a repeated one, that of the first try."""
    first = history(trial)[0] if history(trial) else trial.number
    return sum(is_fresh(one) and one.number < first for one in trials)


def is_fresh(trial: "FrozenTrial") -> bool:
    """Whether it is neither another's repetition nor one too many."""
    return not history(trial) and not trial.user_attrs.get(SURPLUS)


def history(trial: "FrozenTrial") -> list[int]:
    """Numbers of the lost trials that it repeats, the first one first."""
    return list(trial.system_attrs.get("retry_history", []))


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


class Claims:
    """Takes trials for one worker.

    Args:
        study: opened by this worker.
        wanted: trials that the study is to have.
    """

    def __init__(self, study: "Study", wanted: int) -> None:
        self._study = study
        self._wanted = wanted
        self._seen: dict[int, tuple[object, float]] = {}

    def take(self) -> "tuple[FrozenTrial, int] | None":
        """A trial to do, and its ordinal; None while there is none to be had, or no more to do."""
        from optuna.exceptions import UpdateFinishedTrialError

        self.recover()
        try:
            return self._take()
        except UpdateFinishedTrialError:  # another worker took this one for lost
            return None

    def _take(self) -> "tuple[FrozenTrial, int] | None":
        from optuna.trial import TrialState

        trials = self._study.get_trials(deepcopy=False)
        waiting = [one for one in trials if one.state == TrialState.WAITING]
        if not waiting and sum(is_fresh(one) for one in trials) >= self._wanted:
            return None
        for one in waiting:  # one that was handed back has the heartbeat of then, and would be taken for lost at once
            _beat_in_database(self._study, one._trial_id)
        trial = self._study.ask()
        trial.set_user_attr(PLACE, place_of(os.getpid()))
        trial.set_user_attr(WORKER, worker_name())
        trials = self._study.get_trials(deepcopy=False)
        frozen = next(one for one in trials if one.number == trial.number)
        ordinal = ordinal_of(frozen, trials)
        if ordinal >= self._wanted and is_fresh(frozen):  # another worker was faster
            trial.set_user_attr(SURPLUS, True)
            self._study.tell(trial, state=TrialState.FAIL)
            return None
        return frozen, ordinal

    @property
    def complete(self) -> bool:
        """Whether all trials that the study is to have are settled."""
        trials = self._study.get_trials(deepcopy=False)
        return len(settled(trials)) >= self._wanted and not self.running(trials)

    def running(self, trials: Sequence["FrozenTrial"] | None = None) -> "list[FrozenTrial]":
        """Trials that a worker is at, or that wait for one."""
        found = self._study.get_trials(deepcopy=False) if trials is None else trials
        return [one for one in found if not one.state.is_finished()]

    def recover(self) -> None:
        """Put back trials whose worker was lost.

        Of a process of this machine that shows at once; of others where their heartbeat stops: Optuna's in a database,
        one of our own in a journal.
        """
        import optuna

        storage: Any = self._study._storage
        silent = storage._get_stale_trial_ids(self._study._study_id) if _has_heartbeat(storage) else []
        trials = self._study.get_trials(deepcopy=False)
        repeated = {number for one in trials for number in history(one)}
        for one in trials:
            place = one.user_attrs.get(PLACE)
            if one.state == optuna.trial.TrialState.RUNNING:
                lost = one._trial_id in silent or (is_gone(place) if place else False)
                if lost or self._still([place, one.user_attrs.get(BEAT)], one.number, has_beat=BEAT in one.user_attrs):
                    self._lose(one, trials)
            elif (
                one.state == optuna.trial.TrialState.FAIL
                and RECORD not in one.user_attrs
                and not one.user_attrs.get(SURPLUS)
                and one.number not in repeated
                and len(history(one)) < RETRIES
                and not self._is_surplus(one, trials)
                and self._still("failed", one.number, has_beat=True)
            ):  # whoever put it back was lost in between
                repeat(self._study, one)

    def _lose(self, trial: "FrozenTrial", trials: Sequence["FrozenTrial"]) -> None:
        """Put back a lost trial; one too many, whose worker had no time to say so, ends."""
        if not self._is_surplus(trial, trials):
            put_back(self._study, trial)
            return
        from optuna.exceptions import UpdateFinishedTrialError
        from optuna.trial import TrialState

        with suppress(UpdateFinishedTrialError):
            self._study._storage.set_trial_user_attr(trial._trial_id, SURPLUS, True)
            self._study._storage.set_trial_state_values(trial._trial_id, state=TrialState.FAIL)

    def _is_surplus(self, trial: "FrozenTrial", trials: Sequence["FrozenTrial"]) -> bool:
        if trial.user_attrs.get(SURPLUS):
            return True
        return not history(trial) and RECORD not in trial.user_attrs and ordinal_of(trial, trials) >= self._wanted

    def _still(self, sign: object, number: int, *, has_beat: bool) -> bool:
        """Whether a trial has shown the same sign of life for too long, by the clock of this process."""
        now = time.monotonic()
        before = self._seen.get(number)
        if before is None or before[0] != sign:
            self._seen[number] = (sign, now)
            return False
        expects = has_beat or not isinstance(sign, list) or sign[0] is None
        return expects and now - before[1] > GRACE_S


def put_back(study: "Study", trial: "FrozenTrial") -> bool:
    """End a trial that nobody does any more, and queue it again; False where another worker did."""
    from optuna.exceptions import UpdateFinishedTrialError
    from optuna.trial import TrialState

    try:
        if not study._storage.set_trial_state_values(trial._trial_id, state=TrialState.FAIL):
            return False
    except UpdateFinishedTrialError:
        return False
    repeat(study, study._storage.get_trial(trial._trial_id))
    return True


def hand_back(study: "Study", trial_id: int) -> None:
    """Let a trial that was interrupted on purpose wait, as if it had never been begun."""
    from optuna.exceptions import UpdateFinishedTrialError
    from optuna.trial import TrialState

    with suppress(UpdateFinishedTrialError):
        study._storage.set_trial_user_attr(trial_id, PLACE, {})
        study._storage.set_trial_state_values(trial_id, state=TrialState.WAITING)


def _has_heartbeat(storage: Any) -> bool:
    """Whether Optuna keeps heartbeats in it; not so in a journal."""
    from optuna.storages._heartbeat import is_heartbeat_enabled

    return is_heartbeat_enabled(storage)


def _beat_in_database(study: "Study", trial_id: int) -> bool:
    storage: Any = study._storage
    if not _has_heartbeat(storage):
        return False
    storage.record_heartbeat(trial_id)
    return True


@contextmanager
def heartbeat(study: "Study", trial: "FrozenTrial") -> Iterator[None]:
    """Say now and then that the trial's worker is alive."""
    storage, end = study._storage, threading.Event()

    def beat() -> None:
        count = 0
        while True:
            count += 1
            with suppress(Exception):  # the next one may get through; if none does, the trial is not ours any more
                if not _beat_in_database(study, trial._trial_id):
                    storage.set_trial_user_attr(trial._trial_id, BEAT, count)
            if end.wait(BEAT_S):
                storage.remove_session()
                return

    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        end.set()
        thread.join(BEAT_S)
