import shutil
import sqlite3
from contextlib import closing

import pytest

from asdbench.tracking.schema import schema_state


def test_the_tables_of_a_database_are_compared_with_those_of_the_mlflow_that_is_installed(empty_database, tmp_path):
    file = shutil.copy(empty_database, tmp_path / "mlflow.db")
    assert schema_state(file) == "same"
    for revision, state in (("0584bdc529eb", "older"), ("not known", "newer")):  # one of MLflow 3's own
        with closing(sqlite3.connect(file)) as database, database:
            database.execute("UPDATE alembic_version SET version_num = ?", (revision,))
        assert schema_state(file) == state


def test_a_file_without_tables_and_one_that_is_no_database(tmp_path):
    (tmp_path / "empty.db").touch()
    assert schema_state(tmp_path / "empty.db") == "none"
    (tmp_path / "text.db").write_text("no database, and long enough not to be taken for one that is new" * 20)
    with pytest.raises(sqlite3.Error):
        schema_state(tmp_path / "text.db")
