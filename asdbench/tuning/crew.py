"""Several worker processes on one study. One that dies takes its trial with it, which another one does again."""

import os
import traceback
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from typing import TYPE_CHECKING, Any

from asdbench.core.errors import AsdbenchError
from asdbench.core.progress import Progress, Silent
from asdbench.harness.child import Relay, cause_of_death
from asdbench.harness.forking import start_child
from asdbench.harness.worker import RemoteProgress
from asdbench.tuning.claims import PLACE, Claims, hand_back, is_gone
from asdbench.tuning.record import TrialRecord
from asdbench.tuning.storage import clear_storage_errors, quiet_optuna
from asdbench.tuning.study import TuneSpec, Tuning
from asdbench.tuning.work import Worker

if TYPE_CHECKING:
    from optuna import Study

NEEDED = (__name__, "optuna", "optuna.storages", "optuna.samplers", "optuna.pruners")  # of what workers import
FUTILE = 3  # workers in a row that died without ending a trial, more than the tries of one bad trial take


def work_together(
    tuning: Tuning,
    study: "Study",
    progress: Progress,
    tell: Callable[[TrialRecord], None],
    jobs: int,
    deadline: float | None,
) -> None:
    """Let processes do trials until the study has all of them.

    A process that dies is replaced.

    Args:
        tuning: the study.
        study: opened by this process.
        progress: where stages of the workers are shown.
        tell: given the record of each trial as it ends.
        jobs: processes.
        deadline: of ``time.time``, after which no trial is begun.

    Raises:
        AsdbenchError: what would meet every trial, or workers that die whatever they do.
    """
    if Claims(study, tuning.trials).complete:
        return
    crew = _Crew(tuning, progress, jobs, deadline)
    try:
        crew.run(tell)
    except BaseException:
        crew.end()
        for trial in Claims(study, tuning.trials).running():
            place = trial.user_attrs.get(PLACE, {})
            if place.get("pid") in crew.pids and is_gone(place):  # another machine's may have the same number
                hand_back(study, trial._trial_id)
        raise
    finally:
        crew.end()


class _Crew:
    """The processes and the lines to them."""

    def __init__(self, tuning: Tuning, progress: Progress, jobs: int, deadline: float | None) -> None:
        self._args = (tuning.asked, max(1, tuning.bench.opened.cores // jobs), deadline)
        self._progress = progress
        self._cause = ""
        self._at_work: dict[Connection, _Process] = {}
        self.pids: set[int | None] = set()
        for _ in range(min(jobs, tuning.trials)):
            self._start()

    def _start(self) -> None:
        process = _Process(self._args, self._progress)
        self._at_work[process.line] = process
        self.pids.add(process.pid)

    def run(self, tell: Callable[[TrialRecord], None]) -> None:
        """Listen until all workers have left."""
        futile = 0
        while self._at_work:
            for line in wait(list(self._at_work)):
                assert isinstance(line, Connection)
                kind, content = self._at_work[line].hear()
                if kind == "trial":
                    futile = 0
                    tell(content)
                elif kind == "error":
                    raise content
                elif kind == "left":
                    self._at_work.pop(line).end()
                elif kind == "died":
                    self._at_work.pop(line).end()
                    futile += 1
                    if futile > FUTILE:
                        raise AsdbenchError(
                            f"Workers die without ending a trial: {content}\n"
                            "Finished trials are kept. The same command goes on; --jobs 1 shows more of the cause."
                        )
                    self._start()

    def end(self) -> None:
        """Stop the processes, whatever they do; files are written whole, so nothing is spoilt."""
        for process in self._at_work.values():
            process.end()
        self._at_work = {}


class _Process:
    """One process and the line to it."""

    def __init__(self, args: tuple[Any, ...], progress: Progress) -> None:
        asked: TuneSpec = args[0]
        self._process, self.line = start_child(do_trials, *args, threads=asked.run.threads)
        self._relay = Relay(progress)
        self.pid = self._process.pid

    def hear(self) -> tuple[str, Any]:
        """Take one message: its kind and what it holds; stages and notes are shown."""
        try:
            kind, *content = self.line.recv()
        except (EOFError, OSError):
            self._relay.close()
            self._process.join(5)
            return "died", cause_of_death(self._process.exitcode)
        if kind == "trial":
            return kind, TrialRecord.model_validate(content[0])
        if kind in ("error", "died", "left"):
            return kind, content[0]
        self._relay.take(kind, *content)
        return "shown", None

    def end(self) -> None:
        """Stop it."""
        self._relay.close()
        self.line.close()
        if self._process.is_alive():
            self._process.kill()
        self._process.join()


def do_trials(line: Any, asked: TuneSpec, cores: int, deadline: float | None) -> None:
    """What a process does: trials, until there are no more; ``line.send`` takes what it has to say."""
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "1")
    progress = RemoteProgress(line)
    with suppress(OSError):  # the command is gone
        try:
            with quiet_optuna(), clear_storage_errors(asked.storage):
                tuning = Tuning(asked, Silent())

                def tell(record: TrialRecord) -> None:
                    progress.send("trial", record.model_dump(mode="json"))

                Worker(tuning, tuning.open(), progress, tell, cores).work(deadline)
            progress.send("left", None)
        except AsdbenchError as error:
            progress.send("error", error)
        except Exception as error:
            progress.send("died", "".join(traceback.format_exception(error)))
