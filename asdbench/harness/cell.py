"""One run: score the embeddings, meet the labels, write score files and record."""

import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from asdbench.core.digests import digest
from asdbench.core.files import sweep, whole_folder
from asdbench.core.locks import exclusive
from asdbench.core.progress import Progress
from asdbench.datasets import Clip
from asdbench.datasets.clips import Domain
from asdbench.harness.embedding import EmbeddingStage
from asdbench.harness.failures import recorded
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
    read_record,
    write_record,
)
from asdbench.harness.scoring import SectionOutcome, score_machine
from asdbench.protocols import Evaluation, Intervals, SectionScores, bootstrap_intervals, evaluate
from asdbench.protocols.results import MachineResult
from asdbench.registry import Component
from asdbench.score_files import write_score_files
from asdbench.score_files.names import file_name

Outcomes = dict[str, dict[str, SectionOutcome]]


def recorded_run(plan: Plan, cell: Cell) -> RunRecord | None:
    """The record of a run that counts as settled: done, or failed where failed ones are not to be tried again."""
    folder = plan.spec.out / cell.run_id
    record = read_record(folder)
    if plan.spec.fresh or record is None or not _score_files_are_there(folder, record):
        return None
    return None if record.status == "failed" and plan.spec.retry_failed else record


def _score_files_are_there(folder: Path, record: RunRecord) -> bool:
    """Whether a scored section has lost its files."""
    layout = record.dataset.layout
    domains: tuple[Domain | None, ...] = ("source", "target") if layout == "dcase2021" else (None,)
    return all(
        any(
            (folder / "scores" / file_name("anomaly_score", layout, machine, section, one)).is_file() for one in domains
        )
        for machine, sections in record.thresholds.items()
        for section in sections
    )


def run_cell(
    plan: Plan,
    cell: Cell,
    progress: Progress,
    failures: Sequence[Failure] = (),
    seconds: Mapping[str, float] | None = None,
    *,
    jobs: int | None = None,
    wait: bool = True,
) -> RunRecord:
    """Do one run and leave its folder, whole or not at all.

    A part that fails is recorded with its reason, and the other machine types go on. A run that another process has
    finished in the meantime is read.

    Args:
        plan: the command.
        cell: the run.
        progress: where the work is reported.
        failures: of the fits and embeddings; what failed there is not tried again.
        seconds: of stages that were done before.
        jobs: decoding threads.
        wait: for another process that is at the same run.

    Raises:
        BusyError: another process is at the same run, and ``wait`` is false.
    """
    folder = plan.spec.out / cell.run_id
    before = read_record(folder)
    with exclusive(_lock(plan, folder), wait=wait):
        now = recorded_run(plan, cell)
        if now is not None and (now.status == "done" or now != before):
            return now
        sweep(folder)
        embedded = EmbeddingStage(plan, cell, progress, jobs).run(failures)
        embedded.seconds |= seconds or {}
        record = _score(plan, cell, embedded, progress)
    for note in record.notes:  # those of the fit are alike for all scorers, so they are said once
        progress.note(f"{cell.pipeline.extractor.name if note in embedded.notes else cell.name}: {note}")
    return record


def record_failure(plan: Plan, cell: Cell, failures: Sequence[Failure]) -> RunRecord:
    """Record a run that could not be done at all; one that another process has finished is read."""
    folder = plan.spec.out / cell.run_id
    with exclusive(_lock(plan, folder)):
        now = recorded_run(plan, cell)
        if now is not None and now.status == "done":
            return now
        sweep(folder)
        return _write(plan, cell, Embedded(failures=list(failures)), {}, list(failures), {}, None, None)


def _lock(plan: Plan, folder: Path) -> Path:
    return plan.cache / "locks" / f"run-{digest([str(folder.resolve())])}.lock"


def _score(plan: Plan, cell: Cell, embedded: Embedded, progress: Progress) -> RunRecord:
    failures = list(embedded.failures)
    outcomes: Outcomes = {}
    table = cell.data.table
    started = time.perf_counter()
    import scipy.linalg  # noqa: F401  # brings a BLAS of its own, which can be limited only once it is there

    # One thread: the matrices are small, so threads gain nothing and suffer much from other work on the machine, and
    # sums do not depend on the number of cores.
    with threadpool_limits(limits=1), progress.stage(f"score {cell.scorer.name}", len(table.machines)) as stage:
        for machine in table.machines:
            if machine in embedded.rows:
                with recorded(failures, "score", machine):
                    rows = embedded.rows[machine]
                    outcomes[machine] = score_machine(table, rows, cell.scorer, cell.seed, machine)
            stage.advance(1, machine)
    told = {failure.machine for failure in failures}
    if None not in told:  # nothing is done unless every machine type is
        missing = [machine for machine in table.machines if machine not in outcomes and machine not in told]
        failures += [Failure(stage="score", machine=machine, reason="It has no embeddings.") for machine in missing]
    seconds = {**embedded.seconds, "score": time.perf_counter() - started}
    evaluation, intervals = None, None
    if outcomes and cell.data.labelled:
        sections = _labelled_rows(cell, outcomes)
        evaluation = evaluate(table.protocol, sections)
        intervals = None if failures else bootstrap_intervals(table.protocol, sections)
    return _write(plan, cell, embedded, outcomes, failures, seconds, evaluation, intervals)


def _labelled_rows(cell: Cell, outcomes: Outcomes) -> dict[tuple[str, str], SectionScores]:
    """Scores meet labels here, and only here."""
    rows = {}
    for machine, sections in outcomes.items():
        for section, outcome in sections.items():
            clips = list(cell.data.table.select(machines=[machine], section=section, split="test"))
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
                order = _rows_of(clips, outcome)
                layout = cell.data.table.layout
                write_score_files(folder / "scores", layout, clips, outcome.scores[order], outcome.decisions[order])
        write_record(folder, record)
    return record


def _given(plan: Plan, cell: Cell) -> dict[str, Any]:
    """The parameters given by hand that concern this run, among those of the whole command."""
    pipeline = cell.pipeline
    parts = (pipeline.extractor, pipeline.frontend, *pipeline.augmentations, cell.scorer)
    own = {"extractor", "frontend", "augmentation", "scorer", *(part.name for part in parts)}
    own |= {cell.data.asked} | ({"dataset"} if len(plan.recordings) == 1 else set())
    found = {}
    for key, value in plan.spec.params.items():
        scope = key.rpartition(".")[0]
        if (scope.removeprefix(f"{cell.system}.") if cell.system else scope) in own:
            found[key] = value
    return found


def _used(component: Component) -> UsedComponent:
    return UsedComponent(
        name=component.name,
        target=component.card.target,
        version=component.card.version,
        params=component.params,
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
