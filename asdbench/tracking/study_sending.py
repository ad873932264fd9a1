"""Send a study: what is new in its folder since the last time."""

from pathlib import Path

from asdbench.core.digests import digest, file_digest
from asdbench.core.errors import AsdbenchError
from asdbench.tracking.alone import alone
from asdbench.tracking.client import Client, is_complete
from asdbench.tracking.entry import milliseconds
from asdbench.tracking.receipts import (
    STUDY_FILES,
    Receipt,
    later_files,
    now,
    read_receipt,
    study_is_sent,
    write_receipt,
)
from asdbench.tracking.sending import Sent, stays_deleted
from asdbench.tracking.studies import study_entry, trial_entry
from asdbench.tuning.record import STUDY_FILE, TRIALS, StudyRecord, TrialRecord


def send_study(client: Client, folder: Path) -> Sent:
    """Send the trials that the store does not have, and the study as it stands now.

    Raises:
        AsdbenchError: the study's record cannot be read.
        MlflowException: the store does not answer, or refuses something.
    """
    with alone(folder):
        receipt = read_receipt(folder, client.store)
        known = bool(receipt.mlflow_run) and client.is_there(receipt.mlflow_run or "")
        if known and study_is_sent(folder, client.store):
            return Sent("there", receipt.mlflow_run or "")
        if not known:
            receipt = Receipt()
        study, trials = _read(folder)
        files = later_files(folder, STUDY_FILES)
        if known and stays_deleted(client, receipt):
            digests = {number: found for number, (found, _) in trials.items()}
            write_receipt(folder, client.store, receipt.taken(files, digests))
            return Sent("there", receipt.mlflow_run or "")
        experiment, name = client.experiment(study.dataset)
        start_ms = min((milliseconds(trial.started_at) for _, trial in trials.values()), default=2**62)
        entry = study_entry(study, start_ms)
        # The study itself, not its record, which changes with every trial.
        key = digest([study.name, study.fingerprint, study.id], 32)
        run = client.open(experiment, entry, key)
        client.fill(run, entry)
        sent = dict(receipt.trials)
        for number, (found, trial) in trials.items():
            if sent.get(number) != found:
                one = trial_entry(study, trial)
                child = client.open(experiment, one, found, run.info.run_id)
                if not is_complete(child):
                    client.fill(child, one)
                    client.close(child, one)
                sent[number] = found
        for file, digest_now in files.items():
            if receipt.files.get(file) != digest_now:
                client.upload(run, folder / file)
        client.close(run, entry)
        done = Receipt(
            mlflow_run=run.info.run_id,
            experiment=name,
            record=files[STUDY_FILE],
            files=files,
            trials=sent,
            sent_at=now(),
        )
        write_receipt(folder, client.store, done)
        return Sent("sent", run.info.run_id)


def _read(folder: Path) -> tuple[StudyRecord, dict[int, tuple[str, TrialRecord]]]:
    """The study, and digest and record of each trial by number."""
    try:
        study = StudyRecord.model_validate_json((folder / STUDY_FILE).read_bytes())
        trials = {}
        for path in sorted((folder / TRIALS).glob("[!.]*.json")):
            trial = TrialRecord.model_validate_json(path.read_bytes())
            trials[trial.number] = (file_digest(path), trial)
    except OSError as error:
        raise AsdbenchError(f"{folder} cannot be read: {error.strerror or error}.") from error
    except ValueError as error:
        raise AsdbenchError(f"{folder} is damaged: {str(error).splitlines()[0]}.") from error
    return study, dict(sorted(trials.items()))
