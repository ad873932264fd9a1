"""A study in its storage and in its folder: opened, refused where either is that of another one, and written.

A name alone does not say whose a folder is: a storage may be deleted, and another have a study of that name. So each
study has an id, in its storage and in the record that it leaves.
"""

import json
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from asdbench.core.errors import UsageError
from asdbench.core.files import write_text
from asdbench.core.uris import without_credentials
from asdbench.harness.machine import environment
from asdbench.harness.spec import flat
from asdbench.tuning import selection
from asdbench.tuning.best import write_best
from asdbench.tuning.queue import RECORD, has_ended, trials_of
from asdbench.tuning.record import STUDY_FILE, TRIALS, State, StudyRecord, TrialRecord
from asdbench.tuning.spec import make_pruner
from asdbench.tuning.storage import one_at_a_time, open_storage, quiet_optuna
from asdbench.tuning.study import UNIT, Tuning

if TYPE_CHECKING:
    from optuna import Study

ID = "asdbench_id"  # user attributes of the study
TERMS = "asdbench"
MOST_DIFFERENCES = 5


def open_study(tuning: Tuning) -> "tuple[Study, Any]":
    """The Optuna study, made where it is not there, and its storage.

    Raises:
        UsageError: a study of that name has other terms, or the folder is another study's.
        StorageError: the storage cannot be reached.
    """
    import optuna

    way = optuna.study.StudyDirection
    directions = [way.MAXIMIZE if one == "score" else way.MINIMIZE for one in tuning.asked.objectives]
    pruner = make_pruner(tuning.pruner, len(tuning.units), UNIT, tuning.trains_once)
    with quiet_optuna():
        storage = open_storage(tuning.asked.storage)
        with one_at_a_time(tuning.asked.storage, storage):
            in_folder = id_in(tuning.folder)
            if tuning.name not in optuna.get_all_study_names(storage):
                require_same(tuning.folder, in_folder, None)
            study = optuna.create_study(
                study_name=tuning.name, storage=storage, directions=directions, pruner=pruner, load_if_exists=True
            )
            if ID not in study.user_attrs:
                study.set_user_attr(ID, uuid.uuid4().hex)
            require_same(tuning.folder, in_folder, id_of(study))
            terms = study.user_attrs.get(TERMS)
            if terms is None:
                study.set_user_attr(TERMS, tuning.terms)
    if terms is not None and terms != tuning.terms:
        raise UsageError(
            f"The study '{tuning.name}' in {without_credentials(tuning.asked.storage)} has other terms. "
            f"{_differences(terms, tuning.terms)}.\n"
            "Ask for the same to go on with it, or give this one another name: --study NAME"
        )
    return study, storage


def id_of(study: "Study") -> str:
    """The study's id, the same for all processes that ask."""
    return str(study.user_attrs[ID])


def id_in(folder: Path) -> str | None:
    """Of the study that left its record in the folder; empty where the record has none, None without a record."""
    try:
        record = json.loads((folder / STUDY_FILE).read_bytes())
    except FileNotFoundError:
        return None
    except ValueError:
        return ""
    return str(record.get("id", "")) if isinstance(record, dict) else ""


def require_same(folder: Path, in_folder: str | None, of_study: str | None) -> None:
    """Check that a folder is free for a study.

    Args:
        folder: of the study.
        in_folder: id in the folder, see ``id_in``.
        of_study: id of the study; None of one that is to be made.

    Raises:
        UsageError: it is another one's.
    """
    if in_folder is not None and in_folder != of_study:
        raise UsageError(
            f"{folder} holds another study of this name: its storage was deleted, or was not the one of --storage "
            "here. Nothing is changed.\n"
            "Give this study another name (--study NAME) or another place (--out DIR), or remove that folder and all "
            f"its runs: rm -r {folder}"
        )


def _differences(there: Mapping[str, Any], here: Mapping[str, Any]) -> str:
    """What differs in two tables of terms, by the path to it."""
    before, now = dict(flat(there)), dict(flat(here))
    keys = [key for key in {**before, **now} if before.get(key) != now.get(key)]
    texts = [f"{key}: {_shown(before, key)} there, {_shown(now, key)} here" for key in keys[:MOST_DIFFERENCES]]
    more = len(keys) - MOST_DIFFERENCES
    return "; ".join([*texts, *([f"and {more} more"] if more > 0 else [])])


def _shown(terms: Mapping[str, Any], key: str) -> str:
    return json.dumps(terms[key]) if key in terms else "nothing"


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
        git_commit=environment(tuning.plan.device, None).git_commit,
        counts={state: states.count(state) for state in get_args(State)},
        best=selection.best(trials),
        default=selection.default(trials, tuning.space.defaults),
        leave_one_out=selection.leave_one_out(trials, tuning.machines, dataset.protocol),
        pareto=_pareto(study, trials) if len(objectives) > 1 else [],
        importances=dict(importances or {}),
        updated_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    write_text(folder / STUDY_FILE, record.model_dump_json(indent=2) + "\n")
    write_best(folder, record, trials)
    return record


def _pareto(study: "Study", trials: Sequence[TrialRecord]) -> list[int]:
    """Numbers of the trials that no other beats in every objective."""
    return sorted({one.number for one in study.best_trials} & {trial.number for trial in trials})
