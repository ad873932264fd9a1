"""Send later what is missing: every run and study of a folder that its store does not have."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from asdbench.core.errors import AsdbenchError
from asdbench.harness.record import FILE
from asdbench.tracking.reach import why_away, why_lost
from asdbench.tracking.reasons import reason_of
from asdbench.tracking.receipts import read_receipt, run_is_sent, study_is_sent, write_reason
from asdbench.tracking.store import Store
from asdbench.tuning.record import STUDY_FILE

State = Literal["sent", "there", "failed", "missing"]


@dataclass(frozen=True)
class Synced:
    """What became of a folder. ``reason``: why it was not sent, or what of it was not there to be sent."""

    folder: Path
    state: State
    mlflow_run: str | None = None
    reason: str | None = None


class StoreAwayError(AsdbenchError):
    """The store does not answer."""


def folders_of(out: Path) -> list[Path]:
    """Runs and studies, the oldest first, as the store shows them in that order.

    Raises:
        AsdbenchError: there is no such folder.
    """
    if not out.is_dir():
        raise AsdbenchError(f"There is no folder {out}.\nRuns go to ./runs unless asdbench run --out DIR says else.")
    found = [*out.glob(f"*/{FILE}"), *out.glob(f"studies/*/{STUDY_FILE}")]
    settled = sorted((path.stat().st_mtime, path.parent) for path in found if not path.parent.name.startswith("."))
    return [folder for _, folder in settled]


def is_sent(folder: Path, store: Store) -> bool:
    """Whether this store has the run or study, as far as its folder tells."""
    return study_is_sent(folder, store) if (folder / STUDY_FILE).is_file() else run_is_sent(folder, store)


def missing_in(store: Store, folders: Sequence[Path]) -> tuple[list[Path], str | None]:
    """Those of the folders that the store does not have, and why it could not be asked.

    A receipt counts only where the store knows the run; while the store is away, receipts are all there is.
    """
    away = why_away(store)
    missing = {folder for folder in folders if not is_sent(folder, store)}
    if away is None and store.file is None:  # else its file was asked by is_sent
        from asdbench.tracking.client import Client

        try:
            client = Client(store)
            for folder in (one for one in folders if one not in missing):
                if not client.is_there(read_receipt(folder, store).mlflow_run or ""):
                    missing.add(folder)
        except Exception as error:  # of MLflow and its drivers
            away = f"{store.shown}: {reason_of(error, store)}"
    return [folder for folder in folders if folder in missing], away


def sync(out: Path, store: Store, data_root: Path | None = None, plugin_path: Sequence[Path] = ()) -> Iterator[Synced]:
    """Send what the store does not have; of each folder what became of it.

    Args:
        out: folder of the runs.
        store: where to.
        data_root: of challenges' recordings, which tell where a trained extractor lies in the cache.
        plugin_path: folders of components that runs were done with.

    Raises:
        StoreAwayError: the store does not answer, or ceases to.
    """
    folders = folders_of(out)
    if not folders:
        return
    away = why_away(store)
    if away is not None:
        _tell(folders, store, away)
        raise StoreAwayError(_away(away))
    from asdbench.tracking.client import Client
    from asdbench.tracking.sending import send_run
    from asdbench.tracking.study_sending import send_study

    try:
        client = Client(store)
    except Exception as error:
        raise StoreAwayError(_away(reason_of(error, store), "that is mended")) from error
    for number, folder in enumerate(folders):
        trained = _Cached(folder, data_root, plugin_path)
        try:
            is_study = (folder / STUDY_FILE).is_file()
            done = send_study(client, folder) if is_study else send_run(client, folder, trained.folders)
        except Exception as error:  # of MLflow and its drivers, of a damaged record: the others are sent all the same
            reason = why_lost(store, error)
            if reason is not None:
                _tell(folders[number:], store, reason)
                raise StoreAwayError(_away(reason)) from error
            reason = reason_of(error, store)
            write_reason(folder, store, reason)
            yield Synced(folder, "failed", None, reason)
        else:
            yield Synced(folder, done.outcome, done.mlflow_run, trained.reason)


class _Cached:
    """Where a run's trained extractors lie in the cache, if they still do."""

    def __init__(self, folder: Path, data_root: Path | None, plugin_path: Sequence[Path]) -> None:
        self._folder = folder
        self._data_root = data_root
        self._plugin_path = plugin_path
        self.reason: str | None = None

    def folders(self) -> dict[Path, list[str]]:
        """Their folders, and the machine types that share each."""
        from asdbench.harness.record import load_record
        from asdbench.harness.replay import reopen

        record = load_record(self._folder)
        if not record.training or record.status != "done":
            return {}
        try:
            replay = reopen(record, data_root=self._data_root, plugin_path=self._plugin_path)
            fits = [replay.fit(machine) for machine in record.dataset.test_clips]
        except AsdbenchError as error:
            self.reason = f"without its trained extractor: {str(error).splitlines()[0]}"
            return {}
        return {fit.trained: fit.machines for fit in fits}


def _away(reason: str, once: str = "it is back") -> str:
    return (
        f"Nothing more can be sent: {reason}\nOnce {once}, asdbench track sync sends what is missing; "
        "MLFLOW_TRACKING_URI names another store."
    )


def _tell(folders: Sequence[Path], store: Store, reason: str) -> None:
    for folder in folders:
        if not is_sent(folder, store):
            write_reason(folder, store, reason)
