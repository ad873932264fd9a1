"""The rows of a board: measured here, submitted or published by others, and chance."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Literal

from asdbench.harness.learned import Learned, learned
from asdbench.harness.record import RunRecord
from asdbench.leaderboard.boards import Board
from asdbench.leaderboard.chance import LEVEL, Chance
from asdbench.leaderboard.references import Reference, terms_of
from asdbench.leaderboard.systems import System
from asdbench.protocols.definitions import DEFINITIONS
from asdbench.protocols.results import Interval, MachineResult


@dataclass(frozen=True)
class Cell:
    """A number, or the reason why there is none. Scores are fractions."""

    value: float | None
    reason: str = ""


@dataclass(frozen=True)
class Row:
    """One line of a board."""

    # measured here, submitted as score files, published as numbers, or chance
    kind: Literal["measured", "submitted", "published", "chance"]
    name: str  # of the system, as pages call it
    score: Cell  # official score, mean over seeds; its reason says why there is none, or what it is instead
    terms: Mapping[str, Cell]  # AUC_source, AUC_target and pAUC (2020: AUC, pAUC), means over the machine types
    machines: Mapping[str, Cell]  # official score by machine type
    variant: str = ""  # what distinguishes it from others of its name
    rank: int | None = None  # shared by systems whose difference is not significant; None where the row is not ranked
    interval: Interval | None = None  # 95 %, of test clips and seeds; of chance the range of single drawings
    seeds: int = 0  # number of runs
    spread: float | None = None  # standard deviation over seeds; None with fewer than two
    parameters: int | None = None  # trained numbers, 0 where nothing is trained; None where unknown
    train_s: float | None = None  # time of training, mean over seeds
    score_s: float | None = None  # time of embedding and scoring all clips, mean over seeds
    date: str = ""  # of the last run, or the year of the publication
    system: System | None = None  # behind a measured or submitted row
    reference: Reference | None = None  # behind a published one
    partial: tuple[str, ...] = ()  # what its data lack
    learned: Learned | None = None  # what the trainings of all seeds learned; None where nothing is known of that
    same: tuple[System, ...] = ()  # other systems with the same score for every clip, which have no row of their own

    @property
    def total_s(self) -> float | None:
        """Seconds of training and of scoring all clips; None unless both are known."""
        return None if self.train_s is None or self.score_s is None else self.train_s + self.score_s

    @property
    def trains(self) -> bool:
        """Whether a network is trained; one that is frozen is not."""
        records = self.system.records if self.system else []
        return any(network.curves for record in records for network in record.training)

    @property
    def mark(self) -> str:
        """Says what did not learn; empty where all did, or nothing is known."""
        return self.learned.mark if self.learned else ""

    @property
    def total_alone(self) -> bool:
        """Whether nothing but a total was published."""
        return self.reference is not None and not self.reference.machines

    @property
    def label(self) -> str:
        """Name and variant."""
        return f"{self.name} ({self.variant})" if self.variant else self.name


def is_complete(board: Board, system: System) -> bool:
    """Whether every seed has results of all the board's machine types."""
    return all(
        record.results is not None and set(record.results.machines) == set(board.machines) for record in system.records
    )


def official_scores(system: System) -> list[float]:
    """Of the seeds that have one."""
    return [record.results.official_score for record in system.records if record.results is not None]


def measured_row(board: Board, system: System) -> Row:
    """The row of a system, without interval and rank; what is missing has its reason, and then there is no total."""
    records = system.records
    score, spread = Cell(None, "machine types are missing"), None
    complete = is_complete(board, system)
    if complete:
        scores = official_scores(system)
        score = Cell(fmean(scores), "of partial data, not official" if system.lacks else "")
        spread = stdev(scores) if len(scores) > 1 else None
    return Row(
        kind="submitted" if system.submitted else "measured",
        name=system.title,
        score=score,
        terms={
            term: Cell(fmean(_term(term, record) for record in records)) if complete else score
            for term in terms_of(board.protocol)
        },
        machines={machine: _machine_cell(machine, records) for machine in board.machines},
        variant=system.variant,
        seeds=len(records),
        spread=spread,
        parameters=system.submitted.parameters if system.submitted else _parameters(records),
        train_s=_seconds(records, "fit"),
        score_s=_seconds(records, "embed", "score"),
        date=max(record.finished_at for record in records)[:10],
        system=system,
        partial=system.lacks,
        learned=learned(*records),
    )


def published_row(board: Board, reference: Reference) -> Row:
    """The row of a published result: no interval and no rank; the total as published, else from its machine types."""
    missing = Cell(None, "not all machine types were published")
    scores = {machine: reference.score_of(machine) for machine in board.machines}
    complete = bool(scores) and None not in scores.values()
    score = missing
    if reference.official_score is not None:
        score = Cell(reference.official_score / 100)
    elif complete and reference.computed_score is not None:
        what = "means over sections, not the official score" if reference.section_means else "terms"
        score = Cell(reference.computed_score, f"computed from the published {what}")
    terms = dict.fromkeys(terms_of(board.protocol), missing)
    if complete:
        by_machine = [reference.terms(machine) or {} for machine in board.machines]
        mean = DEFINITIONS[board.protocol].mean
        terms = {term: Cell(float(mean([values[term] for values in by_machine]))) for term in terms}
    return Row(
        kind="published",
        name=reference.system,
        score=score,
        terms=terms,
        machines={name: Cell(value, "" if value is not None else "not published") for name, value in scores.items()},
        date=str(reference.year),
        reference=reference,
    )


def chance_row(board: Board, chance: Chance | None) -> Row:
    """The row of chance: drawn on the board's test clips, or where these are not known 50 by definition."""
    terms = terms_of(board.protocol)
    return Row(
        kind="chance",
        name="chance",
        score=Cell(chance.total if chance else LEVEL),
        terms={term: Cell(chance.terms[term] if chance else LEVEL) for term in terms},
        machines={machine: Cell(chance.machines[machine] if chance else LEVEL) for machine in board.machines},
        variant="random scores on these test clips" if chance else "by definition",
        interval=chance.range95 if chance else None,
    )


def _machine_cell(machine: str, records: Sequence[RunRecord]) -> Cell:
    scores: list[float] = []
    seeds_by_reason: dict[str, list[str]] = {}
    for record in records:
        result = _result_of(machine, record)
        if isinstance(result, str):
            seeds_by_reason.setdefault(result, []).append(str(record.asked.seed))
        else:
            scores.append(result.official_score)
    if not seeds_by_reason:
        return Cell(fmean(scores))
    reasons = []
    for reason, seeds in seeds_by_reason.items():
        some = "" if len(seeds) == len(records) else f" (seed{'s' if len(seeds) > 1 else ''} {', '.join(seeds)})"
        reasons.append(f"{reason}{some}")
    return Cell(None, "; ".join(reasons))


def _result_of(machine: str, record: RunRecord) -> MachineResult | str:
    """The result of one machine type, or why there is none."""
    if machine in record.scored:
        return record.scored[machine]
    if machine not in record.dataset.test_clips:
        return "not run"
    for failure in record.failures:
        if failure.machine in (machine, None):
            return f"failed: {failure.reason.splitlines()[0] if failure.reason else failure.stage}"
    others = ", ".join(dict.fromkeys(failure.machine for failure in record.failures if failure.machine))
    return f"not stored: the run failed on {others}" if others else "not stored"


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
    counts = [network.parameters for record in records for network in record.training]
    return None if None in counts else max((count for count in counts if count is not None), default=0)


def _seconds(records: Sequence[RunRecord], *stages: str) -> float | None:
    sums = [sum(record.seconds.get(stage, 0.0) for stage in stages) for record in records if record.seconds]
    return fmean(sums) if sums else None
