"""Do what a study lacks of its trials, and leave its files."""

import time
from contextlib import suppress

from asdbench.core.files import require_writable
from asdbench.core.progress import Progress
from asdbench.harness.executors import executor_for
from asdbench.tuning.files import open_study, trial_records, write_study
from asdbench.tuning.queue import is_complete, locked
from asdbench.tuning.record import StudyRecord
from asdbench.tuning.report import write_study_report
from asdbench.tuning.selection import importances
from asdbench.tuning.storage import clear_storage_errors, quiet_optuna
from asdbench.tuning.study import Tuning
from asdbench.tuning.trials import Report, Trials


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
        AsdbenchError: what would fail every trial.
    """
    deadline = float("inf") if timeout is None else time.time() + timeout
    require_writable(tuning.folder, "--out DIR")
    with quiet_optuna(), clear_storage_errors(tuning.asked.storage):
        study, storage = open_study(tuning)
        report(None, write_study(tuning, study))
        try:
            if not is_complete(tuning, study):
                tuning.require_buildable()
                with executor_for(tuning.plan, tuning.trials, progress) as executor, locked(tuning.folder) as lock:
                    Trials(tuning, study, storage, executor, progress, report, lock).run(deadline)
        except BaseException:
            with suppress(Exception):  # what ended it is what matters
                write_study(tuning, study)
            raise
        record = write_study(tuning, study, importances(study))
        write_study_report(study, record, trial_records(study), tuning.folder)
        return record
