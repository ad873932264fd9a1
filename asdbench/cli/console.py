"""The console that tables are printed on."""

from rich.console import Console

PIPE_WIDTH = 200  # columns, where the output is not a terminal


def table_console() -> Console:
    """A console on standard output; wide where nobody looks at it, so that no table is folded in a file."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(width=PIPE_WIDTH, highlight=False)
