"""The rows of a board, and the board with all its numbers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from asdbench.harness.learned import Learned
from asdbench.leaderboard.boards import Board
from asdbench.leaderboard.chance import Chance
from asdbench.leaderboard.references import Reference, terms_of
from asdbench.leaderboard.systems import System
from asdbench.protocols.resampling import Resampled
from asdbench.protocols.results import Interval

Kind = Literal["measured", "published", "chance"]


@dataclass(frozen=True)
class Cell:
    """A number, or the reason why there is none. Scores are fractions."""

    value: float | None
    reason: str = ""


@dataclass(frozen=True)
class Row:
    """One line of a board.

    Attributes:
        kind: measured here, published by others, or chance.
        name: of the system.
        variant: what tells it from others of its name.
        rank: shared by systems whose difference is not significant; None where the row is not ranked.
        score: official score, mean over seeds; its reason says why there is none, or what it is instead.
        interval: 95 %, of test clips and seeds; of chance the range of single drawings.
        seeds: number of runs.
        spread: standard deviation over seeds; None with fewer than two.
        terms: AUC_source, AUC_target and pAUC (2020: AUC, pAUC), means over the machine types.
        machines: official score by machine type.
        parameters: trained numbers, 0 where nothing is trained; None where unknown.
        train_s: time of training, mean over seeds.
        score_s: time of embedding and scoring all clips, mean over seeds.
        date: of the last run, or the year of the publication.
        system: behind a measured row.
        reference: behind a published one.
        partial: what its data lack.
        learned: what the trainings of all seeds learned; None where nothing is known of that.
    """

    kind: Kind
    name: str
    variant: str = ""
    rank: int | None = None
    score: Cell = Cell(None)
    interval: Interval | None = None
    seeds: int = 0
    spread: float | None = None
    terms: Mapping[str, Cell] = field(default_factory=dict)
    machines: Mapping[str, Cell] = field(default_factory=dict)
    parameters: int | None = None
    train_s: float | None = None
    score_s: float | None = None
    date: str = ""
    system: System | None = None
    reference: Reference | None = None
    partial: tuple[str, ...] = ()
    learned: Learned | None = None

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


@dataclass(frozen=True)
class Table:
    """A board with all its numbers.

    Attributes:
        board: what it was made from.
        rows: best first; those without a score last.
        chance: None where no test clips are known.
        partial: what the data of all measured rows lack; empty where any row is of whole data.
        replicates: resampled test sets behind intervals and ranks.
        resampled: of the ranked rows, by their systems' keys.
    """

    board: Board
    rows: tuple[Row, ...]
    chance: Chance | None
    partial: tuple[str, ...]
    replicates: int
    resampled: Mapping[str, Resampled]

    @property
    def terms(self) -> tuple[str, ...]:
        """Columns between total and machine types."""
        return terms_of(self.board.protocol)

    def of(self, *kinds: Kind) -> list[Row]:
        """The rows of some kinds."""
        return [row for row in self.rows if row.kind in kinds]
