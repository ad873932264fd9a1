"""From the records of a system's seeds to its row."""

from collections.abc import Sequence
from statistics import fmean, stdev

from asdbench.harness.learned import learned
from asdbench.harness.record import RunRecord
from asdbench.leaderboard.boards import Board
from asdbench.leaderboard.references import terms_of
from asdbench.leaderboard.rows import Cell, Row
from asdbench.leaderboard.systems import System
from asdbench.protocols.definitions import DEFINITIONS
from asdbench.protocols.results import MachineResult


def is_complete(board: Board, system: System) -> bool:
    """Whether every seed has results of all the board's machine types."""
    return all(
        record.results is not None and set(record.results.machines) == set(board.machines) for record in system.records
    )


def mean_score(system: System) -> float:
    """Official score, mean over the seeds of a complete system."""
    return fmean([record.results.official_score for record in system.records if record.results is not None])


def measured_row(board: Board, system: System) -> Row:
    """The row of a system, without interval and rank; what is missing has its reason, and then there is no total."""
    records = system.records
    machines = {machine: _machine_cell(machine, records) for machine in board.machines}
    complete = is_complete(board, system)
    score = Cell(None, "machine types are missing")
    spread = None
    if complete:
        scores = [record.results.official_score for record in records if record.results is not None]
        score = Cell(fmean(scores), "of partial data, not official" if system.lacks else "")
        spread = stdev(scores) if len(scores) > 1 else None
    return Row(
        kind="measured",
        name=system.name,
        variant=system.variant,
        score=score,
        seeds=len(records),
        spread=spread,
        terms={term: _term_cell(term, records) if complete else score for term in terms_of(board.protocol)},
        machines=machines,
        parameters=_parameters(records),
        train_s=_seconds(records, "fit"),
        score_s=_seconds(records, "embed", "score"),
        date=max(record.finished_at for record in records)[:10],
        system=system,
        partial=system.lacks,
        learned=learned(*records),
    )


def _machine_cell(machine: str, records: Sequence[RunRecord]) -> Cell:
    values: list[float] = []
    reasons: dict[str, list[str]] = {}
    for record in records:
        own = _result_of(machine, record)
        if isinstance(own, str):
            reasons.setdefault(own, []).append(str(record.asked.seed))
        else:
            values.append(own.official_score)
    if not reasons:
        return Cell(fmean(values))
    told = []
    for reason, seeds in reasons.items():
        some = "" if len(seeds) == len(records) else f" (seed{'s' if len(seeds) > 1 else ''} {', '.join(seeds)})"
        told.append(f"{reason}{some}")
    return Cell(None, "; ".join(told))


def _result_of(machine: str, record: RunRecord) -> MachineResult | str:
    """The result of one machine type, or why there is none."""
    found = record.results.machines if record.results is not None else record.salvaged
    if machine in found:
        return found[machine]
    if machine not in record.dataset.test_clips:
        return "not run"
    for failure in record.failures:
        if failure.machine in (machine, None):
            return f"failed: {failure.reason.splitlines()[0] if failure.reason else failure.stage}"
    others = ", ".join(dict.fromkeys(failure.machine for failure in record.failures if failure.machine))
    return f"not kept: the run failed on {others}" if others else "not kept"


def _term_cell(term: str, records: Sequence[RunRecord]) -> Cell:
    return Cell(fmean([_term(term, record) for record in records]))


def _term(term: str, record: RunRecord) -> float:
    """A term's mean over all sections, as the official programs print it; 2021's by domain over machine types."""
    results = record.results
    assert results is not None
    if results.means is not None and record.dataset.protocol != "dcase2021":
        means = results.means.arithmetic if results.protocol == "dcase2020" else results.means.harmonic
        return means[term]
    values = [getattr(machine, term) for machine in results.machines.values()]
    return float(DEFINITIONS[results.protocol].mean(values))


def _parameters(records: Sequence[RunRecord]) -> int | None:
    """Of the largest network: where each machine type has one of its own they are alike."""
    told = [network.parameters for record in records for network in record.training]
    if any(value is None for value in told):
        return None
    return max((value for value in told if value is not None), default=0)


def _seconds(records: Sequence[RunRecord], *stages: str) -> float | None:
    sums = [sum(record.seconds.get(stage, 0.0) for stage in stages) for record in records if record.seconds]
    return fmean(sums) if sums else None
