"""Run the cells of a plan, one after the other, and leave a record of each."""

import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import groupby

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from asdbench.core.files import whole_folder
from asdbench.core.progress import Progress
from asdbench.datasets import Clip
from asdbench.frontends.store import FeatureStore
from asdbench.harness.embedding import Embedded, EmbeddingStage
from asdbench.harness.failures import recorded
from asdbench.harness.machine import environment
from asdbench.harness.plan import Cell, Plan
from asdbench.harness.record import (
    Asked,
    Failure,
    RunRecord,
    UsedComponent,
    UsedDataset,
    UsedThreshold,
    read_record,
    write_record,
)
from asdbench.harness.scoring import SectionOutcome, score_machine
from asdbench.protocols import Evaluation, Intervals, SectionScores, bootstrap_intervals, evaluate
from asdbench.registry import Component
from asdbench.score_files import write_score_files

Outcomes = dict[str, dict[str, SectionOutcome]]


def execute(plan: Plan, progress: Progress) -> Iterator[RunRecord]:
    """Do every run of the plan and yield its record; a run that is already there whole is read, not done again.

    A run that fails is recorded with its reason and the others go on. Nothing of a run is visible before all of it
    is there.

    Raises:
        RequirementError: recordings that cannot be used.
        UsageError: a parameter that the component itself refuses.
        DiskFullError: something cannot be written.
    """
    for warning in plan.warnings:
        progress.note(warning)
    refreshed: set[str] = set()
    for _, group in groupby(plan.cells, key=lambda cell: (id(cell.pipeline), cell.seed)):
        cells = list(group)
        found = {} if plan.spec.fresh else {cell.run_id: finished(plan, cell) for cell in cells}
        embedded: Embedded | None = None
        for cell in cells:
            record = found.get(cell.run_id)
            if record is None:
                if embedded is None:
                    _build_parts(cells)
                    started = time.perf_counter()
                    _prepare_features(plan, cell, progress)
                    features_s = time.perf_counter() - started
                    embedded = EmbeddingStage(plan, cell.pipeline, cell.seed, progress, refreshed).run()
                    embedded.seconds["features"] = features_s
                record = _run_cell(plan, cell, embedded, progress)
            for note in record.notes:
                of_the_fit = embedded is not None and note in embedded.notes  # alike for all scorers, so said once
                progress.note(f"{cell.pipeline.extractor.name if of_the_fit else cell.name}: {note}")
            yield record


def finished(plan: Plan, cell: Cell) -> RunRecord | None:
    """The record of a run that was done before; None when it is still to be done."""
    record = read_record(plan.spec.out / cell.run_id)
    return record if record is not None and record.status == "done" else None


def _build_parts(cells: list[Cell]) -> None:
    """Build everything once before anything is decoded, so that a part that refuses its parameters does so at once."""
    for component in (cells[0].pipeline.extractor, cells[0].pipeline.frontend, *(cell.scorer for cell in cells)):
        component.build()


def _prepare_features(plan: Plan, cell: Cell, progress: Progress) -> None:
    """Decode every recording before anything is trained, so that bad ones are told at once and all together."""
    FeatureStore(plan.cache / "features", plan.jobs, progress).read(plan.table, cell.pipeline.frontend)


def _run_cell(plan: Plan, cell: Cell, embedded: Embedded, progress: Progress) -> RunRecord:
    failures = list(embedded.failures)
    outcomes: Outcomes = {}
    started = time.perf_counter()
    import scipy.linalg  # noqa: F401  # brings a BLAS of its own, which can be limited only once it is there

    # One thread for BLAS: the matrices are small, so threads gain nothing and suffer much from other work on the
    # machine, and sums do not depend on the number of cores.
    with (
        threadpool_limits(limits=1, user_api="blas"),
        progress.stage(f"score {cell.scorer.name}", len(plan.table.machines)) as stage,
    ):
        for machine in plan.table.machines:
            if machine in embedded.rows:
                with recorded(failures, "score", machine):
                    rows = embedded.rows[machine]
                    outcomes[machine] = score_machine(plan.table, rows, cell.scorer, cell.seed, machine)
            stage.advance(1, machine)
    seconds = {**embedded.seconds, "score": time.perf_counter() - started}
    evaluation, intervals = None, None
    if not failures and plan.labelled:
        sections = _labelled_rows(plan, outcomes)
        evaluation = evaluate(plan.table.protocol, sections)
        intervals = bootstrap_intervals(plan.table.protocol, sections)
    return _write(plan, cell, embedded, outcomes, failures, seconds, evaluation, intervals)


def _labelled_rows(plan: Plan, outcomes: Outcomes) -> dict[tuple[str, str], SectionScores]:
    """Scores meet labels here, and only here."""
    rows = {}
    for machine, sections in outcomes.items():
        for section, outcome in sections.items():
            clips = list(plan.table.select(machines=[machine], section=section, split="test"))
            order = _rows_of(clips, outcome)
            rows[machine, section] = SectionScores(
                labels=np.array([clip.label for clip in clips], np.int64),
                domains=np.array([clip.domain or "" for clip in clips]),
                scores=outcome.scores[order],
                decisions=outcome.decisions[order],
                names=tuple(clip.name for clip in clips),
            )
    return rows


def _rows_of(clips: Sequence[Clip], outcome: SectionOutcome) -> NDArray[np.intp]:
    """Where each clip stands in the outcome; clips meet their scores by key, not by order."""
    place = {clip.key: row for row, clip in enumerate(outcome.clips)}
    return np.array([place[clip.key] for clip in clips], np.intp)


def _write(
    plan: Plan,
    cell: Cell,
    embedded: Embedded,
    outcomes: Outcomes,
    failures: list[Failure],
    seconds: dict[str, float],
    evaluation: Evaluation | None,
    intervals: Intervals | None,
) -> RunRecord:
    record = RunRecord(
        run_id=cell.run_id,
        status="failed" if failures else "done",
        asked=Asked(
            system=cell.system,
            extractor=cell.pipeline.extractor.name,
            scorer=cell.scorer.name,
            dataset=plan.spec.dataset,
            split=plan.spec.split,
            machines=plan.spec.machine or None,
            seed=cell.seed,
            profile=cell.pipeline.profile,
            params=plan.spec.params,
        ),
        extractor=_used(cell.pipeline.extractor),
        scorer=_used(cell.scorer),
        frontend=_used(cell.pipeline.frontend),
        augmentations=[_used(part) for part in cell.pipeline.augmentations],
        dataset=_used_dataset(plan),
        environment=environment(plan.device),
        results=evaluation,
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
        for machine, sections in outcomes.items() if not failures else ():
            for section, outcome in sections.items():
                clips = list(plan.table.select(machines=[machine], section=section, split="test"))
                order = _rows_of(clips, outcome)
                layout = plan.table.layout
                write_score_files(folder / "scores", layout, clips, outcome.scores[order], outcome.decisions[order])
        write_record(folder, record)
    return record


def _used(component: Component) -> UsedComponent:
    return UsedComponent(
        name=component.name,
        target=component.card.target,
        version=component.card.version,
        params=component.params,
    )


def _used_dataset(plan: Plan) -> UsedDataset:
    def counts(split: str) -> dict[str, int]:
        clips = [clip.machine for clip in plan.table if clip.split == split]
        return {machine: clips.count(machine) for machine in plan.table.machines}

    return UsedDataset(
        name=plan.table.name,
        layout=plan.table.layout,
        protocol=plan.table.protocol,
        lacks=list(plan.table.lacks),
        fingerprint=plan.table.fingerprint,
        fingerprints={machine: plan.table.select(machines=[machine]).fingerprint for machine in plan.table.machines},
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
