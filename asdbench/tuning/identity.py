"""Which study a folder belongs to. A name says it not: a storage may be deleted, and another have one of that name."""

import json
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

from asdbench.core.errors import UsageError
from asdbench.tuning.record import STUDY_FILE

if TYPE_CHECKING:
    from optuna import Study

ATTRIBUTE = "asdbench_id"  # user attribute of the study
WAIT_S = 5.0  # for whoever makes a study to say which it is
SETTLE_S = 0.5


def give_identity(study: "Study") -> None:
    """Draw the identity of a study. For the process alone that made it."""
    study.set_user_attr(ATTRIBUTE, uuid.uuid4().hex)


def identity_of(study: "Study") -> str:
    """The study's identity, the same for all processes that ask.

    Where whoever made the study was lost before it said so, one is given now.
    """
    deadline = time.monotonic() + WAIT_S
    while (found := study.user_attrs.get(ATTRIBUTE)) is None:
        if time.monotonic() > deadline:
            give_identity(study)
            time.sleep(SETTLE_S)  # others may give up waiting at the same time; the last one counts
        else:
            time.sleep(0.05)
    return str(found)


def identity_in(folder: Path) -> str | None:
    """Of the study that left its record in the folder; empty where the record tells none, None without a record."""
    try:
        record = json.loads((folder / STUDY_FILE).read_bytes())
    except FileNotFoundError:
        return None
    except ValueError:
        return ""
    return str(record.get("id", "")) if isinstance(record, dict) else ""


def require_own(folder: Path, there: str | None, own: str | None) -> None:
    """Check that a folder is free for a study.

    Args:
        folder: of the study.
        there: identity in the folder, see ``identity_in``.
        own: of the study; None of one that is to be made.

    Raises:
        UsageError: it holds another one.
    """
    if there is None or there == own:
        return
    raise UsageError(
        f"{folder} holds another study of this name: its storage was deleted, or was not the one of --storage here. "
        "Nothing is changed.\n"
        "Give this study another name (--study NAME) or another place (--out DIR), or remove that folder and all its "
        f"runs: rm -r {folder}"
    )
