"""Open a study in its storage, and refuse a storage or a folder that belongs to another one.

A name alone does not say whose a folder is: a storage may be deleted, and another have a study of that name. So each
study has an id, in its storage and in the record that it leaves.
"""

import json
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asdbench.core.errors import UsageError
from asdbench.core.uris import without_credentials
from asdbench.tuning.methods import make_pruner
from asdbench.tuning.record import STUDY_FILE, flat
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
