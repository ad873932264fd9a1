"""What was sent where: ``tracking.json`` in the folder of a run or a study."""

import json
from datetime import UTC, datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from asdbench.core.digests import file_digest
from asdbench.core.files import write_text
from asdbench.tracking.database import has_run
from asdbench.tracking.store import Store

FILE = "tracking.json"
RUN_FILES = ("report.html",)  # that may come after the run
STUDY_FILES = ("study.json", "best.toml", "report.html")


class Model(BaseModel):
    """Base of both parts."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class Receipt(Model):
    """What one store has of a run or study."""

    mlflow_run: str | None = Field(default=None, description="Id of the parent run; None while nothing was sent.")
    experiment: str | None = Field(default=None, description="Name of the MLflow experiment.")
    record: str | None = Field(default=None, description="Digest of the record that was sent.")
    files: dict[str, str] = Field(default_factory=dict, description="Digests of the files sent later: report.html.")
    trials: dict[int, str] = Field(default_factory=dict, description="Of a study: digests of the trials sent.")
    sent_at: str | None = Field(default=None, description="UTC, ISO 8601; None while it is not all there.")
    reason: str | None = Field(default=None, description="Why it was not sent.")

    def taken(self, files: dict[str, str], trials: dict[int, str] | None = None) -> "Receipt":
        """With files and trials that the store need not be sent any more."""
        return self.model_copy(update={"files": files, "trials": trials or self.trials, "reason": None})


class Receipts(Model):
    """The file."""

    schema_version: int = 1
    stores: dict[str, Receipt] = Field(default_factory=dict, description="By address, without credentials.")


def read_receipts(folder: Path) -> Receipts:
    """Everything in a folder's file; empty when there is none that can be read."""
    try:
        return Receipts.model_validate(json.loads((folder / FILE).read_text(encoding="utf-8")))
    except (OSError, ValueError, ValidationError):
        return Receipts()


def read_receipt(folder: Path, store: Store) -> Receipt:
    """What this store has of the folder."""
    return read_receipts(folder).stores.get(store.shown, Receipt())


def write_receipt(folder: Path, store: Store, receipt: Receipt) -> None:
    """Write what this store has; not where the folder went in the meantime."""
    if not folder.is_dir():
        return
    known = read_receipts(folder)
    stores = {**known.stores, store.shown: receipt}
    text = known.model_copy(update={"stores": stores}).model_dump_json(indent=2, exclude_none=True)
    if not folder.is_dir():
        return
    write_text(folder / FILE, text + "\n")


def write_reason(folder: Path, store: Store, reason: str) -> None:
    """Write why it was not sent, without forgetting what was."""
    before = read_receipt(folder, store)
    if before.reason != reason:
        write_receipt(folder, store, before.model_copy(update={"reason": reason}))


def later_files(folder: Path, names: tuple[str, ...]) -> dict[str, str]:
    """Digests of those files that are there."""
    return {name: file_digest(folder / name) for name in names if (folder / name).is_file()}


def now() -> str:
    """The time, UTC, ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def run_is_sent(folder: Path, store: Store) -> bool:
    """Whether this store has the run in this folder, with all that lies there now."""
    receipt = read_receipt(folder, store)
    if not _holds(store, receipt) or not (folder / "run.json").is_file():
        return False
    return receipt.record == file_digest(folder / "run.json") and receipt.files == later_files(folder, RUN_FILES)


def study_is_sent(folder: Path, store: Store) -> bool:
    """Whether this store has the study in this folder as it stands, and all its trials."""
    receipt = read_receipt(folder, store)
    names = {int(path.stem): path for path in (folder / "trials").glob("[!.]*.json") if path.stem.isdigit()}
    return (
        _holds(store, receipt)
        and receipt.files == later_files(folder, STUDY_FILES)
        and receipt.trials == {number: file_digest(path) for number, path in names.items()}
    )


def _holds(store: Store, receipt: Receipt) -> bool:
    """Whether the receipt is to be believed: a database's file may be another one by now, and is asked."""
    if receipt.sent_at is None or receipt.mlflow_run is None:
        return False
    return store.file is None or has_run(store.file, receipt.mlflow_run)
