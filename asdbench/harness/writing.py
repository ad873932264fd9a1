"""What a run leaves: its record and its score files, in one folder that is there whole or not at all."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asdbench.core.files import whole_folder
from asdbench.core.store import checksums
from asdbench.datasets import Clip
from asdbench.datasets.clips import Source
from asdbench.harness.cells import Cell
from asdbench.harness.fits import Embedded
from asdbench.harness.machine import environment
from asdbench.harness.plan import Plan
from asdbench.harness.record import (
    Asked,
    RunRecord,
    UsedComponent,
    UsedDataset,
    UsedThreshold,
    write_record,
)
from asdbench.harness.scoring import ScoredSection, Scores
from asdbench.protocols import Evaluation, Intervals
from asdbench.protocols.results import MachineResult
from asdbench.registry import Component
from asdbench.registry.composites import Composite
from asdbench.score_files import write_score_files


def rows_of(clips: Sequence[Clip], scored: ScoredSection) -> NDArray[np.intp]:
    """Where each clip stands among the scored ones; clips meet their scores by key, not by order."""
    place = {clip.key: row for row, clip in enumerate(scored.clips)}
    return np.array([place[clip.key] for clip in clips], np.intp)


def write_run(
    plan: Plan,
    cell: Cell,
    embedded: Embedded,
    scores: Scores,
    evaluation: Evaluation | None,
    intervals: Intervals | None,
) -> RunRecord:
    """Write the run's folder and return the record.

    Args:
        plan: the command.
        cell: the run.
        embedded: what all stages left; with any failure the run is recorded as failed.
        scores: of what was scored.
        evaluation: of the scores; None where the test clips carry no labels.
        intervals: of a run without failures.
    """
    salvaged: dict[str, MachineResult] = {}
    failures, source = embedded.failures, cell.dataset.source or Source(cell.dataset.name)
    if failures and evaluation is not None:  # a total of some machine types would be taken for one of all
        salvaged, evaluation = evaluation.machines, None
    record = RunRecord(
        run_id=cell.run_id,
        status="failed" if failures else "done",
        asked=Asked(
            system=cell.system,
            extractor=cell.extractor.name,
            scorer=cell.scorer.name,
            dataset=source.name,
            split=source.split,
            machines=list(source.machines) or None,
            seed=cell.seed,
            profile=cell.profile,
            params=_given(cell),
        ),
        extractor=_used(cell.extractor),
        scorer=_used(cell.scorer),
        frontend=_used(cell.frontend),
        augmentations=[_used(part) for part in cell.augmentations],
        dataset=_used_dataset(cell),
        environment=environment(cell.device, cell.threads if cell.device == "cpu" else None),
        results=evaluation,
        salvaged=salvaged,
        intervals=intervals,
        thresholds={
            machine: {
                section: UsedThreshold(value=scored.threshold.value, method=scored.threshold.method)
                for section, scored in sections.items()
            }
            for machine, sections in scores.items()
        },
        training=embedded.training,
        notes=[*embedded.notes, *_notes(scores)],
        failures=failures,
        seconds={stage: round(value, 3) for stage, value in embedded.seconds.items()},
        finished_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    with whole_folder(plan.spec.out / cell.run_id) as folder:
        for machine, sections in scores.items():
            for section, scored in sections.items():
                clips = list(cell.dataset.select(machines=[machine], section=section, split="test"))
                order = rows_of(clips, scored)
                layout = cell.dataset.layout
                write_score_files(folder / "scores", layout, clips, scored.scores[order], scored.decisions[order])
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        names = [path.relative_to(folder).as_posix() for path in files]
        record = record.model_copy(update={"digests": dict(zip(names, checksums(files), strict=True))})
        write_record(folder, record)
    return record


def _given(cell: Cell) -> dict[str, Any]:
    """The parameters given by hand that concern this run, among those of the whole command."""
    own = {"extractor", "frontend", "augmentation", "scorer", "dataset"}
    own |= {name for part in cell.components for name in _names(part)}
    own |= {cell.dataset.source.name} if cell.dataset.source else set()
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
        clips = [clip.machine for clip in cell.dataset if clip.split == split]
        return {machine: clips.count(machine) for machine in cell.dataset.machines}

    return UsedDataset(
        name=cell.dataset.name,
        layout=cell.dataset.layout,
        protocol=cell.dataset.protocol,
        lacks=list(cell.dataset.lacks),
        fingerprint=cell.dataset.fingerprint,
        fingerprints={
            machine: cell.dataset.select(machines=[machine]).fingerprint for machine in cell.dataset.machines
        },
        train_clips=counts("train"),
        test_clips=counts("test"),
    )


def _notes(scores: Scores) -> list[str]:
    """One line for each thing that the scorers noted, with the machine types that it concerns."""
    where: dict[str, list[str]] = {}
    for machine, sections in scores.items():
        for scored in sections.values():
            for note in scored.notes:
                where.setdefault(note, [])
                if machine not in where[note]:
                    where[note].append(machine)
    return [f"{note} ({', '.join(machines)})" for note, machines in where.items()]
