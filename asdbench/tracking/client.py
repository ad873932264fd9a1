"""Entries written to an MLflow store; whatever is there already is taken up, never doubled."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from asdbench.core.digests import digest
from asdbench.core.files import make_empty
from asdbench.tracking.alone import alone
from asdbench.tracking.entry import COMPLETE_TAG, KEY_TAG, RECORD_TAG, DatasetInput, Entry, key_text
from asdbench.tracking.quiet import quiet
from asdbench.tracking.store import Store

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

PARAMS_AT_ONCE, METRICS_AT_ONCE = 100, 800  # MLflow takes 1000 of all, tags included, in one request
PARENT = "mlflow.parentRunId"
TABLES_S = 120.0  # that a new database may take to be made
BYTES_PER_S, FILES_PER_S = 1e6, 5.0  # of the slowest line that files are sent over
KIND = {"mlflow.experimentKind": "custom_model_development"}  # else its page opens on prompts and traces


class Client:
    """A store, spoken to through ``MlflowClient`` alone: no state of MLflow's own is touched.

    Args:
        store: where to.
        watch: told before each request how many seconds it may take more than others, and None after it.
    """

    def __init__(self, store: Store, watch: Callable[[float | None], None] = lambda _: None) -> None:
        quiet()
        import mlflow.store.db.utils
        from mlflow import MlflowClient

        mlflow.store.db.utils.MAX_RETRY_COUNT = 2  # else a wrong password is tried for two minutes

        self.store = store
        # Two that make the tables of one file at once would be in each other's way.
        with nullcontext() if store.file is None else alone(store.file):
            watch(TABLES_S)
            if store.file is not None:
                make_empty(store.file)
            try:
                plain = MlflowClient(tracking_uri=store.uri, registry_uri=store.uri)
            finally:
                watch(None)
        self._client = _Watched(plain, watch)
        self._experiments: dict[str, str] = {}

    def experiment(self, dataset: str) -> tuple[str, str]:
        """Id and name of the experiment for a data set; made where it is not there.

        Raises:
            MlflowException: the store refuses it, or somebody has deleted the experiment.
        """
        from mlflow.exceptions import MlflowException

        name = self.store.experiment or dataset
        if name not in self._experiments:
            found = self._client.get_experiment_by_name(name)
            if found is None:
                try:
                    self._experiments[name] = self._client.create_experiment(name, self._artifacts_of(name), KIND)
                except MlflowException:  # another sender was faster
                    found = self._client.get_experiment_by_name(name)
                    if found is None:
                        raise
            if found is not None:
                if found.lifecycle_stage != "active":
                    raise MlflowException(
                        f"The experiment '{name}' is deleted. Restore it, or name another: MLFLOW_EXPERIMENT_NAME."
                    )
                self._experiments[name] = found.experiment_id
        return self._experiments[name], name

    def _artifacts_of(self, experiment: str) -> str | None:
        if self.store.artifacts is None:
            return None
        return f"{self.store.artifacts.rstrip('/')}/{re.sub(r'[^A-Za-z0-9._-]+', '.', experiment).strip('.') or 'runs'}"

    def is_there(self, run_id: str) -> bool:
        """Whether the store knows this run; one that somebody has deleted counts."""
        from mlflow.exceptions import MlflowException

        try:
            self._client.get_run(run_id)
        except MlflowException as error:
            if error.error_code == "RESOURCE_DOES_NOT_EXIST":
                return False
            raise
        return True

    def find(self, experiment: str, tags: Mapping[str, str]) -> "Run | None":
        """The oldest run with these tags."""
        words = (f"tags.`{name}` = '{value}'" for name, value in tags.items())
        found = self._client.search_runs([experiment], " and ".join(words), max_results=1, order_by=["created ASC"])
        return found[0] if found else None

    def open(self, experiment: str, entry: Entry, record: str, parent: str | None = None) -> "Run":
        """The run of an entry: the one that was begun before, else a new one.

        Args:
            experiment: its id.
            entry: what it is to hold.
            record: digest that identifies what is sent.
            parent: MLflow id of its parent run.
        """
        identity = {RECORD_TAG: record, KEY_TAG: key_of(entry)} | ({PARENT: parent} if parent else {})
        found = self.find(experiment, identity)
        if found is not None:
            return found
        user = {"mlflow.user": _user()}
        return cast("Run", self._client.create_run(experiment, entry.start_ms, {**user, **identity}, entry.name))

    def fill(self, run: "Run", entry: Entry) -> None:
        """Write parameters, metrics, tags and inputs. Repeated, it changes nothing: same values, steps and times."""
        from mlflow.entities import Metric, Param, RunTag

        run_id = run.info.run_id
        params = [Param(name, value) for name, value in entry.params.items() if name not in run.data.params]
        tags = [RunTag(name, value) for name, value in entry.tags.items()]
        metrics = [Metric(point.name, point.value, point.at_ms, point.step) for point in entry.points]
        while params or tags or metrics:
            self._client.log_batch(
                run_id, metrics[:METRICS_AT_ONCE], params[:PARAMS_AT_ONCE], tags[:PARAMS_AT_ONCE], synchronous=True
            )
            params, tags, metrics = params[PARAMS_AT_ONCE:], tags[PARAMS_AT_ONCE:], metrics[METRICS_AT_ONCE:]
        if entry.inputs:
            self._client.log_inputs(run_id, [_as_input(one) for one in entry.inputs])

    def close(self, run: "Run", entry: Entry) -> None:
        """Say how and when it ended, and then that all of it is there: a run with that tag is not looked at again."""
        self._client.set_terminated(run.info.run_id, entry.status, entry.end_ms)
        self._client.set_tag(run.info.run_id, COMPLETE_TAG, "true")

    def upload(self, run: "Run", place: Path, folder: str | None = None) -> None:
        """Copy a file, or what a folder holds, to the run's artifacts."""
        files = [path for path in (place.rglob("*") if place.is_dir() else (place,)) if path.is_file()]
        client = self._client.taking(sum(path.stat().st_size / BYTES_PER_S + 1 / FILES_PER_S for path in files))
        if place.is_dir():
            client.log_artifacts(run.info.run_id, str(place), folder)
        else:
            client.log_artifact(run.info.run_id, str(place), folder)

    def run(self, run_id: str) -> "Run":
        """A run by its id."""
        return cast("Run", self._client.get_run(run_id))


class _Watched:
    """MLflow's client, of which somebody is told when a request begins and ends."""

    def __init__(self, plain: "MlflowClient", watch: Callable[[float | None], None], more_s: float = 0.0) -> None:
        self._plain, self._watch, self._more_s = plain, watch, more_s

    def taking(self, more_s: float) -> "_Watched":
        """The same for a request that may take so much longer."""
        return _Watched(self._plain, self._watch, more_s)

    def __getattr__(self, name: str) -> Any:
        def ask(*words: Any, **options: Any) -> Any:
            self._watch(self._more_s)
            try:
                return getattr(self._plain, name)(*words, **options)
            finally:
                self._watch(None)

        return ask


def key_of(entry: Entry) -> str:
    """What the run is called among those of the same record: a text that a filter of MLflow's can hold."""
    key = entry.key or "run"
    plain = key_text(key)
    return plain if plain == key else f"{plain[:200]}-{digest([key], 8)}"


def is_complete(run: "Run") -> bool:
    """Whether all of it was sent."""
    return run.data.tags.get(COMPLETE_TAG) == "true"


def _as_input(given: DatasetInput) -> Any:
    from mlflow.entities import Dataset, InputTag
    from mlflow.entities import DatasetInput as Input

    columns: Sequence[str] = ("machine", "section", "domain", "label", "file")
    schema = {"mlflow_colspec": [{"type": "string", "name": name, "required": True} for name in columns]}
    dataset = Dataset(
        name=given.name[:500],
        digest=given.digest,
        source_type="asdbench",
        source=json.dumps(given.source),
        schema=json.dumps(schema),
        profile=json.dumps(given.profile),
    )
    return Input(dataset, [InputTag("mlflow.data.context", given.context)])


def _user() -> str:
    import getpass

    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a process whose user has no name
        return "unknown"
