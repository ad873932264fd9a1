"""Tables on standard output, drawn by rich. Where nobody looks at the output, no table is folded."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from asdbench.cli.output import echo, room_needed, shown
from asdbench.core.texts import percent

if TYPE_CHECKING:
    from asdbench.harness.learned import Learned

UNLIMITED = 10_000  # columns
PIPE_WIDTH = 200  # columns, where the output is no terminal


def text(value: object, style: str = "") -> Text:
    """A cell or a line without characters that a terminal would obey."""
    return Text(shown(str(value)), style)


def styled(cells: Iterable[object], style: str) -> list[Text]:
    """The cells of a row, all in one style."""
    return [text(cell, style) for cell in cells]


def interval(ends: Sequence[float | None] | None, digits: int = 1, *, sign: bool = False) -> str:
    """An interval of fractions in percent, "40.1, 84.8"; nothing for None."""
    return ", ".join(percent(end, digits, sign=sign) for end in ends or () if end is not None)


def print_learned(training: "Learned | None", label: str = "") -> None:
    """What a training learned, where something was trained; marked where it learned nothing."""
    if training is not None:
        style: dict[str, Any] = {"fg": "yellow"} if training.mark else {"dim": True}
        echo(f"{label}: {training.text}" if label else training.text, **style)


def table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> Table:
    """A table.

    Args:
        columns: headings; those of columns that are aligned to the right begin with ">", as in a format.
        rows: cells, of which strings are shown as they are, without markup.
    """
    made = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for column in columns:
        made.add_column(text(column.removeprefix(">"), "bold"), justify="right" if column[:1] == ">" else "left")
        made.columns[-1].overflow = "fold"
    for row in rows:
        made.add_row(*(cell if isinstance(cell, Text) else text(cell) for cell in row))
    return made


def width() -> int:
    """Columns of the output."""
    console = Console()
    return console.width if console.is_terminal else PIPE_WIDTH


def width_of(wanted: Table) -> int:
    """Columns that a table takes when nothing is cut or folded."""
    console = Console()
    options = console.options.update(width=UNLIMITED, max_width=UNLIMITED)
    return console.measure(wanted, options=options).maximum


def print_widest(*tables: Table) -> Table:
    """Print the first of several tables that fits the output, else the last; which one it was."""
    fitting = next((one for one in tables if width_of(one) <= width()), tables[-1])
    print_table(fitting)
    return fitting


def print_paragraph(content: str) -> None:
    """Print text, wrapped between words."""
    _print(text(content))


def print_table(wanted: Table) -> None:
    """Print a table; cells that do not fit are folded."""
    _print(wanted)


def _print(wanted: Table | Text) -> None:
    with room_needed():
        Console(width=width(), highlight=False).print(wanted)
