"""Leaderboards: entries that runs leave, boards that bring them together, and the pages of both."""

from asdbench.leaderboard.entry import EntryError, load_entry
from asdbench.leaderboard.render import check, make_pages, render
from asdbench.leaderboard.store import BoardDirError, add_run, read_entries

__all__ = ["BoardDirError", "EntryError", "add_run", "check", "load_entry", "make_pages", "read_entries", "render"]
