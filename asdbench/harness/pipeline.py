"""One run, from its clips to its record: dataset -> frontend -> extractor -> scorer -> protocol -> run.

Every reader begins here: ``run_cell``.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from asdbench.core.digests import digest
from asdbench.core.errors import UsageError
from asdbench.core.files import sweep
from asdbench.core.locks import exclusive
from asdbench.core.progress import Progress
from asdbench.harness.cells import Cell
from asdbench.harness.embedding import EmbeddingStage
from asdbench.harness.fits import Embedded
from asdbench.harness.outputs import recorded
from asdbench.harness.plan import Plan
from asdbench.harness.record import (
    AGAIN,
    Failure,
    NewerRecordError,
    RecordError,
    RunRecord,
    load_record,
    read_record,
)
from asdbench.harness.scoring import Scores, score_machine
from asdbench.harness.store import missing_files
from asdbench.harness.writing import lengths, write_run
from asdbench.protocols import Evaluation, Intervals, SectionScores, bootstrap_intervals, evaluate
from asdbench.protocols.decisions import Decisions, decision_measures
from asdbench.score_files.files import list_score_files


def run_cell(
    plan: Plan,
    cell: Cell,
    failures: Sequence[Failure] = (),
    seconds: Mapping[str, float] | None = None,
    *,
    wait: bool = True,
    progress: Progress,
    cores: int,
) -> RunRecord:
    """Do one run and leave its folder, whole or not at all.

    A stage that fails is recorded with its reason, and the other machine types go on. A run that another process has
    finished in the meantime is read.

    Args:
        plan: the command.
        cell: the run.
        failures: of fits and embeddings that were done before; what failed there is not tried again.
        seconds: of stages that were done before.
        wait: for another process that is at the same run.
        progress: where the work is reported.
        cores: threads for decoding.

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
        # dataset -> frontend -> extractor
        embedded = EmbeddingStage(cell, plan.cache, progress, cores).run(failures=failures)
        embedded.seconds |= seconds or {}
        embedded.add_notes(
            cell.rule.cautions(
                trained=any(network.curves for network in embedded.training), ensemble=bool(cell.members)
            )
        )
        scores = score_clips(cell, embedded, progress)  # -> scorer
        evaluated = evaluate_scores(cell, scores, embedded.failures)  # -> protocol
        record = write_run(plan, cell, embedded, scores, *evaluated)  # -> run
    for note in record.notes[len(cell.dataset.notes) :]:  # those of the fit are said once, as all scorers share them
        progress.note(f"{cell.extractor.name if note in embedded.notes else cell.name}: {note}")
    return record


def score_clips(cell: Cell, embedded: Embedded, progress: Progress) -> Scores:
    """Scores of the test clips of all machine types that have embeddings; failures are added to the others."""
    scores: Scores = {}
    dataset, failures = cell.dataset, embedded.failures
    started = time.perf_counter()
    with progress.stage(f"score {cell.scorer.name}", len(dataset.machines)) as stage:
        stage.advance(0)
        for machine in dataset.machines:
            if machine in embedded.rows:
                with recorded(failures, "score", machine):
                    rows = embedded.rows[machine]
                    scores[machine] = score_machine(dataset, rows, cell.scorer, cell.seed, machine, cell.rule)
            stage.advance(1, machine)
    embedded.seconds["score"] = time.perf_counter() - started
    known = {failure.machine for failure in failures}
    if None not in known:  # nothing is done unless every machine type is
        missing = [machine for machine in dataset.machines if machine not in scores and machine not in known]
        failures += [Failure(stage="score", machine=machine, reason="It has no embeddings.") for machine in missing]
    return scores


def evaluate_scores(
    cell: Cell, scores: Scores, failures: Sequence[Failure] = ()
) -> tuple[Evaluation | None, Intervals | None, Decisions | None]:
    """The official score, its intervals, and what decisions are worth.

    None where clips carry no labels; of a failed run only the first.
    """
    if not scores or not cell.dataset.labelled:
        return None, None, None
    sections = with_labels(cell, scores)
    evaluation = evaluate(cell.dataset.protocol, sections)
    if failures:
        return evaluation, None, None
    intervals = bootstrap_intervals(cell.dataset.protocol, sections)
    return evaluation, intervals, decision_measures(sections, lengths(cell.dataset))


def with_labels(cell: Cell, scores: Scores) -> dict[tuple[str, str], SectionScores]:
    """The scores of a run with their labels, which nothing before this has seen."""
    labelled = {}
    for machine, sections in scores.items():
        for section, scored in sections.items():
            clips = list(cell.dataset.select(machines=[machine], section=section, split="test"))
            order = scored.order_of(clips)
            labelled[machine, section] = SectionScores(
                labels=np.array([clip.label for clip in clips], np.int64),
                domains=np.array([clip.domain or "" for clip in clips]),
                scores=scored.scores[order],
                decisions=scored.decisions[order],
                names=tuple(clip.name for clip in clips),
            )
    return labelled


def record_failure(plan: Plan, cell: Cell, failures: Sequence[Failure]) -> RunRecord:
    """Record a run that could not be done at all; one that another process has finished is read."""
    folder = plan.spec.out / cell.run_id
    with exclusive(_lock(plan, folder)):
        now = recorded_run(plan, cell)
        if now is not None and now.status == "done":
            return now
        sweep(folder)
        return write_run(plan, cell, Embedded(failures=list(failures)), {}, None, None)


def _lock(plan: Plan, folder: Path) -> Path:
    return plan.cache / "locks" / f"run-{digest([str(folder.resolve())])}.lock"


def recorded_run(plan: Plan, cell: Cell, warn: Callable[[str], None] = lambda _: None) -> RunRecord | None:
    """The record of a run that need not be done: done, or failed where failed ones are not to be tried again.

    ``warn`` is called with one line about a run that is there, but damaged.

    Raises:
        UsageError: a newer asdbench has written it.
    """
    folder = plan.spec.out / cell.run_id
    if plan.spec.fresh or not folder.is_dir():
        return None
    try:
        record = load_record(folder)
    except NewerRecordError as error:
        raise UsageError(f"{error}\nGive another folder for runs, or remove that one.") from error
    except RecordError as error:
        warn(f"{str(error).removesuffix(AGAIN)} It is made again.")
        return None
    scores = folder / "scores"
    if not record.digests and missing_files(record, list_score_files(scores)[0] if scores.is_dir() else []):  # old
        warn(f"{folder} has lost score files. It is made again.")
        return None
    return None if record.status == "failed" and plan.spec.retry_failed else record
