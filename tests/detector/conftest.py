"""Runs on the small data set, whose trained systems are saved."""

from collections.abc import Callable
from pathlib import Path

import pytest

import asdbench
from asdbench.core.progress import Silent
from asdbench.harness import RunRecord, RunSpec, execute, make_plan

QUICK = {
    "simclr": {
        "simclr.backbone": "resnet10t",
        "simclr.epochs": 1,
        "simclr.steps": 0,
        "simclr.crop_s": 0.5,
        "simclr.batch_size": 16,
        "simclr.projection_dim": 16,
        "simclr.copies": 1,
    },
    "autoencoder": {"autoencoder.epochs": 1, "autoencoder.hidden_dim": 16},
}


@pytest.fixture(scope="session")
def trained_runs(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("trained") / "runs"


@pytest.fixture
def trained_run(small_dataset, trained_runs) -> Callable[..., RunRecord]:
    """Runs an extractor with a scorer, once a session."""

    def do(extractor: str, scorer: str, **more) -> RunRecord:
        params = {**QUICK.get(extractor, {}), **more.pop("params", {})}
        spec = RunSpec(
            **{
                "extractor": [extractor],
                "scorer": [scorer],
                "dataset": str(small_dataset),
                "out": trained_runs,
                "params": params,
                **more,
            }
        )
        return next(execute(make_plan(spec, Silent()), Silent()))

    return do


@pytest.fixture(scope="session")
def fan_detector(small_dataset, session_cache, tmp_path_factory) -> Path:
    """The file of a detector of the small data set's fan."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ASDBENCH_CACHE", str(session_cache))
        detector = asdbench.fit(small_dataset, "raw-mel", "knn", machines=["fan"], false_alarms=0.2)
    return detector.save(tmp_path_factory.mktemp("detectors") / "fan.asd")


@pytest.fixture
def quick_params() -> dict:
    """Parameters of trainings that end soon, by extractor."""
    return QUICK
