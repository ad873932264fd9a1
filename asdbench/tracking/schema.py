"""Whether the tables of an MLflow database are those of the MLflow that is installed; MLflow is not imported."""

import importlib.util
import re
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Literal

State = Literal["same", "older", "newer", "none"]


def schema_state(file: Path) -> State:
    """Of a SQLite file's tables, against those that the installed MLflow wants; "none" where it has none yet.

    Raises:
        sqlite3.Error: it is no database, or cannot be read.
    """
    with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True, timeout=1.0)) as database:
        tables = {name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        if "alembic_version" not in tables:
            return "none"
        revisions = {revision for (revision,) in database.execute("SELECT version_num FROM alembic_version")}
    known, heads = _revisions()
    if not known or revisions <= heads:
        return "same"
    return "older" if revisions <= known else "newer"


def _revisions() -> tuple[set[str], set[str]]:
    """All revisions of the tables that the installed MLflow knows, and the last ones."""
    spec = importlib.util.find_spec("mlflow")
    known, replaced = set(), set()
    for folder in (spec.submodule_search_locations or []) if spec else []:
        for path in Path(folder).glob("store/db_migrations/versions/*.py"):
            text = path.read_text("utf-8")
            known |= set(re.findall(r"^revision = [\"'](\w+)[\"']", text, re.MULTILINE))
            replaced |= set(re.findall(r"^down_revision = [\"'](\w+)[\"']", text, re.MULTILINE))
    return known, known - replaced
