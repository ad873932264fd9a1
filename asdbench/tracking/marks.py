"""What each store has of a run or study: ``tracking.json`` in its folder, so that no store need be asked."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, Field

from asdbench.core.digests import digest, file_digest
from asdbench.core.files import write_text
from asdbench.harness.record import FILE as RUN_FILE
from asdbench.tracking.store import Store, store_of
from asdbench.tuning.record import BEST_FILE, REPORT_FILE, STUDY_FILE, TRIALS

FILE = "tracking.json"


@dataclass(frozen=True)
class Sent:
    """What became of a folder that was to be sent."""

    folder: Path  # of a run or a study
    # "there" when the store had it all before; "away" when the store does not answer
    state: Literal["sent", "there", "failed", "away"]
    mlflow_run: str | None = None  # id of the parent run
    reason: str | None = None  # why it was not sent, or what of it was gone


class Mark(BaseModel, extra="ignore", frozen=True):
    """What one store has."""

    mlflow_run: str | None = Field(default=None, description="Id of the parent run; None while nothing was sent.")
    experiment: str | None = Field(default=None, description="Name of the MLflow experiment.")
    content: str | None = Field(default=None, description="Digest of the files that were sent.")
    sent_at: str | None = Field(default=None, description="UTC, ISO 8601.")
    reason: str | None = Field(default=None, description="Why the last attempt failed.")


def is_study(folder: Path) -> bool:
    """Whether it is the folder of a study, not of a run."""
    return (folder / STUDY_FILE).is_file()


def files_of(folder: Path) -> list[Path]:
    """What decides whether a folder has something new: the record, and what may be added later."""
    names = (STUDY_FILE, BEST_FILE, REPORT_FILE) if is_study(folder) else (RUN_FILE, REPORT_FILE)
    trials = sorted((folder / TRIALS).glob("[!.]*.json")) if is_study(folder) else []
    return [path for name in names if (path := folder / name).is_file()] + trials


def content_of(folder: Path) -> str:
    """Digest of those files."""
    return digest([[path.name, file_digest(path)] for path in files_of(folder)])


def read_marks(folder: Path) -> dict[str, Mark]:
    """The mark of each store, by its address without credentials; none where the file cannot be read."""
    with suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
        stores = json.loads((folder / FILE).read_text(encoding="utf-8"))["stores"]
        return {store: Mark.model_validate(mark) for store, mark in stores.items()}
    return {}


def read_mark(folder: Path, store: Store) -> Mark:
    """The mark of this store."""
    return read_marks(folder).get(store.shown, Mark())


def write_mark(folder: Path, store: Store, mark: Mark) -> None:
    """Write the mark of this store, unless the folder has been removed."""
    marks = {**read_marks(folder), store.shown: mark}
    content = {address: one.model_dump(exclude_none=True) for address, one in marks.items()}
    if folder.is_dir():
        write_text(folder / FILE, json.dumps({"schema_version": 1, "stores": content}, indent=2) + "\n")


def is_sent(folder: Path, store: Store) -> bool:
    """Whether the store has the run or study with all files that are in its folder now, as far as its mark says.

    A SQLite file may have been replaced, and is asked.
    """
    mark = read_mark(folder, store)
    if mark.mlflow_run is None or mark.content is None or not contains(store, mark.mlflow_run):
        return False
    try:
        return mark.content == content_of(folder)
    except OSError:  # it is being replaced, or may not be read
        return False


def contains(store: Store, run_id: str) -> bool:
    """Whether a SQLite store has the run, deleted or not: in a millisecond and without MLflow. Others are believed.

    A database that another process writes to for long is believed too.
    """
    if store.file is None:
        return True
    if not store.file.is_file():
        return False
    try:
        with closing(sqlite3.connect(f"{store.file.as_uri()}?mode=ro", uri=True, timeout=0.5)) as database:
            return database.execute("SELECT 1 FROM runs WHERE run_uuid = ?", (run_id,)).fetchone() is not None
    except sqlite3.DatabaseError as error:
        return "locked" in str(error) or "busy" in str(error)


def tracking_of(folder: Path, out: Path, tracking: str = "mlflow") -> dict[str, Any] | None:
    """Where a run was sent, or why it was not, for --json; None without tracking."""
    if tracking == "none":
        return None
    store = store_of(out)
    mark = read_mark(folder, store)
    if not is_sent(folder, store):
        reason = mark.reason or "not sent yet; see asdbench track status"
        return {"store": store.shown, "run": None, "experiment": None, "sent_at": None, "reason": reason}
    return {
        "store": store.shown,
        "run": mark.mlflow_run,
        **mark.model_dump(include={"experiment", "sent_at", "reason"}),
    }


def tracking_lines(folder: Path) -> Iterator[str]:
    """For people: each store that a run was sent to, or why it was not."""
    for store, mark in read_marks(folder).items():
        if mark.sent_at:
            yield f"tracked in {store}, experiment {mark.experiment}, run {mark.mlflow_run}"
        if mark.reason:
            yield f"not sent to {store}: {mark.reason}"
