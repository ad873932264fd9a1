"""Runs to report on: a real one on small recordings, and ones written by hand for what no small run shows."""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from asdbench.harness.record import (
    Asked,
    Environment,
    RunRecord,
    TrainedNetwork,
    UsedComponent,
    UsedDataset,
    UsedThreshold,
    write_record,
)
from asdbench.score_files.evaluation import evaluate_folder


@pytest.fixture(scope="session")
def real_run(small_dataset, session_cache, tmp_path_factory) -> Path:
    """raw-mel and nearest neighbours on two machine types; its embeddings lie in the session's cache."""
    from asdbench.cli.app import app

    out = tmp_path_factory.mktemp("real") / "runs"
    arguments = [
        "run",
        "--dataset",
        small_dataset,
        "--extractor",
        "raw-mel",
        "--scorer",
        "knn",
        "--out",
        out,
        "--quiet",
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ASDBENCH_CACHE", str(session_cache))
        result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output
    return next(out.glob("raw-mel*"))


Rows = Mapping[tuple[str, str], list[tuple[str, float]]]


@pytest.fixture
def make_run(make_run_in, tmp_path) -> Callable[..., Path]:
    """Writes a run's folder: ``make_run({("fan", "00"): [(clip, score), ...]}, protocol="dcase2023")``."""
    return partial(make_run_in, tmp_path)


@pytest.fixture(scope="session")
def make_run_in() -> Callable[..., Path]:
    """The same in a given folder."""

    def make(root: Path, rows: Rows, protocol: str = "dcase2023", threshold: float | None = 0.5, **changed) -> Path:
        folder = root / "runs" / f"a-run-{protocol}"
        (folder / "scores").mkdir(parents=True, exist_ok=True)
        for (machine, section), clips in rows.items():
            for name, lines in _files(protocol, machine, section, clips).items():
                (folder / "scores" / name).write_text("".join(f"{clip},{score!r}\n" for clip, score in lines))
        machines = sorted({machine for machine, _ in rows})
        found = evaluate_folder(folder / "scores", protocol, None, partial=True, interval="none")
        thresholds: dict[str, dict[str, UsedThreshold]] = {}
        for machine, section in rows if threshold is not None else ():
            thresholds.setdefault(machine, {})[section] = UsedThreshold(value=threshold, method="by hand")
        record = RunRecord(
            run_id=folder.name,
            status="done",
            asked=Asked(extractor="x", scorer="y", dataset="/gone", machines=None, seed=0, profile=None, params={}),
            extractor=_component("x"),
            scorer=_component("y"),
            frontend=_component("log-mel"),
            augmentations=[],
            dataset=UsedDataset(
                name="by-hand",
                layout=protocol if protocol < "dcase2023" else "dcase2023",
                protocol=protocol,
                fingerprint="0" * 32,
                train_clips=dict.fromkeys(machines, 0),
                test_clips={
                    name: sum(len(clips) for (other, _), clips in rows.items() if other == name) for name in machines
                },
            ),
            environment=Environment(
                device="cpu", python="3.11", platform="none", packages={}, git_commit=None, git_dirty=None
            ),
            results=found.evaluation,
            intervals=None,
            thresholds=thresholds,
            training=[TrainedNetwork(machines=machines, parameters=12345, curves={"loss": [3.0, 2.0, 1.5]})],
            notes=[],
            failures=[],
            seconds={"fit": 1.0},
            finished_at="2026-01-01T00:00:00Z",
        )
        write_record(folder, record.model_copy(update=changed))
        return folder

    return make


def _component(name: str) -> UsedComponent:
    return UsedComponent(name=name, target="a:B", version=1, params={})


def _files(protocol: str, machine: str, section: str, clips: list[tuple[str, float]]) -> dict[str, list]:
    if protocol == "dcase2020":
        return {f"anomaly_score_{machine}_id_{section}.csv": clips}
    if protocol == "dcase2021":
        return {
            f"anomaly_score_{machine}_section_{section}_{domain}_test.csv": [
                clip for clip in clips if domain in clip[0]
            ]
            for domain in ("source", "target")
        }
    return {f"anomaly_score_{machine}_section_{section}_test.csv": clips}


@pytest.fixture(scope="session")
def clips_of() -> Callable[..., list[tuple[str, float]]]:
    """Test clips of a section with scores: anomalies score higher on the whole."""

    def make(section: str = "00", each: int = 8, seed: int = 0, protocol: str = "dcase2023") -> list[tuple[str, float]]:
        random = np.random.default_rng(seed)
        domains = ("",) if protocol == "dcase2020" else ("source", "target")
        clips = []
        for domain in domains:
            for label, centre in (("normal", 0.3), ("anomaly", 0.6)):
                for number in range(each):
                    name = (
                        f"{label}_id_{section}_{number:08d}.wav"
                        if protocol == "dcase2020"
                        else f"section_{section}_{domain}_test_{label}_{number:04d}.wav"
                    )
                    clips.append((name, round(float(random.normal(centre, 0.2)), 2)))  # rounded, so that some are equal
        return clips

    return make
