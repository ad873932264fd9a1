"""What a run leaves: its record and its score files, in one folder that is there whole or not at all."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asdbench.core.files import whole_folder
from asdbench.core.store import checksums
from asdbench.datasets import Clip
from asdbench.harness.kept import Embedded
from asdbench.harness.machine import environment
from asdbench.harness.plan import Cell, Plan
from asdbench.harness.record import (
    Asked,
    Failure,
    RunRecord,
    UsedComponent,
    UsedDataset,
    UsedThreshold,
    write_record,
)
from asdbench.harness.scoring import SectionOutcome
from asdbench.protocols import Evaluation, Intervals
from asdbench.protocols.results import MachineResult
from asdbench.registry import Component
from asdbench.registry.composites import Composite
from asdbench.score_files import write_score_files

Outcomes = dict[str, dict[str, SectionOutcome]]


def rows_of(clips: Sequence[Clip], outcome: SectionOutcome) -> NDArray[np.intp]:
    """Where each clip stands in the outcome; clips meet their scores by key, not by order."""
    place = {clip.key: row for row, clip in enumerate(outcome.clips)}
    return np.array([place[clip.key] for clip in clips], np.intp)


def write_run(
    plan: Plan,
    cell: Cell,
    embedded: Embedded,
    outcomes: Outcomes,
    failures: list[Failure],
    seconds: dict[str, float],
    evaluation: Evaluation | None,
    intervals: Intervals | None,
) -> RunRecord:
    """Write the run's folder and return the record.

    Args:
        plan: the command.
        cell: the run.
        embedded: what fits and embeddings left.
        outcomes: by machine type and section, of what was scored.
        failures: of all stages; with any, the run is recorded as failed.
        seconds: by stage.
        evaluation: of the outcomes; None where the test clips carry no labels.
        intervals: of a run without failures.
    """
    salvaged: dict[str, MachineResult] = {}
    if failures and evaluation is not None:  # a total of some machine types would be taken for one of all
        salvaged, evaluation = evaluation.machines, None
    record = RunRecord(
        run_id=cell.run_id,
        status="failed" if failures else "done",
        asked=Asked(
            system=cell.system,
            extractor=cell.pipeline.extractor.name,
            scorer=cell.scorer.name,
            dataset=cell.data.asked,
            split=cell.data.split,
            machines=plan.spec.machine or None,
            seed=cell.seed,
            profile=cell.pipeline.profile,
            params=_given(plan, cell),
        ),
        extractor=_used(cell.pipeline.extractor),
        scorer=_used(cell.scorer),
        frontend=_used(cell.pipeline.frontend),
        augmentations=[_used(part) for part in cell.pipeline.augmentations],
        dataset=_used_dataset(cell),
        environment=environment(plan.device, plan.spec.threads if plan.device == "cpu" else None),
        results=evaluation,
        salvaged=salvaged,
        intervals=intervals,
        thresholds={
            machine: {
                section: UsedThreshold(value=outcome.threshold.value, method=outcome.threshold.method)
                for section, outcome in sections.items()
            }
            for machine, sections in outcomes.items()
        },
        training=embedded.training,
        notes=[*embedded.notes, *_notes(outcomes)],
        failures=failures,
        seconds={stage: round(value, 3) for stage, value in seconds.items()},
        finished_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    with whole_folder(plan.spec.out / cell.run_id) as folder:
        for machine, sections in outcomes.items():
            for section, outcome in sections.items():
                clips = list(cell.data.table.select(machines=[machine], section=section, split="test"))
                order = rows_of(clips, outcome)
                layout = cell.data.table.layout
                write_score_files(folder / "scores", layout, clips, outcome.scores[order], outcome.decisions[order])
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        names = [path.relative_to(folder).as_posix() for path in files]
        record = record.model_copy(update={"digests": dict(zip(names, checksums(files), strict=True))})
        write_record(folder, record)
    return record


def _given(plan: Plan, cell: Cell) -> dict[str, Any]:
    """The parameters given by hand that concern this run, among those of the whole command."""
    pipeline = cell.pipeline
    parts = (pipeline.extractor, pipeline.frontend, *pipeline.augmentations, cell.scorer)
    own = {"extractor", "frontend", "augmentation", "scorer", *(name for part in parts for name in _names(part))}
    own |= {cell.data.asked} | ({"dataset"} if len(plan.recordings) == 1 else set())
    found = {}
    for key, value in cell.given.items():
        scope = key.rpartition(".")[0]
        if (scope.removeprefix(f"{cell.system}.") if cell.system else scope) in own:
            found[key] = value
    return found


def _names(component: Component) -> list[str]:
    """Of the component and all its parts."""
    parts = component.parts if isinstance(component, Composite) else ()
    return [component.name, *(name for part in parts for name in _names(part))]


def _used(component: Component) -> UsedComponent:
    return UsedComponent(
        name=component.name,
        target=component.target,
        version=component.card.version,
        params=component.params,
        files=component.files,
        libraries=component.libraries,
    )


def _used_dataset(cell: Cell) -> UsedDataset:
    def counts(split: str) -> dict[str, int]:
        clips = [clip.machine for clip in cell.data.table if clip.split == split]
        return {machine: clips.count(machine) for machine in cell.data.table.machines}

    return UsedDataset(
        name=cell.data.table.name,
        layout=cell.data.table.layout,
        protocol=cell.data.table.protocol,
        lacks=list(cell.data.table.lacks),
        fingerprint=cell.data.table.fingerprint,
        fingerprints={
            machine: cell.data.table.select(machines=[machine]).fingerprint for machine in cell.data.table.machines
        },
        train_clips=counts("train"),
        test_clips=counts("test"),
    )


def _notes(outcomes: Outcomes) -> list[str]:
    """One line for each thing that the scorers noted, with the machine types that it concerns."""
    where: dict[str, list[str]] = {}
    for machine, sections in outcomes.items():
        for outcome in sections.values():
            for note in outcome.notes:
                where.setdefault(note, [])
                if machine not in where[note]:
                    where[note].append(machine)
    return [f"{note} ({', '.join(machines)})" for note, machines in where.items()]
