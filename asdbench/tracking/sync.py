"""Send runs and studies to a store: beside a command, and later what was missing (``track sync``)."""

import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from asdbench.core.errors import AsdbenchError
from asdbench.harness.record import FILE
from asdbench.tracking.marks import Sent, is_sent, read_mark, write_mark
from asdbench.tracking.store import Store, connect, reason_of, why_away, why_lost
from asdbench.tuning.record import STUDY_FILE

if TYPE_CHECKING:
    from mlflow import MlflowClient

TRY_AGAIN_S = 30.0  # a store that was away


class Sender:
    """Sends folders and writes in each what became of it. While the store is away, it is asked twice a minute at most.

    Args:
        store: where to.
        data_root: of challenges' recordings, which are needed to locate a trained extractor in the cache.
        plugin_path: folders of components that runs were done with.
    """

    def __init__(self, store: Store, data_root: Path | None = None, plugin_path: Sequence[Path] = ()) -> None:
        self.store = store
        self._data_root = data_root
        self._plugin_path = plugin_path
        self._client: MlflowClient | None = None
        self._away = ""
        self._away_until = 0.0

    def connect(self) -> "MlflowClient | None":
        """Import MLflow and open the store, which takes seconds; None where the store is away.

        Raises:
            Exception: of MLflow and its drivers, where the store refuses.
        """
        if self._client is None and not self._set_away(why_away(self.store)):
            self._client = connect(self.store)
        return self._client

    def send(self, folder: Path) -> Sent:
        """Send what the store does not have of a run or a study; no error is raised."""
        if time.monotonic() >= self._away_until:
            try:
                client = self.connect()
                if client is not None:
                    from asdbench.tracking.log import log_run

                    return log_run(client, self.store, folder, data_root=self._data_root, plugin_path=self._plugin_path)
            except Exception as error:  # of MLflow and its drivers, of the disk, of a damaged record
                if not self._set_away(why_lost(self.store, error)):
                    return self._unsent(folder, "failed", reason_of(error, self.store))
        return self._unsent(folder, "away", self._away)

    def _unsent(self, folder: Path, state: Literal["failed", "away"], reason: str) -> Sent:
        """Write down why, unless all of it was sent before."""
        with suppress(Exception):  # it is only a note
            mark = read_mark(folder, self.store)
            if mark.reason != reason and not is_sent(folder, self.store):
                write_mark(folder, self.store, mark.model_copy(update={"reason": reason}))
        return Sent(folder, state, None, reason)

    def _set_away(self, reason: str | None) -> bool:
        """Remember whether the store is away, and why."""
        self._away = reason or ""
        self._away_until = time.monotonic() + TRY_AGAIN_S if reason else 0.0
        return bool(reason)


def folders_of(out: Path) -> list[Path]:
    """Runs and studies, the oldest first, as the store shows them in that order.

    Raises:
        AsdbenchError: there is no such folder.
    """
    if not out.is_dir():
        raise AsdbenchError(f"There is no folder {out}.\nRuns go to ./runs unless asdbench run --out DIR says else.")
    paths = [*out.glob(f"*/{FILE}"), *out.glob(f"studies/*/{STUDY_FILE}")]
    times = sorted((path.stat().st_mtime, path.parent) for path in paths if not path.parent.name.startswith("."))
    return [folder for _, folder in times]


def sync(out: Path, store: Store, data_root: Path | None = None, plugin_path: Sequence[Path] = ()) -> Iterator[Sent]:
    """Send every run and study in ``out`` that the store does not have; of each folder what became of it."""
    sender = Sender(store, data_root, plugin_path)
    return (sender.send(folder) for folder in folders_of(out))


def missing_in(store: Store, folders: Sequence[Path]) -> tuple[list[Path], str | None]:
    """Those of the folders that the store does not have, and why it could not be asked.

    A mark counts only where the store knows the run; while the store is away, marks are all there is.
    """
    missing = {folder for folder in folders if not is_sent(folder, store)}
    away = why_away(store)
    if away is None and store.file is None:  # a file was asked by is_sent
        try:
            client = connect(store)
            from asdbench.tracking.log import is_known

            marked = {folder: read_mark(folder, store).mlflow_run or "" for folder in folders if folder not in missing}
            missing |= {folder for folder, run_id in marked.items() if not is_known(client, run_id)}
        except Exception as error:  # of MLflow and its drivers
            away = why_lost(store, error) or f"{store.shown}: {reason_of(error, store)}"
    return [folder for folder in folders if folder in missing], away
