"""The files of a study: a record for each trial, one of the study, and the run file of the best trial."""

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, get_args

from asdbench.core.files import write_text
from asdbench.core.uris import without_credentials
from asdbench.harness.machine import environment
from asdbench.tuning import selection
from asdbench.tuning.best import write_best
from asdbench.tuning.opening import id_in, id_of, require_same
from asdbench.tuning.queue import RECORD, has_ended, trials_of
from asdbench.tuning.record import STUDY_FILE, TRIALS, State, StudyRecord, TrialRecord
from asdbench.tuning.study import Tuning

if TYPE_CHECKING:
    from optuna import Study


def trial_records(study: "Study") -> list[TrialRecord]:
    """The records of all trials that have ended, by number, whatever process on whatever machine did them."""
    return [TrialRecord.model_validate(one.user_attrs[RECORD]) for one in trials_of(study) if has_ended(one)]


def write_study(tuning: Tuning, study: "Study", importances: Mapping[str, float] | None = None) -> StudyRecord:
    """Bring the study's files up to date with its storage; the records of other machines' trials come too.

    Raises:
        UsageError: the folder is another study's by now.
    """
    folder, of_study, dataset = tuning.folder, id_of(study), tuning.dataset
    require_same(folder, id_in(folder), of_study)
    trials = trial_records(study)
    for trial in trials:
        path, text = folder / TRIALS / f"{trial.number:04d}.json", trial.model_dump_json(indent=2) + "\n"
        if not path.is_file() or path.read_text(encoding="utf-8", errors="replace") != text:
            write_text(path, text)
    states = [trial.state for trial in trials]
    objectives = list(tuning.asked.objectives)
    record = StudyRecord(
        name=tuning.name,
        id=of_study,
        asked=tuning.run_file,
        dataset=dataset.name,
        fingerprint=dataset.fingerprint,
        protocol=dataset.protocol,
        machines=tuning.machines,
        seeds=tuning.seeds,
        objectives=objectives,
        sampler=tuning.asked.sampler,
        pruner=tuning.pruner,
        space=tuning.space.described(),
        defaults=tuning.space.defaults,
        admissible=tuning.is_admissible,
        storage=without_credentials(tuning.asked.storage),
        git_commit=_git_commit(),
        counts={state: states.count(state) for state in get_args(State)},
        best=selection.best(trials, objectives),
        default=selection.default(trials, tuning.space.defaults),
        leave_one_out=selection.leave_one_out(trials, tuning.machines, dataset.protocol),
        pareto=selection.pareto(trials, objectives),
        importances=dict(importances or {}),
        updated_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    write_text(folder / STUDY_FILE, record.model_dump_json(indent=2) + "\n")
    write_best(folder, record, trials)
    return record


@cache
def _git_commit() -> str | None:
    return environment("cpu", None).git_commit
