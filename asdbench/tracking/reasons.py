"""Why something was not sent, in one line that a person reads."""

import re
from importlib.util import find_spec
from pathlib import Path

from asdbench.tracking.store import Store

LONGEST = 300
_SCHEMA = re.compile(r"out-of-date database schema \(found version (\w+)")


def reason_of(error: BaseException, store: Store) -> str:
    """The first sentence of an error's message, without credentials; of tables of another MLflow the next command."""
    said = str(error).strip()
    found = _SCHEMA.search(said)
    if found is not None:
        return _other_schema(found[1], store)
    line = (said.splitlines() or [type(error).__name__])[0]
    # A full stop and a capital letter: neither "e.g., x" nor "3.17" ends a sentence.
    sentence = re.split(r"(?<=[^.\s][.!?])\s+(?=[A-Z])", line, maxsplit=1)[0]
    return store.scrubbed(sentence.rstrip("."))[:LONGEST]


def _other_schema(revision: str, store: Store) -> str:
    if revision != "None" and not _is_known(revision):
        return f"{store.shown} has tables of a newer MLflow than the one that is installed here: update that"
    return f"{store.shown} has tables of an older MLflow. Save a copy of it, then: mlflow db upgrade {store.shown}"


def _is_known(revision: str) -> bool:
    """Whether the MLflow installed here knows these tables; it has a file for each change of them."""
    found = find_spec("mlflow")
    if found is None or found.origin is None:
        return True
    return any(Path(found.origin).parent.glob(f"store/db_migrations/versions/{revision}_*.py"))
