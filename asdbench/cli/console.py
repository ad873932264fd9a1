"""The console that tables are printed on."""

from collections.abc import Iterable
from typing import Any

import rich.console
from rich.console import ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from asdbench.cli.output import shown

UNLIMITED = 10_000  # columns
PIPE_WIDTH = 200  # columns, where the output is not a terminal


class Console(rich.console.Console):
    """Rich's, which shows control characters of names and messages as escapes, wherever they stand."""

    def print(self, *objects: Any, **options: Any) -> None:
        """Print; tables and texts are escaped first, so that columns are as wide as what they hold."""
        super().print(*map(_escaped, objects), **options)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Whatever else is printed (bars, for instance), piece by piece."""
        for segment in super().render(renderable, options):
            safe = segment.text if segment.control else shown(segment.text)
            yield segment if safe == segment.text else Segment(safe, segment.style)


def _escaped(thing: Any) -> Any:
    if isinstance(thing, str):
        return shown(thing)
    if isinstance(thing, Text):
        safe = shown(thing.plain)
        return thing if safe == thing.plain else Text(safe, thing.style, overflow=thing.overflow, no_wrap=thing.no_wrap)
    if isinstance(thing, Table):
        thing.title = _escaped(thing.title)
        for column in thing.columns:
            column.header = _escaped(column.header)
            column._cells[:] = map(_escaped, column._cells)
    return thing


def print_whole(table: Table) -> None:
    """Print a table with nothing cut or folded; a terminal that is too narrow wraps its lines."""
    console = table_console()
    Console(width=max(console.width, width_of(table, console)), highlight=False).print(table)


def width_of(table: Table, console: rich.console.Console) -> int:
    """Columns that a table takes when nothing is cut."""
    return console.measure(
        _escaped(table), options=console.options.update(width=UNLIMITED, max_width=UNLIMITED)
    ).maximum


def table_console() -> Console:
    """A console on standard output; wide where nobody looks at it, so that no table is folded in a file."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(width=PIPE_WIDTH, highlight=False)
