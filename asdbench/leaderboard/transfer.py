"""What a board is worth elsewhere: whether the order of systems on one board is their order on another."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations

from asdbench.core.digests import digest
from asdbench.core.errors import UsageError
from asdbench.leaderboard.boards import Board
from asdbench.leaderboard.rows import Row, measured_row, published_row
from asdbench.leaderboard.systems import title_of_system
from asdbench.leaderboard.table import Table
from asdbench.leaderboard.text import short_title_of
from asdbench.protocols.rank_correlation import LEAST_SYSTEMS, Correlation, rank_correlations
from asdbench.protocols.resampling import Resampled, difference

ENOUGH_FAMILIES = 5  # with fewer an interval excludes 0 too often where there is no relation
_SAYS_NOTHING = frozenset({"raw", "frozen", "official", "the"})  # in front of what a system is


@dataclass(frozen=True)
class Side:
    """A board as a transfer sees it, or a column of a table; scores are fractions or whatever the table has."""

    name: str  # of the board
    title: str  # for people
    scores: Mapping[str, float]  # by system
    unit: float = 100.0  # what a score is multiplied with to be points
    # of the systems whose parts are known; of others the name tells
    families: Mapping[str, str] = field(default_factory=dict)
    resampled: Mapping[str, Resampled] = field(default_factory=dict)  # of the systems whose test clips are known
    # digests of all results, of the systems that were scored here: equal ones cannot be distinguished
    results: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Loss:
    """What choosing by one board costs on the other."""

    winner: str  # best on the board that is chosen by
    best: str  # best on the other
    lost: float  # by which the winner's score is lower there
    at_random: float  # by which the score of a system picked at random is lower, on the average


@dataclass(frozen=True)
class Agreement:
    """Pairs of systems that are significantly apart on every board whose test clips are known."""

    same: int  # pairs of the same order on both boards
    pairs: int  # all of them


@dataclass(frozen=True)
class Transfer:
    """Two boards, by the systems that both have."""

    first: Side  # the one
    second: Side  # the other
    # best first on the one, with their families; systems of equal results are one, their names joined
    systems: Mapping[str, str]
    scores: Mapping[str, tuple[float, float]]  # of each on both, as the boards have them
    spearman: Correlation  # rank correlation
    kendall: Correlation  # the other rank correlation, tau-b
    on_second: Loss  # what choosing by the first costs on the second
    on_first: Loss  # the reverse
    agreement: Agreement | None  # None where no test clips are known

    @property
    def families(self) -> int:
        """How many there are."""
        return len(set(self.systems.values()))

    @property
    def verdict(self) -> str:
        """Whether one may choose by the one for the other, in a few words."""
        value, ci95 = self.spearman.value, self.spearman.ci95
        if value is None or value <= 0:
            return "do not choose by it"
        holds = ci95 is not None and ci95[0] > 0 and self.families >= ENOUGH_FAMILIES
        return "its order tends to hold there" if holds else "no ground to choose by it"


def side_of(board: Board, table: Table | None = None) -> Side:
    """A board's systems with a score, the first of a name; by ``table`` it is known which are significantly apart."""
    rows = [row for row in (measured_row(board, system) for system in board.systems) if not row.partial]
    rows += [published_row(board, reference) for reference in board.references.values()]
    names = [row.system.name for row in rows if row.system]
    scores: dict[str, float] = {}
    families: dict[str, str] = {}
    resampled: dict[str, Resampled] = {}
    results: dict[str, str] = {}
    for row in rows:
        name = title_of_system(_name_of(row))
        if row.system is not None and names.count(row.system.name) > 1 and row.variant:
            name += f" ({row.variant})"
        if row.score.value is None or name in scores:
            continue
        scores[name] = row.score.value
        if row.system is not None:
            records = row.system.records
            results[name] = digest([[one.asked.seed, one.results.model_dump()] for one in records if one.results])
            if row.kind == "measured":
                families[name] = records[0].extractor.name
            if table is not None and row.system.key in table.resampled:
                resampled[name] = table.resampled[row.system.key]
    return Side(board.name, short_title_of(board), scores, 100.0, families, resampled, results)


def transfer(first: Side, second: Side) -> Transfer | None:
    """What two boards say of each other; None where they share fewer than three systems."""
    shared = [name for name in first.scores if name in second.scores]
    groups = list(_alike(shared, first, second))
    if len(groups) < LEAST_SYSTEMS:
        return None
    scores = {" = ".join(group): (_mean(group, first), _mean(group, second)) for group in groups}
    families = {" = ".join(group): _family(group[0], first, second) for group in groups}
    order = sorted(scores, key=lambda name: (-scores[name][0], name))
    scores = {name: scores[name] for name in order}
    on_first, on_second = zip(*scores.values(), strict=True)
    found = rank_correlations(on_first, on_second, [families[name] for name in order])
    return Transfer(
        first,
        second,
        {name: families[name] for name in order},
        scores,
        found.spearman,
        found.kendall,
        _loss(scores, 0),
        _loss(scores, 1),
        _agreement([group[0] for group in groups], first, second),
    )


def transfers(sides: Sequence[Side]) -> list[Transfer]:
    """Of all pairs that share systems enough, in the order of the sides."""
    return [found for pair in combinations(sides, 2) if (found := transfer(*pair))]


def of_board(name: str, found: Iterable[Transfer]) -> list[tuple[str, Transfer]]:
    """The other board's title and the transfer of each pair that a board is in; real recordings first, then by size."""
    pairs = [(one.second if one.first.name == name else one.first, one) for one in found if name in _names(one)]
    pairs.sort(key=lambda pair: (not pair[0].name.startswith("dcase"), -len(pair[1].systems), pair[0].name))
    return [(side.title, one) for side, one in pairs]


def sentence(pairs: Sequence[tuple[str, Transfer]]) -> str:
    """What a board's page says of other boards, by their titles."""
    texts = [
        f"with {title} {correlation_text(one.spearman)} over {len(one.systems)} systems of {one.families} families: "
        f"{one.verdict}"
        for title, one in pairs
    ]
    return f"rank correlation {'; '.join(texts)}" if texts else ""


def correlation_text(one: Correlation) -> str:
    """A correlation with its interval, "-0.60 [-1.00, 0.32]"."""
    if one.value is None:
        return "not defined"
    ends = f" [{one.ci95[0]:.2f}, {one.ci95[1]:.2f}]" if one.ci95 else ""
    return f"{one.value:.2f}{ends}"


def loss_text(loss: Loss, by: Side, there: Side) -> str:
    """What choosing by one board costs on another, in a sentence without its end."""
    best = (
        "which is the best there too" if loss.winner == loss.best else f"{there.unit * loss.lost:.2f} below {loss.best}"
    )
    return (
        f"chosen by {by.title}: {loss.winner}, on {there.title} {best}; picked at random: "
        f"{there.unit * loss.at_random:.2f} below the best"
    )


def require_transfers(sides: Sequence[Side]) -> list[Transfer]:
    """As ``transfers``. Raises UsageError: no two of them share systems enough."""
    found = transfers(sides)
    if found:
        return found
    counts = ", ".join(
        f"{one.name} and {two.name}: {len(set(one.scores) & set(two.scores))}" for one, two in combinations(sides, 2)
    )
    raise UsageError(f"No two boards share {LEAST_SYSTEMS} systems that differ ({counts}).\nNames have to be the same.")


def leading_word(name: str) -> str:
    """The family of a system of which only the name is known: "conf" of "conf-soft-m0-k1"."""
    words = name.rpartition(": ")[2].split()
    while len(words) > 1 and words[0].casefold() in _SAYS_NOTHING:
        words.pop(0)
    return next(filter(None, re.split(r"[-_+/,.]", words[0] if words else "")), name)


def _name_of(row: Row) -> str:
    """The card that runs a system, where there is one: by it published and measured rows are the same."""
    if row.system is not None:
        return row.system.name
    return row.reference.card if row.reference is not None and row.reference.card else row.name


def _names(one: Transfer) -> tuple[str, str]:
    return one.first.name, one.second.name


def _family(name: str, first: Side, second: Side) -> str:
    return first.families.get(name) or second.families.get(name) or leading_word(name)


def _alike(names: Sequence[str], first: Side, second: Side) -> Iterator[list[str]]:
    """Systems in groups whose results nothing distinguishes, on every board where they were scored here."""
    groups: dict[object, list[str]] = {}
    for name in names:
        known = tuple(side.results.get(name) for side in (first, second))
        groups.setdefault(known if any(known) else name, []).append(name)
    yield from groups.values()


def _mean(names: Sequence[str], side: Side) -> float:
    return sum(side.scores[name] for name in names) / len(names)


def _loss(scores: Mapping[str, tuple[float, float]], by: int) -> Loss:
    there = 1 - by
    winner, best = (max(scores, key=lambda name: scores[name][side]) for side in (by, there))
    top = scores[best][there]
    mean = sum(pair[there] for pair in scores.values()) / len(scores)
    return Loss(winner, best, top - scores[winner][there], top - mean)


def _agreement(names: Sequence[str], first: Side, second: Side) -> Agreement | None:
    """Over pairs that are significantly apart wherever that is known."""
    if not first.resampled and not second.resampled:
        return None
    same = pairs = 0
    for one, two in combinations(names, 2):
        verdicts = [found for side in (first, second) if (found := _apart(one, two, side)) is not None]
        if verdicts and all(verdicts):
            pairs += 1
            same += (first.scores[one] - first.scores[two]) * (second.scores[one] - second.scores[two]) > 0
    return Agreement(same, pairs)


def _apart(one: str, two: str, side: Side) -> bool | None:
    if one not in side.resampled or two not in side.resampled:
        return None
    return difference(0.0, side.resampled[one], side.resampled[two]).significant
