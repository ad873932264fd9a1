"""Log runs and studies to MLflow. Whatever the store has already is completed, and nothing is written twice."""

import json
import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from mlflow import MlflowClient
from mlflow.entities import Param, Run, RunTag, ViewType
from mlflow.exceptions import MlflowException

from asdbench.core.digests import file_digest
from asdbench.core.errors import AsdbenchError
from asdbench.core.locks import exclusive
from asdbench.harness.record import FILE as RUN_FILE
from asdbench.harness.record import TRUTH, RunRecord, load_record
from asdbench.tracking.entries import Entry, mlflow_name, run_entry
from asdbench.tracking.marks import Mark, Sent, content_of, is_sent, is_study, read_mark, write_mark
from asdbench.tracking.store import Store
from asdbench.tracking.study_entries import study_entry
from asdbench.tracking.view import TAG, view_of
from asdbench.tuning.record import BEST_FILE, REPORT_FILE, STUDY_FILE, TRIALS, StudyRecord, TrialRecord

RECORD_TAG = "asdbench.record"  # identifies a parent, whatever its folder says
KEY_TAG = "asdbench.key"  # identifies a child
COMPLETE_TAG = "asdbench.complete"  # set last
FILES_TAG = "asdbench.files"  # digests of the files that may be added later
PARENT = "mlflow.parentRunId"
KIND = {"mlflow.experimentKind": "custom_model_development"}  # MLflow's page would open on prompts and traces
MOST_CHILDREN = 50_000  # the most that MLflow gives at a time

Artifacts = list[tuple[Path, str | None]]  # files and folders, and the artifact folder that each goes to


def log_run(
    client: MlflowClient, store: Store, folder: Path, *, data_root: Path | None = None, plugin_path: Sequence[Path] = ()
) -> Sent:
    """Log the run or the study in a folder. Called again, it writes only what is missing.

    Args:
        client: of the store.
        store: where to.
        folder: of a run or a study.
        data_root: of challenges' recordings, which are needed to locate a trained extractor in the cache.
        plugin_path: folders of components that the run was done with.

    Raises:
        AsdbenchError: the record cannot be read.
        Exception: of MLflow and its drivers, where the store does not answer, or refuses something.
    """
    with exclusive(store.lock):
        mark = read_mark(folder, store)
        if is_sent(folder, store) and mark.mlflow_run and is_known(client, mark.mlflow_run):
            return Sent(folder, "there", mark.mlflow_run)
        content = content_of(folder)
        reason: str | None = None
        if is_study(folder):
            study, entry = _read_study(folder, content)
            dataset, machines = study.dataset, study.machines
            once: Callable[[], Artifacts] = list
            later = [STUDY_FILE, BEST_FILE, REPORT_FILE]
        else:
            record = load_record(folder)
            dataset, machines = record.dataset.name, list(record.dataset.test_clips)
            entry = run_entry(record, file_digest(folder / RUN_FILE))
            later = [REPORT_FILE]

            def once() -> Artifacts:
                nonlocal reason
                fits, reason = _trained(record, data_root, plugin_path)
                scores: Artifacts = [(folder / "scores", "scores")] if (folder / "scores").is_dir() else []
                truth: Artifacts = [(folder / TRUTH, None)] if (folder / TRUTH).is_file() else []
                return [(folder / RUN_FILE, None), *truth, *scores, *fits]

        experiment, name = _experiment(client, store, dataset, machines)
        files = [path for file in later if (path := folder / file).is_file()]
        run_id, has_changed = _log_entry(client, experiment, entry, once, files)
        sent_at = datetime.now(UTC).isoformat(timespec="seconds")
        write_mark(folder, store, Mark(mlflow_run=run_id, experiment=name, content=content, sent_at=sent_at))
        return Sent(folder, "sent" if has_changed else "there", run_id, reason)


def is_known(client: MlflowClient, run_id: str) -> bool:
    """Whether the store has this run, deleted or not."""
    try:
        client.get_run(run_id)
    except MlflowException as error:
        if error.error_code == "RESOURCE_DOES_NOT_EXIST":
            return False
        raise
    return True


def _read_study(folder: Path, content: str) -> tuple[StudyRecord, Entry]:
    """The study, and what MLflow stores of it and its trials."""
    try:
        study = StudyRecord.model_validate_json((folder / STUDY_FILE).read_bytes())
        paths = sorted((folder / TRIALS).glob("[!.]*.json"))
        trials = {file_digest(path): TrialRecord.model_validate_json(path.read_bytes()) for path in paths}
    except OSError as error:
        raise AsdbenchError(f"{folder} cannot be read: {error.strerror or error}.") from error
    except ValueError as error:
        raise AsdbenchError(f"{folder} is damaged: {str(error).splitlines()[0]}.") from error
    return study, study_entry(study, trials, content)


def _experiment(client: MlflowClient, store: Store, dataset: str, machines: Sequence[str]) -> tuple[str, str]:
    """Id and name of the experiment for a data set; made where it is not there, with a view that has the machines."""
    name, shown = store.experiment or dataset, [mlflow_name(machine) for machine in machines]
    experiment = client.get_experiment_by_name(name)
    if experiment is None:
        folder = re.sub(r"[^A-Za-z0-9._-]+", ".", name).strip(".") or "runs"
        place = None if store.artifacts is None else f"{store.artifacts.rstrip('/')}/{folder}"
        try:
            return client.create_experiment(name, place, {**KIND, TAG: view_of(shown)}), name
        except MlflowException:  # somebody else has made it in the meantime
            experiment = client.get_experiment_by_name(name)
            if experiment is None:
                raise
    if experiment.lifecycle_stage != "active":
        raise AsdbenchError(f"The experiment '{name}' is deleted: restore it, or set MLFLOW_EXPERIMENT_NAME to another")
    stored = experiment.tags.get(TAG, "")
    if view_of(shown, stored) != stored:
        client.set_experiment_tag(experiment.experiment_id, TAG, view_of(shown, stored))
    return experiment.experiment_id, name


def _log_entry(
    client: MlflowClient, experiment: str, entry: Entry, once: Callable[[], Artifacts], later: Sequence[Path]
) -> tuple[str, bool]:
    """Write what is missing of an entry and its children.

    Args:
        client: of the store.
        experiment: its id.
        entry: of a run or a study.
        once: gives what is uploaded with the entry.
        later: files that may be added or replaced at any time.

    Returns:
        Id of the MLflow run, and whether anything was written.
    """
    identity = f"tags.`{RECORD_TAG}` = '{entry.record}' and tags.`{KEY_TAG}` = '{entry.key}'"
    runs = client.search_runs([experiment], identity, ViewType.ALL, max_results=1, order_by=["created ASC"])
    run = runs[0] if runs else _create(client, experiment, entry)
    run_id, tags = run.info.run_id, run.data.tags
    if run.info.lifecycle_stage == "deleted":  # by a person, on MLflow's page: it stays so
        return run_id, False
    digests = {path.name: file_digest(path) for path in later}
    known_digests = json.loads(tags.get(FILES_TAG, "{}"))
    is_complete = tags.get(COMPLETE_TAG) == entry.complete
    if not is_complete:
        _fill(client, run, entry)
        of_parent = f"tags.`{PARENT}` = '{run_id}'"
        children = client.search_runs([experiment], of_parent, ViewType.ALL, max_results=MOST_CHILDREN)
        known = {child.data.tags.get(KEY_TAG): child for child in children}
        for one in entry.children:
            child = known.get(one.key) or _create(client, experiment, one, run_id)
            if child.data.tags.get(COMPLETE_TAG) != one.complete and child.info.lifecycle_stage != "deleted":
                _fill(client, child, one)
                _complete(client, child, one)
        for path, target in once():
            (client.log_artifacts if path.is_dir() else client.log_artifact)(run_id, str(path), target)
    if digests != known_digests:
        for path in later:
            if known_digests.get(path.name) != digests[path.name]:
                client.log_artifact(run_id, str(path))
        client.set_tag(run_id, FILES_TAG, json.dumps(digests))
    if not is_complete:
        _complete(client, run, entry)
    return run_id, not is_complete or digests != known_digests


def _create(client: MlflowClient, experiment: str, entry: Entry, parent: str | None = None) -> Run:
    tags = {RECORD_TAG: entry.record, KEY_TAG: entry.key} | ({PARENT: parent} if parent else {})
    return client.create_run(experiment, entry.start_ms, tags, entry.name)


def _fill(client: MlflowClient, run: Run, entry: Entry) -> None:
    """Write parameters, metrics, tags and inputs. Repeated, it changes nothing: same values, steps and times."""
    params = [Param(name, value) for name, value in entry.params.items() if name not in run.data.params]
    tags = [RunTag(name, value) for name, value in entry.tags.items()]
    client.log_batch(run.info.run_id, entry.metrics, params, tags)
    if entry.inputs:
        client.log_inputs(run.info.run_id, [*entry.inputs])


def _complete(client: MlflowClient, run: Run, entry: Entry) -> None:
    """Say how and when it ended, and then that all of it is there."""
    client.set_terminated(run.info.run_id, entry.status, entry.end_ms)
    client.set_tag(run.info.run_id, COMPLETE_TAG, entry.complete)


def _trained(record: RunRecord, data_root: Path | None, plugin_path: Sequence[Path]) -> tuple[Artifacts, str | None]:
    """Folders of what a run's extractors learned; or why they are gone."""
    from asdbench.core.store import MANIFEST
    from asdbench.harness.fits import FACTS
    from asdbench.harness.replay import reopen

    if record.status != "done":
        return [], None
    machines = list(record.dataset.test_clips)
    try:
        replay = reopen(record, data_root=data_root, plugin_path=plugin_path)
        fits = {fit.trained: fit.machines for fit in map(replay.fit, machines)}
    except AsdbenchError as error:  # an extractor that was not trained has nothing to miss
        return [], f"without its trained extractor: {str(error).splitlines()[0]}" if record.training else None
    return [
        (path, "extractor" if len(shared) == len(machines) else f"extractor/{'+'.join(shared)}")
        for path, shared in fits.items()
        if any(file.name not in (FACTS, MANIFEST) for file in path.iterdir())
    ], None
