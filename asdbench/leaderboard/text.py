"""How numbers and names of a board are written, alike on every page, and what a board says about itself."""

import re

from asdbench.leaderboard.boards import Board
from asdbench.leaderboard.chance import DRAWINGS
from asdbench.leaderboard.rows import Row
from asdbench.leaderboard.table import Table
from asdbench.protocols.results import Interval

NONE = "–"
TERM_NAMES = {"auc_source": "AUC source", "auc_target": "AUC target", "auc": "AUC", "pauc": "pAUC"}
SPLITS = {"dev": "development set", "eval": "evaluation set"}
FORMULAS = {
    "dcase2020": "the mean of AUC and pAUC over the machine ids of each type, and then over the types",
    "dcase2021": "the harmonic mean of AUC and pAUC of both domains over all sections of all machine types",
}
FORMULA = "the harmonic mean of AUC source, AUC target and pAUC over all sections of all machine types"  # since 2022

_INTERVAL = (
    "2.5 and 97.5 percentiles over {replicates:,} resampled test sets, stratified by section, domain and label. "
    "Where a system has several seeds, these are resampled too, so the interval holds both what the choice of "
    "test clips and what the choice of seeds leaves open."
)
_RANK = (
    "From the best downwards a system shares the rank of those above it, unless one of them is significantly "
    "better on the same resampled test sets (paired bootstrap: the 95 % interval of the difference excludes 0); "
    "then it opens the next rank. So no two of one rank are significantly apart, and a lower rank says: worse "
    "than at least one system of the rank above."
)
_LEARNED = (
    "How well the trained network does its own task, in percent, the mean over networks and seeds; in brackets what it "
    "has to exceed: guessing, or the same network untrained, whichever is better; then in how many seeds every network "
    'exceeded both. Where one did not, the row says "did not learn", and its score says little of the method. Named '
    "for each system under Training; – where nothing is trained, or nothing was measured."
)
_SEEDS = "How often the system was trained and scored with another seed, and how far the scores spread."
_MEANS = (
    "AUC and pAUC (false-positive rates up to 0.1, McClish) over all sections, by the same mean as the score's. "
    "Machine columns hold the score's formula over that type alone."
)
_COST = (
    "Trained numbers of the largest network (0 where nothing is trained); seconds of training, and of embedding "
    "and scoring all clips, mean over seeds, on the machine that measured."
)
_PUBLISHED = (
    "Numbers of others, with their source. They carry no interval and no rank, because their scores are not at "
    "hand; they stand where their score belongs. A total with * is computed from the published terms; – beside a "
    "total: its terms were not published."
)
_PARTIAL = "Data that lack something of the challenge's; such rows are not ranked with whole ones."
_MISSING = "A row in which a machine type is missing gets no total and no rank; the reasons are listed."


def percent(value: float | None, digits: int = 2) -> str:
    """A fraction in percent."""
    return NONE if value is None else f"{100 * value:.{digits}f}"


def span(interval: Interval | None) -> str:
    """An interval in percent."""
    return NONE if interval is None else f"{100 * interval[0]:.1f} to {100 * interval[1]:.1f}"


def mean_and_spread(row: Row) -> str:
    """Mean ± standard deviation over seeds."""
    if row.score.value is None or row.seeds == 0:
        return NONE
    spread = f" ± {100 * row.spread:.2f}" if row.spread is not None else ""
    return percent(row.score.value) + spread


def count(number: int | None) -> str:
    """A number of learned parameters, three digits where it is large."""
    if number is None:
        return NONE
    if number >= 999_500:
        return f"{number / 1e6:.3g} M"
    return f"{number / 1e3:.3g} k" if number >= 10_000 else f"{number:,}"


def seconds(value: float | None) -> str:
    """A time in seconds, three digits."""
    if value is None:
        return NONE
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def score_text(row: Row) -> str:
    """The total; marked where it is not the plain official score."""
    return percent(row.score.value) + ("*" if row.score.value is not None and row.score.reason else "")


def learned_text(row: Row) -> str:
    """What the training is measured by, what has to be exceeded, and in how many seeds it was."""
    return NONE if row.learned is None else row.learned.short


def provenance(row: Row) -> str:
    """Where a row is from: device and commits of a measured one ("+" marks uncommitted changes)."""
    if row.kind == "published":
        return "published"
    if row.system is None:
        return "drawn here" if row.interval else "by definition"
    environments = [record.environment for record in row.system.records]
    commits = [(one.git_commit or "no commit")[:9] + ("+" if one.git_dirty else "") for one in environments]
    return f"measured, {environments[0].device}, {', '.join(dict.fromkeys(commits))}"


def title_of(board: Board) -> str:
    """Data set and split, as people call them."""
    if board.name == "synthetic":
        return "Synthetic machines"
    challenge = re.fullmatch(r"dcase(\d{4})-(dev|eval)", board.name)
    return f"DCASE {challenge[1]} Task 2, {SPLITS[challenge[2]]}" if challenge else board.name


def data_version(board: Board) -> str:
    """Digest of the recordings, of the runs that have most machine types; empty where nothing was measured."""
    whole = [record.dataset for system in board.systems for record in system.records if not record.dataset.lacks]
    return max(whole, key=lambda data: (len(data.test_clips), data.fingerprint)).fingerprint if whole else ""


def trained_of(table: Table) -> list[tuple[str, str]]:
    """What each system's training learned, by its label; those that learned alike share a line."""
    labels: dict[str, list[str]] = {}
    for row in table.rows:
        if row.learned is not None:
            labels.setdefault(row.learned.text, []).append(row.label)
    return [(", ".join(names), text) for text, names in labels.items()]


def missing_of(table: Table) -> list[tuple[Row, list[str], str]]:
    """Missing cells: row, machine types, reason; in the order of the rows. Rows of a total alone have a note."""
    missing: list[tuple[Row, list[str], str]] = []
    for row in table.rows:
        machines: dict[str, list[str]] = {}
        for machine, cell in row.machines.items() if not row.total_alone else ():
            if cell.value is None:
                machines.setdefault(cell.reason, []).append(machine)
        missing += [(row, names, reason) for reason, names in machines.items()]
    return missing


def best_of(table: Table) -> dict[str, float]:
    """The best number of each column that is measured or published, by column."""
    rows = table.of("measured", "published")
    best: dict[str, float] = {}
    for row in rows if len(rows) > 1 else ():
        cells = {"score": row.score, **row.terms, **{f"machine:{name}": cell for name, cell in row.machines.items()}}
        for column, cell in cells.items():
            if cell.value is not None and (not row.partial or table.partial):
                best[column] = max(best.get(column, -1.0), cell.value)
    return best


def summary(table: Table) -> str:
    """How many systems, machine types and clips stand on the board."""
    board = table.board
    measured, published = len(table.of("measured")), len(table.of("published"))
    kinds = [f"{number} {kind}" for number, kind in ((measured, "measured here"), (published, "published")) if number]
    clips: dict[str, int] = {}
    for system in board.systems:
        for record in system.records:
            clips |= {name: max(number, clips.get(name, 0)) for name, number in record.dataset.test_clips.items()}
    systems = f"{measured + published} system{'s' if measured + published != 1 else ''} ({', '.join(kinds)})"
    machines = f"{len(board.machines)} machine type{'s' if len(board.machines) != 1 else ''}"
    return f"{systems} on {machines}{f', {sum(clips.values()):,} test clips' if any(clips.values()) else ''}."


def partial_note(table: Table) -> str:
    """A warning where no measured row is of whole data."""
    if not table.partial:
        return ""
    return (
        f"Every measured row is of PARTIAL data ({'; '.join(table.partial)}), so the scores are partial ones, not "
        "official, and not to be put beside others."
    )


def column_notes(table: Table) -> list[tuple[str, str]]:
    """Columns and what they hold, as far as the board has them."""
    protocol = table.board.protocol
    measured, published = bool(table.of("measured")), bool(table.of("published"))
    over_seeds = " The mean over seeds where there are several." if measured else ""
    score = f"The official score of {protocol} in percent: {FORMULAS.get(protocol, FORMULA)}.{over_seeds}"
    notes = [
        ("Score", score, True),
        ("Learned", _LEARNED, measured),
        ("95 % interval", _INTERVAL.format(replicates=table.replicates), measured),
        ("Rank", _RANK, measured),
        ("Seeds, mean ± SD", _SEEDS, measured),
        ("Means", _MEANS, True),
        ("Cost", _COST, measured),
        ("Chance", _chance_note(table), True),
        ("Published", _PUBLISHED, published),
        ("Partial", _PARTIAL, any(row.partial for row in table.rows)),
        ("Missing", _MISSING, bool(missing_of(table))),
    ]
    return [(name, text) for name, text, shown in notes if shown]


def _chance_note(table: Table) -> str:
    if table.chance is None:
        return "50.00 by definition: no test clips are known here on which random scores could be drawn."
    return (
        f"Random scores on these very test clips, {DRAWINGS:,} drawings: mean {percent(table.chance.total)}, and "
        f"{span(table.chance.range95)} holds 95 % of single drawings. It is what a score has to exceed."
    )
