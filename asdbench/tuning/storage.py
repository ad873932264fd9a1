"""Where Optuna stores a study: SQLite, a journal file, PostgreSQL or another database by its address."""

import json
import re
import warnings
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asdbench.core.errors import AsdbenchError, RequirementError, UsageError
from asdbench.core.files import make_empty, require_writable
from asdbench.core.locks import exclusive
from asdbench.core.threads import every
from asdbench.core.uris import file_address, is_login, scrubbed, without_credentials

if TYPE_CHECKING:
    from optuna.storages import BaseStorage

DEFAULT = "sqlite:///optuna.db"
JOURNAL = "journal:"
HEARTBEAT_S = 15  # how often a command says that its trials are alive
GRACE_S = 90  # how long it may say nothing
BUSY_S = 60.0  # a SQLite file is written by one process at a time; the others wait
CONNECT_S = 5
ATTEMPTS = 5  # two processes that make the tables at once


class StorageError(RequirementError):
    """The storage of a study cannot be reached."""


@contextmanager
def quiet_optuna() -> Iterator[None]:
    """Keep Optuna's log and its warnings of what may change off the screen."""
    import optuna

    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module="optuna")
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            for message in ("Heartbeat of storage", "is already reported", "Choices for a categorical distribution"):
                warnings.filterwarnings("ignore", message=f".*{message}.*")
            yield
    finally:
        optuna.logging.set_verbosity(before)


def open_storage(uri: str) -> "BaseStorage":
    """Open a storage, and make it where it is a file that is not there.

    Args:
        uri: ``sqlite:///FILE``, ``journal:FILE``, ``postgresql://user:password@host/database``, or another address that
            SQLAlchemy accepts.

    Raises:
        UsageError: it is no such address, or names a place that cannot be written to.
        StorageError: nobody answers there, or its driver is not installed.
    """
    from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

    shown = without_credentials(uri)
    uri, file = _address(uri)
    if file is not None:
        require_writable(
            file.parent, "--storage journal:FILE" if uri.startswith(JOURNAL) else "--storage sqlite:///FILE"
        )
    try:
        if file is None:
            return _database(re.sub("^postgres(ql)?://", "postgresql+psycopg://", uri), {"pool_pre_ping": True})
        if uri.startswith(JOURNAL):
            return _journal(file)
        with exclusive(_lock_of(file)):
            make_empty(file)
            return _database(uri, {})
    except (ArgumentError, NoSuchModuleError) as error:
        raise UsageError(f"--storage {shown}: {scrubbed(str(error).splitlines()[0], uri)}") from error
    except ImportError as error:
        what = "pip install 'asdbench[postgres]'" if uri.startswith("postgres") else "install the database's driver"
        raise StorageError(f"--storage {shown}: its driver is not installed ({error}).\nGet it: {what}") from error
    except AsdbenchError:
        raise
    except (SQLAlchemyError, OSError, RuntimeError, ValueError) as error:  # ValueError: of a port, for example
        raise unreachable(uri, error) from error


def unreachable(uri: str, error: BaseException) -> StorageError:
    """The error that a storage cannot be used, in two lines without its secrets."""
    reason = scrubbed(str(getattr(error, "orig", None) or error), uri).strip().splitlines()
    return StorageError(
        f"--storage {without_credentials(uri)} cannot be used: {reason[0] if reason else type(error).__name__}\n"
        "Check that it runs and the address is right, or store the study in a file: --storage sqlite:///optuna.db"
    )


@contextmanager
def clear_storage_errors(uri: str) -> Iterator[None]:
    """Turn a database that goes away into a message."""
    from optuna.exceptions import StorageInternalError
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (SQLAlchemyError, StorageInternalError) as error:
        raise unreachable(uri, error.__cause__ or error) from error


@contextmanager
def one_at_a_time(uri: str, storage: "BaseStorage") -> Iterator[None]:
    """Of all commands at a storage one is within: a lock beside a file, a locked row of a database."""
    from optuna.storages import RDBStorage
    from sqlalchemy import column, select, table

    _, file = _address(uri)
    if file is not None:
        with exclusive(_lock_of(file)):
            yield
        return
    assert isinstance(storage, RDBStorage)
    with storage.engine.begin() as connection:  # Optuna writes this row once, when it makes the tables
        connection.execute(select(column("version_info_id")).select_from(table("version_info")).with_for_update())
        yield


def say_alive(storage: "BaseStorage", study: str, number: int) -> None:
    """Record a heartbeat of a trial; journals have none. A trial without any is never taken for lost by Optuna."""
    from optuna.storages import RDBStorage

    if isinstance(storage, RDBStorage):
        study_id = storage.get_study_id_from_name(study)
        storage.record_heartbeat(storage.get_trial_id_from_study_id_trial_number(study_id, number))


@contextmanager
def heartbeat(storage: "BaseStorage", study: str, numbers: Collection[int]) -> Iterator[None]:
    """Say now and then that the trials of these numbers, which may change, are alive."""

    def say() -> None:
        for number in list(numbers):
            with suppress(Exception):  # the next one may get through
                say_alive(storage, study, number)
        with suppress(Exception):
            storage.remove_session()  # of this thread

    with every(HEARTBEAT_S, say):
        yield


def _database(uri: str, options: dict[str, Any]) -> "BaseStorage":
    from optuna.storages import RDBStorage
    from sqlalchemy.exc import IntegrityError, OperationalError, ProgrammingError

    connect = {"timeout": BUSY_S} if uri.startswith("sqlite") else {}
    connect = {"connect_timeout": CONNECT_S} if uri.startswith("postgres") else connect
    for attempt in range(ATTEMPTS):
        try:
            return RDBStorage(
                uri,
                engine_kwargs={"connect_args": connect, **options},
                heartbeat_interval=HEARTBEAT_S,
                grace_period=GRACE_S,
            )
        except (IntegrityError, ProgrammingError, OperationalError) as error:
            another_was_faster = "already exists" in str(error) or "duplicate key" in str(error)
            if not another_was_faster or attempt + 1 == ATTEMPTS:
                raise
    raise AssertionError("unreachable")


def _journal(file: Path) -> "BaseStorage":
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    file.parent.mkdir(parents=True, exist_ok=True)
    try:
        if file.exists():  # Optuna itself would append to a file of one line, whatever is in it
            with file.open("rb") as lines:
                first = lines.readline()
            if first and "op_code" not in json.loads(first):
                raise ValueError("its first line is none of a journal")
        return JournalStorage(JournalFileBackend(str(file)))
    except (OSError, ValueError, KeyError, TypeError) as error:
        shown = without_credentials(f"{JOURNAL}{file}")
        raise UsageError(
            f"--storage {shown}: it is no journal of Optuna ({scrubbed(str(error), str(file))})."
        ) from error


def _lock_of(file: Path) -> Path:
    return file.with_name(f".{file.name}.lock")


def _address(uri: str) -> tuple[str, Path | None]:
    """The whole address, and the file of a journal or of SQLite; None for a server.

    Raises:
        UsageError: it is no address, names no file, or holds a password that the name of the file would show.
    """
    is_journal, shown = uri.startswith(JOURNAL), without_credentials(uri)
    if not is_journal and "://" not in uri:  # which may be a password as well, so it is not repeated
        raise UsageError(
            "--storage: expected an address: sqlite:///FILE, journal:FILE or postgresql://USER:PASSWORD@HOST/DATABASE."
        )
    if not is_journal and not uri.startswith("sqlite"):
        return uri, None
    try:
        named = file_address(uri)
    except ValueError as error:
        raise UsageError("--storage: it names a home folder that is not known. Give the whole path.") from error
    if named is None:
        no_journal = "--storage journal: expected a file behind it, journal:FILE."
        raise UsageError(
            no_journal if is_journal else f"--storage {shown}: a study is stored in a file, sqlite:///FILE."
        )
    if is_login(str(named[1])):
        raise UsageError(
            f"--storage {shown}: a user and a password go with a database on a server: "
            "postgresql://USER:PASSWORD@HOST/DATABASE."
        )
    return named
