"""One run: score the embeddings, meet the labels, write score files and record."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from asdbench.core.digests import digest
from asdbench.core.files import sweep
from asdbench.core.locks import exclusive
from asdbench.core.progress import Progress
from asdbench.datasets.clips import Domain
from asdbench.harness.embedding import EmbeddingStage
from asdbench.harness.failures import recorded
from asdbench.harness.kept import Embedded
from asdbench.harness.plan import Cell, Plan
from asdbench.harness.record import AGAIN, Failure, RecordError, RunRecord, load_record, read_record
from asdbench.harness.scoring import SectionOutcome, score_machine
from asdbench.harness.writing import Outcomes, rows_of, write_run
from asdbench.protocols import SectionScores, bootstrap_intervals, evaluate
from asdbench.score_files.names import file_name
from asdbench.scorers.base import Embeddings


def recorded_run(plan: Plan, cell: Cell) -> RunRecord | None:
    """The record of a run that counts as settled: done, or failed where failed ones are not to be tried again."""
    folder = plan.spec.out / cell.run_id
    record = read_record(folder)
    if plan.spec.fresh or record is None or not _score_files_are_there(folder, record):
        return None
    return None if record.status == "failed" and plan.spec.retry_failed else record


def damaged_run(plan: Plan, cell: Cell) -> str | None:
    """Why the run that is there does not count, in one line; None where there is none, or nothing is wrong with it."""
    folder = plan.spec.out / cell.run_id
    if plan.spec.fresh or not folder.is_dir():
        return None
    try:
        record = load_record(folder)
    except RecordError as error:
        return str(error).removesuffix(AGAIN)
    return None if _score_files_are_there(folder, record) else f"{folder} has lost score files."


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
    scored: Outcomes | None = None,
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
        scored: machine types that ``outcome_of`` has scored before.

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
        record = _score(plan, cell, embedded, progress, scored or {})
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
        return write_run(plan, cell, Embedded(failures=list(failures)), {}, list(failures), {}, None, None)


def _lock(plan: Plan, folder: Path) -> Path:
    return plan.cache / "locks" / f"run-{digest([str(folder.resolve())])}.lock"


def outcome_of(cell: Cell, rows: Embeddings, machine: str) -> dict[str, SectionOutcome]:
    """Score one machine type's embeddings; outcome by section.

    Raises:
        AsdbenchError: the scorer gives scores that are not finite or not one a clip; a plugin may raise anything.
    """
    return score_machine(cell.data.table, rows, cell.scorer, cell.seed, machine)


def _score(plan: Plan, cell: Cell, embedded: Embedded, progress: Progress, scored: Outcomes) -> RunRecord:
    failures = list(embedded.failures)
    outcomes: Outcomes = {}
    table = cell.data.table
    started = time.perf_counter()
    with progress.stage(f"score {cell.scorer.name}", len(table.machines)) as stage:
        for machine in table.machines:
            if machine in scored:
                outcomes[machine] = scored[machine]
            elif machine in embedded.rows:
                with recorded(failures, "score", machine):
                    outcomes[machine] = outcome_of(cell, embedded.rows[machine], machine)
            stage.advance(1, machine)
    told = {failure.machine for failure in failures}
    if None not in told:  # nothing is done unless every machine type is
        missing = [machine for machine in table.machines if machine not in outcomes and machine not in told]
        failures += [Failure(stage="score", machine=machine, reason="It has no embeddings.") for machine in missing]
    before = embedded.seconds.get("score", 0.0)
    seconds = {**embedded.seconds, "score": before + time.perf_counter() - started}
    evaluation, intervals = None, None
    if outcomes and cell.data.labelled:
        sections = labelled_rows(cell, outcomes)
        evaluation = evaluate(table.protocol, sections)
        intervals = None if failures else bootstrap_intervals(table.protocol, sections)
    return write_run(plan, cell, embedded, outcomes, failures, seconds, evaluation, intervals)


def labelled_rows(cell: Cell, outcomes: Outcomes) -> dict[tuple[str, str], SectionScores]:
    """Scores meet labels here, and only here."""
    rows = {}
    for machine, sections in outcomes.items():
        for section, outcome in sections.items():
            clips = list(cell.data.table.select(machines=[machine], section=section, split="test"))
            order = rows_of(clips, outcome)
            rows[machine, section] = SectionScores(
                labels=np.array([clip.label for clip in clips], np.int64),
                domains=np.array([clip.domain or "" for clip in clips]),
                scores=outcome.scores[order],
                decisions=outcome.decisions[order],
                names=tuple(clip.name for clip in clips),
            )
    return rows
