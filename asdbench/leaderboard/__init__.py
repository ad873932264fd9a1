"""Leaderboards: entries that runs leave, boards that bring them together, and the pages of both."""

from asdbench.leaderboard.entry import Entry, EntryError, load_entry
from asdbench.leaderboard.render import Pages, Rendered, check, make_pages, render
from asdbench.leaderboard.store import Added, BoardDirError, add_run, read_entries

__all__ = [
    "Added",
    "BoardDirError",
    "Entry",
    "EntryError",
    "Pages",
    "Rendered",
    "add_run",
    "check",
    "load_entry",
    "make_pages",
    "read_entries",
    "render",
]
