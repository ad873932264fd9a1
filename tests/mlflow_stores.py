"""What tests ask an MLflow store."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from asdbench.harness.record import load_record
from asdbench.tracking.store import Store, store_of


def at(address: str, out: Path, **more: str) -> Store:
    """The store at an address, for runs in a folder."""
    return store_of(out, {"MLFLOW_TRACKING_URI": address, **more})


def contents(store: Store, experiment: str = "synthetic"):
    """MLflow's own client; and parents, and children by parent, as it finds them."""
    from mlflow import MlflowClient

    client = MlflowClient(store.uri)
    found = client.get_experiment_by_name(experiment)
    runs = client.search_runs([found.experiment_id]) if found else []
    parents = [run for run in runs if "mlflow.parentRunId" not in run.data.tags]
    children = {
        parent.info.run_id: [run for run in runs if run.data.tags.get("mlflow.parentRunId") == parent.info.run_id]
        for parent in parents
    }
    return client, parents, children


def artifacts_of(client, run_id: str, folder: str | None = None) -> list[str]:
    """Paths of all artifacts of a run."""
    paths: list[str] = []
    for entry in client.list_artifacts(run_id, folder):
        paths += artifacts_of(client, run_id, entry.path) if entry.is_dir else [entry.path]
    return sorted(paths)


def assert_whole(store: Store, folder: Path, tmp_path: Path):
    """Everything of the run in a folder (of SimCLR, with a loss) is in the store, once; its parent."""
    client, parents, children = contents(store)
    (parent,) = [run for run in parents if run.data.tags["asdbench.run_id"] == folder.name]
    record = load_record(folder)
    assert parent.data.metrics["official_score"] == record.results.official_score
    assert not children[parent.info.run_id], "a comparison holds runs and nothing else"
    assert parent.info.status == "FINISHED"
    points = client.get_metric_history(parent.info.run_id, "loss")
    assert [(point.step, point.value) for point in points] == [(1, 1.0), (2, 0.5)]
    for metric in ("official_score", *(f"official_score/{machine}" for machine in record.results.machines)):
        assert len(client.get_metric_history(parent.info.run_id, metric)) == 1
    assert sorted(one.tags[0].value for one in parent.inputs.dataset_inputs) == ["evaluation", "training"]
    here = sorted(str(path.relative_to(folder)) for path in folder.rglob("*.*") if path.name != "tracking.json")
    assert artifacts_of(client, parent.info.run_id) == here
    copy = client.download_artifacts(parent.info.run_id, "run.json", str(tmp_path))
    assert Path(copy).read_bytes() == (folder / "run.json").read_bytes()
    return parent


STEPS = ("create_run", "log_batch", "log_inputs", "log_artifact", "log_artifacts", "set_tag", "set_terminated")


class _CutError(Exception):
    """Stands for a connection that is lost."""


def cut_at_every_step(monkeypatch, steps: Sequence[str], work: Callable[[], object]) -> int:
    """Do the work again and again; each time it is cut a step later, until it is done. How often it was cut."""
    from mlflow import MlflowClient

    left = [10**6]

    def cutting(plain):
        def step(*words, **named):
            left[0] -= 1
            if left[0] < 0:
                raise _CutError
            return plain(*words, **named)

        return step

    for name in steps:
        monkeypatch.setattr(MlflowClient, name, cutting(getattr(MlflowClient, name)))
    for cuts in range(100):
        left[0] = cuts
        with suppress(_CutError):
            work()
            left[0] = 10**6
            return cuts
    raise AssertionError("it is never done")
