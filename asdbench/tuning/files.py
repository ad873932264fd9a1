"""The files of a study: a record for each trial, and one of the study."""

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from asdbench.core.files import write_text
from asdbench.core.uris import without_credentials
from asdbench.harness.machine import environment
from asdbench.tuning import selection
from asdbench.tuning.identity import identity_in, identity_of, require_own
from asdbench.tuning.record import STUDY_FILE, TRIALS, State, StudyRecord, TrialRecord
from asdbench.tuning.standing import RECORD, WORKER, history, settled
from asdbench.tuning.study import Tuning

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import FrozenTrial


def write_trial(folder: Path, record: TrialRecord) -> None:
    """Write ``trials/NNNN.json`` whole."""
    write_text(_file(folder, record.number), _text(record))


def _text(record: TrialRecord) -> str:
    return record.model_dump_json(indent=2) + "\n"


def _file(folder: Path, number: int) -> Path:
    return folder / TRIALS / f"{number:04d}.json"


def trial_records(study: "Study") -> list[TrialRecord]:
    """The records of all trials that came to an end, by number, whatever process on whatever machine did them."""
    return [_record(study, one) for one in settled(study.get_trials(deepcopy=False))]


def _record(study: "Study", trial: "FrozenTrial") -> TrialRecord:
    if RECORD in trial.user_attrs:
        return TrialRecord.model_validate(trial.user_attrs[RECORD])
    lost = history(trial)
    begun, ended = trial.datetime_start, trial.datetime_complete
    return TrialRecord(
        study=study.study_name,
        number=trial.number,
        state="failed",
        params=trial.params,
        values=[],
        parts={},
        runs=[],
        reason=f"its process was lost, as in the {len(lost)} tries before; most likely for want of memory",
        retry_of=lost[0] if lost else None,
        worker=trial.user_attrs.get(WORKER, "unknown"),
        started_at="" if begun is None else begun.astimezone(UTC).isoformat(timespec="seconds"),
        seconds=(ended - begun).total_seconds() if begun and ended else 0.0,
    )


def write_study(tuning: Tuning, study: "Study", importances: dict[str, float] | None = None) -> StudyRecord:
    """Bring the study's files up to date with its storage; the records of other machines' trials come too.

    Raises:
        UsageError: the folder is another study's by now.
    """
    identity = identity_of(study)
    require_own(tuning.folder, identity_in(tuning.folder), identity)
    trials = trial_records(study)
    for trial in trials:
        if not _is_written(tuning.folder, trial):
            write_trial(tuning.folder, trial)
    record = study_record(tuning, identity, trials, importances or {})
    write_text(tuning.folder / STUDY_FILE, record.model_dump_json(indent=2) + "\n")
    return record


def _is_written(folder: Path, record: TrialRecord) -> bool:
    try:
        return _file(folder, record.number).read_text(encoding="utf-8") == _text(record)
    except (FileNotFoundError, UnicodeDecodeError):
        return False


@cache
def _git_commit() -> str | None:
    return environment("cpu", None).git_commit


def study_record(
    tuning: Tuning, identity: str, trials: Sequence[TrialRecord], importances: dict[str, float]
) -> StudyRecord:
    """The study as its trials stand now."""
    table = tuning.configurations.dataset
    states = [trial.state for trial in trials]
    objectives = list(tuning.asked.objectives)
    return StudyRecord(
        name=tuning.name,
        id=identity,
        asked=tuning.configurations.asked,
        dataset=table.name,
        fingerprint=table.fingerprint,
        protocol=table.protocol,
        machines=tuning.machines,
        seeds=tuning.seeds,
        objectives=objectives,
        sampler=tuning.asked.sampler,
        pruner=tuning.pruner,
        space=tuning.space.described(),
        defaults=tuning.space.defaults,
        admissible=tuning.admissible,
        storage=without_credentials(tuning.asked.storage),
        git_commit=_git_commit(),
        counts={state: states.count(state) for state in get_args(State)},
        best=selection.best(trials, objectives),
        default=selection.default(trials, tuning.space.defaults),
        leave_one_out=selection.leave_one_out(trials, tuning.machines, table.protocol),
        pareto=selection.pareto(trials, objectives),
        importances=importances,
        updated_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )
