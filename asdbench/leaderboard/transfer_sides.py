"""The boards that ``asdbench transfer`` compares: those of a board folder, and columns of tables of scores."""

import csv
import io
from collections.abc import Callable, Sequence
from pathlib import Path

from asdbench.core.errors import DataError, UsageError, did_you_mean
from asdbench.core.numbers import parse_float
from asdbench.core.paths import expand_user
from asdbench.leaderboard.boards import Board, make_boards
from asdbench.leaderboard.references import read_references
from asdbench.leaderboard.store import read_entries
from asdbench.leaderboard.table import make_table
from asdbench.leaderboard.transfer import Side, leading_word, side_of
from asdbench.protocols.resampling import REPLICATES

SPLITS = ("dev", "eval")  # what columns of scores begin with, where none are named
FAMILY = "family"  # a column that says which systems are variants of one


def named_sides(
    names: Sequence[str],
    board_dir: Path,
    replicates: int = REPLICATES,
    on_board: Callable[[str], None] = lambda _: None,
) -> list[Side]:
    """The sides that are meant by names of boards, by ``FILE.csv`` and by ``FILE.csv:COLUMN``.

    Args:
        names: of which there may be one where it is a table of several columns.
        board_dir: holds results/ and references/.
        replicates: resampled test sets, by which pairs of systems are significantly apart.
        on_board: is given each board's name as it is begun.

    Raises:
        UsageError: no such board or column, one stands twice, or there is only one.
        RequirementError: there is no such folder of boards.
        DataError: a table cannot be read.
    """
    boards: dict[str, Board] = {}
    _require_several(names, alone=any(_is_table(name) for name in names))
    if not all(_is_table(name) for name in names):
        boards, broken = make_boards(read_entries(board_dir).entries, read_references(board_dir).references)
        for name in names:
            if not _is_table(name) and name not in boards:
                reason = f" {broken[name]}" if name in broken else did_you_mean(name, boards)
                raise UsageError(
                    f"No board '{name}' in {board_dir}.{reason}\n"
                    f"There are: {', '.join(boards) or 'none'}; or name tables: FILE.csv, FILE.csv:COLUMN."
                )
    sides: list[Side] = []
    for name in names:
        if _is_table(name):
            sides += _table_sides(name)
        else:
            on_board(name)
            sides.append(side_of(boards[name], make_table(boards[name], replicates)))
    _require_several([side.name for side in sides])
    return sides


def _require_several(names: Sequence[str], *, alone: bool = False) -> None:
    """Refuse one board, unless it may stand ``alone``, and one that stands twice."""
    doubled = next((name for name in names if names.count(name) > 1), None)
    if doubled or (len(names) < 2 and not alone):
        fault = f"{doubled} is named twice" if doubled else f"{', '.join(names) or 'nothing'} is one board"
        raise UsageError(
            f"{fault}; a transfer is from one to another.\nName two or more: asdbench transfer BOARD BOARD"
        )


def _is_table(name: str) -> bool:
    return name.partition(".csv")[1] == ".csv"


def _table_sides(name: str) -> list[Side]:
    """The columns of a table that are meant: the one behind a colon, else those of development and evaluation."""
    before, mark, wanted = name.rpartition(".csv:")
    path = expand_user(f"{before}.csv" if mark else name)
    rows = _read(path)
    numbers = [column for column in rows[0] if 2 * sum(_is_number(row[column]) for row in rows) >= len(rows)]
    named = [column for column in rows[0] if column not in (*numbers, FAMILY)]
    if not named:
        raise DataError(f"{path} has no column with names of systems.\nNeeded: one of text before columns of numbers.")
    of_splits = tuple(f"{split}_" for split in SPLITS)
    chosen = [column for column in numbers if column in SPLITS or column.startswith(of_splits)] or numbers
    if mark:
        if wanted not in numbers:
            hint = did_you_mean(wanted, numbers)
            raise UsageError(f"{path} has no column '{wanted}' of numbers.{hint}\nThere are: {', '.join(numbers)}.")
        chosen = [wanted]
    systems: dict[str, dict[str, str]] = {}
    for row in rows:
        system = " ".join(row[column] for column in named)
        if system in systems:
            raise DataError(f"{path} has {system} twice.\nEach system has one row.")
        systems[system] = row
    for column in chosen:
        wrong = next((system for system, row in systems.items() if not _is_number(row[column])), None)
        if wrong is not None:
            cell = systems[wrong][column]
            raise DataError(f"{path}: {column} of {wrong} is {cell!r}.\nNeeded: a finite number with a point.")
    families = {system: row.get(FAMILY) or leading_word(row[named[-1]]) for system, row in systems.items()}
    return [
        Side(
            name=f"{path.name}:{column}",
            title=f"{path.name} {column}",
            scores={system: parse_float(row[column]) for system, row in systems.items()},
            unit=1.0,
            families=families,
        )
        for column in chosen
    ]


def _read(path: Path) -> list[dict[str, str]]:
    """The rows of a table by column; the same columns in each."""
    needed = "Needed: a CSV with a header and a row for each system."
    try:
        text = path.read_text(encoding="utf-8-sig")
        lines = [line for line in csv.reader(io.StringIO(text, newline=""), strict=True) if any(map(str.strip, line))]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise DataError(f"{path} cannot be read: {reason}.\n{needed}") from error
    if len(lines) < 2:
        raise DataError(f"{path} has no rows.\n{needed}")
    header, *rows = ([cell.strip() for cell in line] for line in lines)
    for number, row in enumerate(rows, 2):
        if len(row) != len(header):
            raise DataError(
                f"{path}, row {number}: {len(row)} cells under {len(header)} columns.\nNeeded: one in each."
            )
    return [dict(zip(header, row, strict=True)) for row in rows]


def _is_number(cell: str) -> bool:
    try:
        parse_float(cell)
    except ValueError:
        return False
    return True
