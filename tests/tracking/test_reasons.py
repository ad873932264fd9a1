import re
import sqlite3

import pytest

from asdbench.tracking.client import Client
from asdbench.tracking.reasons import reason_of
from asdbench.tracking.store import Store, store_of

FIRST = {
    "The filesystem tracking backend (e.g., './mlruns') is in maintenance mode and will not receive further "
    "updates. Please migrate to a database backend (e.g., 'sqlite:///mlflow.db').": (
        "The filesystem tracking backend (e.g., './mlruns') is in maintenance mode and will not receive further updates"
    ),
    "MLflow 3.17 has no version 1.2. Look": "MLflow 3.17 has no version 1.2",
    "no s3cret of http://ann:s3cret@h/x here\nsecond line": "no *** of http://h/x here",
    "  ": "ValueError",
}


@pytest.mark.parametrize("said", FIRST)
def test_a_reason_is_the_first_sentence_without_credentials(said):
    assert reason_of(ValueError(said), Store("http://ann:s3cret@h/x", None, None, False)) == FIRST[said]


@pytest.mark.parametrize("uri", ["foo", "file:/tmp/nowhere"])
def test_a_store_that_mlflow_does_not_take_is_told_in_a_line(tmp_path, uri):
    store = store_of(tmp_path, {"MLFLOW_TRACKING_URI": uri})
    with pytest.raises(Exception, match=r".") as caught:
        Client(store).experiment("x")
    reason = reason_of(caught.value, store)
    assert 20 < len(reason) < 150
    assert len(str(caught.value)) > 300
    assert reason in str(caught.value)


@pytest.mark.parametrize(
    ("revision", "said"),
    [("0a8213491aaa", r"older MLflow.*mlflow db upgrade sqlite:////\S+mlflow\.db$"), ("ffffffffffff", "newer MLflow")],
)
def test_tables_of_another_mlflow_are_told_with_the_next_command(beside, made_database, revision, said):
    with sqlite3.connect(beside.file) as database:
        database.execute("UPDATE alembic_version SET version_num = ?", (revision,))
    database.close()
    with pytest.raises(Exception, match="out-of-date") as caught:
        Client(beside).experiment("x")
    assert re.search(said, reason_of(caught.value, beside))
