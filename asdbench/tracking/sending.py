"""Send one run, with all that lies in its folder, once."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from asdbench.core.digests import file_digest
from asdbench.core.store import MANIFEST
from asdbench.harness.record import FILE, load_record
from asdbench.tracking.alone import alone
from asdbench.tracking.client import Client, is_complete
from asdbench.tracking.receipts import (
    RUN_FILES,
    Receipt,
    later_files,
    now,
    read_receipt,
    run_is_sent,
    write_receipt,
)
from asdbench.tracking.runs import run_entries

if TYPE_CHECKING:
    from mlflow.entities import Run

Outcome = Literal["sent", "there"]
Trained = Mapping[Path, Sequence[str]]  # folders of fitted extractors, and the machine types that share each
BESIDE = {"fit.json", MANIFEST}  # what an extractor has learned; alone, it has learned nothing


@dataclass(frozen=True)
class Sent:
    """What became of a folder."""

    outcome: Outcome
    mlflow_run: str


def send_run(client: Client, folder: Path, trained: Callable[[], Trained]) -> Sent:
    """Send a run; what the store has of it already is taken up where it ended.

    Args:
        client: the store.
        folder: of the run.
        trained: tells where its trained extractors lie; asked only when they are needed.

    Raises:
        RecordError: the record cannot be read.
        MlflowException: the store does not answer, or refuses something.
    """
    with alone(folder):
        receipt = read_receipt(folder, client.store)
        if run_is_sent(folder, client.store) and receipt.mlflow_run and client.is_there(receipt.mlflow_run):
            return Sent("there", receipt.mlflow_run)
        record, key = load_record(folder), file_digest(folder / FILE)
        if receipt.record == key and stays_deleted(client, receipt):
            write_receipt(folder, client.store, receipt.taken(later_files(folder, RUN_FILES)))
            return Sent("there", receipt.mlflow_run or "")
        experiment, name = client.experiment(record.dataset.name)
        parent, children = run_entries(record)
        run = client.open(experiment, parent, key)
        whole = is_complete(run)
        files = later_files(folder, RUN_FILES)
        if not whole:
            client.fill(run, parent)
            for child in children:
                one = client.open(experiment, child, key, run.info.run_id)
                if not is_complete(one):
                    client.fill(one, child)
                    client.close(one, child)
            client.upload(run, folder / FILE)
            if (folder / "scores").is_dir():
                client.upload(run, folder / "scores", "scores")
            _upload_trained(client, run, trained())
        known = receipt.files if receipt.mlflow_run == run.info.run_id else {}
        for file, found in files.items():
            if known.get(file) != found:
                client.upload(run, folder / file)
        if not whole:
            client.close(run, parent)
        if (folder / FILE).is_file() and file_digest(folder / FILE) == key:  # else it was done again in the meantime
            done = Receipt(mlflow_run=run.info.run_id, experiment=name, record=key, files=files, sent_at=now())
            write_receipt(folder, client.store, done)
        return Sent("there" if whole and known == files else "sent", run.info.run_id)


def _upload_trained(client: Client, run: "Run", trained: Trained) -> None:
    """Each fit in a folder named for its machine type; the one fit of all in ``extractor`` itself."""
    for place, machines in trained.items():
        if any(path.name not in BESIDE for path in place.glob("*")):
            client.upload(run, place, "extractor" if len(trained) == 1 else f"extractor/{'+'.join(machines)}")


def stays_deleted(client: Client, receipt: Receipt) -> bool:
    """Whether somebody has deleted the run on MLflow's page: what is added to its folder does not bring it back."""
    known = receipt.mlflow_run
    return bool(known) and client.is_there(known or "") and client.run(known or "").info.lifecycle_stage == "deleted"
