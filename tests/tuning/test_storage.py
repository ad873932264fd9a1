"""Where a study is kept, and what is said when it cannot be."""

import builtins
import socket
import time
from pathlib import Path

import pytest

from asdbench.core.errors import RequirementError, UsageError
from asdbench.tuning.storage import StorageError, open_storage, quiet_optuna


@pytest.fixture(autouse=True)
def quiet():
    with quiet_optuna():
        yield


def test_a_file_is_made_where_it_is_not_there(tmp_path):
    for uri in (f"sqlite:///{tmp_path}/a.db", f"journal:{tmp_path}/b.log", f"journal:{tmp_path}/new/c.log"):
        assert open_storage(uri).get_all_studies() == []
        assert open_storage(uri).get_all_studies() == []


@pytest.mark.parametrize(
    ("uri", "words"),
    [
        ("optuna.db", "expected an address"),
        ("sqlite://", "a study is stored in a file"),
        ("sqlite:///:memory:", "a study is stored in a file"),
        ("journal:", "expected a file behind it"),
        ("nosuch://host/db", "nosuch"),
        ("sqlite:////proc/nowhere/a.db", "Cannot write"),
        ("journal:/proc/nowhere/a.log", "Cannot write"),
    ],
)
def test_what_is_no_storage_is_refused(uri, words):
    with pytest.raises(UsageError) as refused:
        open_storage(uri)
    assert words in str(refused.value)


@pytest.mark.parametrize(
    "uri",
    [
        "postgresql:ann:s3cret@db/x",
        "host=db password=s3cret",
        "ann:s3cret@db",
        "postgresql://db:s3cret/x",
        "postgresql://ann:s3cret:4@:x/y",
        "postgresql://ann:s3c/r@s3cret@nosuch.invalid/x",
        "nosuch://ann:s3cret@db/x",
    ],
)
def test_an_address_that_is_spelt_wrong_is_refused_without_its_password(uri):
    with pytest.raises((UsageError, StorageError)) as refused:
        open_storage(uri)
    assert "s3cret" not in str(refused.value)


@pytest.mark.parametrize("text", ["no journal", "no journal\n", "no journal\nat all\n", "[1]\n", "5\n", "\xe9\n"])
def test_a_file_that_is_no_journal_is_refused_and_left_alone(text, tmp_path):
    path = tmp_path / "a.log"
    path.write_text(text, encoding="latin-1")
    with pytest.raises(UsageError, match="it is no journal of Optuna"):
        open_storage(f"journal:{path}")
    assert path.read_text(encoding="latin-1") == text


def test_a_file_of_another_kind_is_reported(tmp_path):
    path = tmp_path / "a.db"
    path.write_text("This is no database." * 100)
    with pytest.raises(RequirementError, match=r"a\.db cannot be used: file is not a database"):
        open_storage(f"sqlite:///{path}")
    assert path.read_text().startswith("This is no database.")


def test_a_server_that_is_away_is_reported_in_seconds_in_two_lines_without_its_password():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    started = time.monotonic()
    with pytest.raises(StorageError) as raised:
        open_storage(f"postgresql://ann:s3cret@127.0.0.1:{port}/tuning")
    assert time.monotonic() - started < 10
    message = str(raised.value)
    assert raised.value.exit_code == 3
    assert f"postgresql://127.0.0.1:{port}/tuning" in message
    assert "s3cret" not in message
    assert len(message.splitlines()) == 2


def test_a_missing_driver_says_what_to_install(monkeypatch):
    real = builtins.__import__

    def without_psycopg(name, *args, **kwargs):
        if name.partition(".")[0] == "psycopg":
            raise ImportError("No module named 'psycopg'")
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without_psycopg)
    with pytest.raises(StorageError, match=r"pip install 'asdbench\[postgres\]'"):
        open_storage("postgresql://ann:s3cret@127.0.0.1/tuning")


def test_nothing_is_left_beside_the_file_but_its_lock(tmp_path):
    open_storage(f"sqlite:///{tmp_path}/a.db")
    assert {path.name for path in Path(tmp_path).iterdir()} <= {"a.db", ".a.db.lock"}


@pytest.mark.parametrize(
    "uri",
    [
        "postgresql:/ann:s3cret@127.0.0.1:1/db",
        "postgresql//ann:s3cret@127.0.0.1:1/db",
        "postgersql://ann:s3cret@127.0.0.1:1/db",
        "sqlite+pysqlcipher://:s3cret@/study.db",
        "sqlite:///ann:s3cret@127.0.0.1/db",
        "sqlite://ann:s3cret@127.0.0.1/db",
        "journal:ann:s3cret@h",
        "postgresql://ann:s3cret",
        "mssql+pyodbc:///?odbc_connect=PWD%3Ds3cret",
        "s3cret",
    ],
)
def test_no_secret_of_a_misspelt_address_is_shown_or_the_name_of_a_file(tmp_path, monkeypatch, uri):
    monkeypatch.chdir(tmp_path)
    with pytest.raises((RequirementError, UsageError)) as caught:
        open_storage(uri)
    assert "s3cret" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []
