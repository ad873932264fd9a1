"""What tests ask an MLflow store."""

from pathlib import Path

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
