"""A SQLite store asked for a run without MLflow: in a millisecond, where MLflow's import takes seconds."""

import sqlite3
from contextlib import closing
from pathlib import Path

BUSY_S = 0.5


def has_run(file: Path, run_id: str) -> bool:
    """Whether the database in this file holds the run, one deleted on MLflow's page too.

    A database that cannot be read now, because somebody writes to it for long, is not doubted.
    """
    if not file.is_file():
        return False
    try:
        with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True, timeout=BUSY_S)) as database:
            found = database.execute("SELECT 1 FROM runs WHERE run_uuid = ?", (run_id,)).fetchone()
    except sqlite3.DatabaseError as error:
        return "locked" in str(error) or "busy" in str(error)
    return found is not None
