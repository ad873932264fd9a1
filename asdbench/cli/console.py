"""The console that tables are printed on."""

from typing import TYPE_CHECKING

from rich.console import Console

if TYPE_CHECKING:
    from rich.table import Table

UNLIMITED = 10_000  # columns
PIPE_WIDTH = 200  # columns, where the output is not a terminal


def print_whole(table: "Table") -> None:
    """Print a table with nothing cut or folded; a terminal that is too narrow wraps its lines."""
    console = table_console()
    Console(width=max(console.width, width_of(table, console)), highlight=False).print(table)


def width_of(table: "Table", console: Console) -> int:
    """Columns that a table takes when nothing is cut."""
    return console.measure(table, options=console.options.update(width=UNLIMITED, max_width=UNLIMITED)).maximum


def table_console() -> Console:
    """A console on standard output; wide where nobody looks at it, so that no table is folded in a file."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(width=PIPE_WIDTH, highlight=False)
