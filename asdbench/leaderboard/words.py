"""How numbers and names of a board are written, alike on every page and in every country."""

import re

from asdbench.leaderboard.boards import Board
from asdbench.leaderboard.rows import Row, Table
from asdbench.protocols.results import Interval

TERM_NAMES = {"auc_source": "AUC source", "auc_target": "AUC target", "auc": "AUC", "pauc": "pAUC"}
SPLITS = {"dev": "development set", "eval": "evaluation set"}
_CHALLENGE = re.compile(r"dcase(\d{4})-(dev|eval)")
NONE = "–"


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
    if number >= 10_000:
        return f"{number / 1e3:.3g} k"
    return f"{number:,}"


def seconds(value: float | None) -> str:
    """A time in seconds, three digits."""
    if value is None:
        return NONE
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def title_of(board: Board) -> str:
    """Data set and split in words."""
    if board.name == "synthetic":
        return "Synthetic machines"
    challenge = _CHALLENGE.fullmatch(board.name)
    return f"DCASE {challenge[1]} Task 2, {SPLITS[challenge[2]]}" if challenge else board.name


def formula_of(protocol: str) -> str:
    """The official score in one sentence."""
    if protocol == "dcase2020":
        return "the mean of AUC and pAUC over the machine ids of each type, and then over the types"
    if protocol == "dcase2021":
        return "the harmonic mean of AUC and pAUC of both domains over all sections of all machine types"
    return "the harmonic mean of AUC source, AUC target and pAUC over all sections of all machine types"


def commits_of(row: Row) -> list[str]:
    """Commits of asdbench that a measured row's runs were made with, short; "+" marks uncommitted changes."""
    told = [record.environment for record in row.system.records] if row.system else []
    short = [(one.git_commit or "no commit")[:9] + ("+" if one.git_dirty else "") for one in told]
    return list(dict.fromkeys(short))


def provenance(row: Row) -> str:
    """Where a row is from, in a few words."""
    if row.kind == "published":
        return "published"
    if row.system is None:
        return "drawn here" if row.interval else "by definition"
    return f"measured, {row.system.records[0].environment.device}, {', '.join(commits_of(row))}"


def score_text(row: Row) -> str:
    """The total; marked where it is not the plain official score."""
    return percent(row.score.value) + ("*" if row.score.value is not None and row.score.reason else "")


def learned_text(row: Row) -> str:
    """What the training is measured by, what has to be exceeded, and in how many seeds it was."""
    return NONE if row.learned is None else row.learned.short


def trained_of(table: Table) -> list[tuple[str, str]]:
    """What each system's training learned, in words, by its label; those that learned alike share a line."""
    found: dict[str, list[str]] = {}
    for row in table.rows:
        if row.learned is not None:
            found.setdefault(row.learned.text, []).append(row.label)
    return [(", ".join(labels), text) for text, labels in found.items()]


def missing_of(table: Table) -> list[tuple[Row, list[str], str]]:
    """Missing cells: row, machine types, reason; in the order of the rows."""
    found: list[tuple[Row, list[str], str]] = []
    for row in table.rows:
        if row.total_alone:
            continue  # as a note says
        reasons: dict[str, list[str]] = {}
        for machine, cell in row.machines.items():
            if cell.value is None:
                reasons.setdefault(cell.reason, []).append(machine)
        found += [(row, machines, reason) for reason, machines in reasons.items()]
    return found


def best_of(table: Table) -> dict[str, float]:
    """The best number of each column that is measured or published, by column."""
    rows = table.of("measured", "published")
    best: dict[str, float] = {}
    for row in rows:
        whole = not row.partial or bool(table.partial)
        cells = {"score": row.score, **row.terms, **{f"machine:{name}": cell for name, cell in row.machines.items()}}
        for column, cell in cells.items():
            if whole and cell.value is not None:
                best[column] = max(best.get(column, -1.0), cell.value)
    return best if len(rows) > 1 else {}


def data_version(board: Board) -> str:
    """Digest of the recordings, of the runs that have most machine types; empty where nothing was measured."""
    whole = [record.dataset for system in board.systems for record in system.records if not record.dataset.lacks]
    return max(whole, key=lambda data: (len(data.test_clips), data.fingerprint)).fingerprint if whole else ""


def test_clips(board: Board) -> int:
    """Test clips of all machine types; 0 where nothing was measured."""
    clips: dict[str, int] = {}
    for system in board.systems:
        for record in system.records:
            clips |= {name: max(number, clips.get(name, 0)) for name, number in record.dataset.test_clips.items()}
    return sum(clips.values())
