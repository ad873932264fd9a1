"""How numbers and names of a board are written, alike on every page."""

import re

from asdbench.leaderboard.boards import Board
from asdbench.leaderboard.rows import Row
from asdbench.leaderboard.table import Table
from asdbench.protocols.results import Interval

NONE = "–"
TERM_NAMES = {"auc_source": "AUC source", "auc_target": "AUC target", "auc": "AUC", "pauc": "pAUC"}
SPLITS = {"dev": "development set", "eval": "evaluation set"}
TITLES = {  # of the project's own boards
    "synthetic": "Synthetic machines",
    "synthetic-large": "Synthetic machines, full size",
    "synthetic-ids": "Synthetic machines with ids",
    "slider-2023": "Slide rails, recorded",
}
FORMULAS = {
    "dcase2020": "the mean of AUC and pAUC over the machine ids of each type, and then over the types",
    "dcase2021": "the harmonic mean of AUC and pAUC of both domains over all sections of all machine types",
}
FORMULA = "the harmonic mean of AUC source, AUC target and pAUC over all sections of all machine types"  # since 2022


def percent(value: float | None, digits: int = 2) -> str:
    """A fraction in percent."""
    return NONE if value is None else f"{100 * value:.{digits}f}"


def span(interval: Interval | None) -> str:
    """An interval in percent."""
    return NONE if interval is None else f"{100 * interval[0]:.1f} to {100 * interval[1]:.1f}"


def spread(row: Row) -> str:
    """The standard deviation over seeds behind a score, " ± 1.19"; empty where it would be 0.00."""
    spread = percent(row.spread) if row.spread is not None and row.score.value is not None else ""
    return f" ± {spread}" if spread.strip("0.") else ""


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


def cost_text(row: Row) -> str:
    """Seconds of training and of scoring all clips."""
    return NONE if row.total_s is None else f"{seconds(row.total_s)} s"


def size_text(row: Row) -> str:
    """What is trained, or how large what is not trained is; empty where that is not known."""
    if row.parameters is None:
        return ""
    if not row.parameters:
        return "nothing to train"
    frozen = row.kind == "measured" and not row.trains
    return f"{count(row.parameters)} parameters{', frozen' if frozen else ''}"


def sort_key(value: float | None) -> str:
    """A number by which the page sorts; six digits, which are the same on every processor."""
    return "" if value is None else f"{value:.6g}"


def score_text(row: Row) -> str:
    """The total; marked where it is not the plain official score."""
    return percent(row.score.value) + ("*" if row.score.value is not None and row.score.reason else "")


def same_text(row: Row) -> str:
    """The systems that share a row."""
    return f"the same scores: {', '.join(system.label for system in row.same)}" if row.same else ""


def learned_text(row: Row) -> str:
    """What the training is measured by, what has to be exceeded, and in how many seeds it was."""
    return NONE if row.learned is None else row.learned.short


def provenance(row: Row) -> str:
    """Where a row is from: device and commits of a measured one ("+" marks uncommitted changes)."""
    if row.kind in ("published", "submitted"):
        return row.kind
    if row.system is None:
        return "drawn here" if row.interval else "by definition"
    environments = [record.environment for record in row.system.records]
    commits = [(one.git_commit or "no commit")[:9] + ("+" if one.git_dirty else "") for one in environments]
    return f"measured, {environments[0].device}, {', '.join(dict.fromkeys(commits))}"


def title_of(board: Board) -> str:
    """Data set and split, as people call them."""
    challenge = re.fullmatch(r"dcase(\d{4})-(dev|eval)", board.name)
    return f"DCASE {challenge[1]} Task 2, {SPLITS[challenge[2]]}" if challenge else TITLES.get(board.name, board.name)


def short_title_of(board: Board) -> str:
    """The same where many stand side by side: "DCASE 2023 dev"."""
    return re.sub(r"^dcase(\d{4})-", r"DCASE \1 ", board.name)


def data_version(board: Board) -> str:
    """Digest of the recordings, of the runs that have most machine types; empty where nothing was measured."""
    whole = [record.dataset for system in board.systems for record in system.records if not record.dataset.lacks]
    whole = [data for data in whole if data.fingerprint]  # of submitted scores the recordings are not known
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
    rows = table.of("measured", "submitted", "published")
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
    kinds_shown = {"measured": "measured here", "submitted": "submitted", "published": "published"}
    numbers = {shown: sum(1 + len(row.same) for row in table.of(kind)) for kind, shown in kinds_shown.items()}
    kinds, total = [f"{number} {kind}" for kind, number in numbers.items() if number], sum(numbers.values())
    clips: dict[str, int] = {}
    for system in board.systems:
        for record in system.records:
            clips |= {name: max(number, clips.get(name, 0)) for name, number in record.dataset.test_clips.items()}
    systems = f"{total} system{'s' if total != 1 else ''} ({', '.join(kinds)})"
    same = sum(len(row.same) for row in table.rows)
    systems += f", {same} of them with every score of another," if same else ""
    machines = f" on {len(board.machines)} machine type{'s' if len(board.machines) != 1 else ''}"
    tested = f", {sum(clips.values()):,} test clips" if any(clips.values()) else ""
    return f"{systems}{machines if board.machines else ''}{tested}."


def partial_note(table: Table) -> str:
    """A warning where no measured row is of whole data."""
    if not table.partial:
        return ""
    return (
        f"Every measured row is of PARTIAL data ({'; '.join(table.partial)}), so the scores are partial ones, not "
        "official, and not to be put beside others."
    )
