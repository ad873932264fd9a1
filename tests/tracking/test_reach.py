import sqlite3
from contextlib import closing

import pytest

from asdbench.tracking.reach import why_away, why_lost
from asdbench.tracking.store import Store, store_of


@pytest.mark.parametrize("password", ["p/w", "12/s3cret", "p?w", "p#w", "12?s3cret"])
def test_a_password_with_marks_in_it_is_read_as_by_the_database_itself(password, silent_port):
    uri = f"postgresql+psycopg://ann:{password}@127.0.0.1:{silent_port}/x"
    reason = why_away(Store(uri, None, None, False), 0.3)
    assert reason.startswith(f"postgresql+psycopg://127.0.0.1:{silent_port}/x does not answer")
    assert "timed out" in reason or "within 0.3 s" in reason  # it was found, and said nothing
    assert password not in reason


def test_a_database_that_is_locked_is_lost_and_a_damaged_record_loses_none(tmp_path):
    store = store_of(tmp_path, {})
    with closing(sqlite3.connect(store.file)) as other, closing(sqlite3.connect(store.file, timeout=0.1)) as ours:
        other.execute("CREATE TABLE runs (x)")
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(sqlite3.OperationalError) as told:
            ours.execute("SELECT * FROM runs")
    wrapped = ValueError("of a library")
    wrapped.__context__ = told.value
    assert why_lost(store, wrapped) == f"sqlite:///{tmp_path}/mlflow.db does not answer: database is locked"
    assert why_lost(store, ValueError("of a damaged record")) is None
