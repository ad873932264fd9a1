"""Tune: bring a study to the number of trials that were asked for, and leave its files."""

import time
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from asdbench.core.files import require_writable
from asdbench.core.progress import Progress
from asdbench.tuning.best import write_best
from asdbench.tuning.crew import work_together
from asdbench.tuning.files import trial_records, write_study
from asdbench.tuning.importance import importances
from asdbench.tuning.record import StudyRecord, TrialRecord
from asdbench.tuning.report import write_study_report
from asdbench.tuning.storage import clear_storage_errors, quiet_optuna
from asdbench.tuning.study import Tuning
from asdbench.tuning.work import Worker

if TYPE_CHECKING:
    from optuna import Study

# A trial that has just ended (None for the state that the study was found in), and the study as it stands.
Told = Callable[[TrialRecord | None, StudyRecord], None]


def tune(tuning: Tuning, told: Told, progress: Progress, *, jobs: int = 1, timeout: float | None = None) -> StudyRecord:
    """Do what the study lacks of its trials.

    Args:
        tuning: the study.
        told: called at the beginning and after each trial of this command.
        progress: where the work of trials is reported.
        jobs: processes, where they are of this machine.
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
        told(None, write_study(tuning, study))

        def tell(trial: TrialRecord) -> None:
            record = write_study(tuning, study)
            if record.best is not None and record.best.trial == trial.number:
                write_best(tuning.folder, record, trial_records(study))
            told(trial, record)

        try:
            if tuning.bench.spec.engine == "ray":
                from asdbench.tuning.ray_crew import work_on_ray

                work_on_ray(tuning, study, progress, tell, deadline)
            elif jobs > 1:
                work_together(tuning, study, progress, tell, jobs, deadline)
            else:
                Worker(tuning, study, progress, tell).work(deadline)
        except BaseException:
            with suppress(Exception):  # what ended it is what is to be told
                write_study(tuning, study)
            raise
        return _finish(tuning, study)


def _finish(tuning: Tuning, study: "Study") -> StudyRecord:
    record = write_study(tuning, study, importances(study))
    trials = trial_records(study)
    write_best(tuning.folder, record, trials)
    write_study_report(study, record, trials, tuning.folder)
    return record
