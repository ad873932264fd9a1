"""Where Optuna keeps a study: SQLite, a journal file, PostgreSQL or another database by its address."""

import json
import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asdbench.core.errors import AsdbenchError, RequirementError, UsageError
from asdbench.core.files import make_empty, require_writable
from asdbench.core.locks import exclusive
from asdbench.core.paths import user_path
from asdbench.core.uris import is_login, scrubbed, without_credentials

if TYPE_CHECKING:
    from optuna import Study
    from optuna.storages import BaseStorage

DEFAULT = "sqlite:///optuna.db"
JOURNAL = "journal:"
BEAT_S = 15  # how often a command says that its trials are alive
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
            warnings.filterwarnings("ignore", message=".*Heartbeat of storage.*")
            warnings.filterwarnings("ignore", message=".*is already reported.*")
            warnings.filterwarnings("ignore", message="Choices for a categorical distribution.*")
            yield
    finally:
        optuna.logging.set_verbosity(before)


def open_storage(uri: str) -> "BaseStorage":
    """Open a storage, and make it where it is a file that is not there.

    Args:
        uri: ``sqlite:///FILE``, ``journal:FILE``, ``postgresql://user:password@host/database``, or what SQLAlchemy
            knows else.

    Raises:
        UsageError: it is no such address, or names a place that cannot be written to.
        StorageError: nobody answers there, or its driver is not installed.
    """
    uri = _at_home(uri)
    if uri.startswith(JOURNAL):
        return _journal(Path(_plain(uri, uri.removeprefix(JOURNAL).removeprefix("//"))))
    if "://" not in uri:  # which may be a password as well, so it is not repeated
        raise UsageError(
            "--storage: expected an address: sqlite:///FILE, journal:FILE or postgresql://USER:PASSWORD@HOST/DATABASE."
        )
    from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

    shown = without_credentials(uri)
    asked, uri = uri, _with_driver(uri)
    file = _sqlite_file(uri)
    if file is not None:
        require_writable(file.parent, "--storage sqlite:///FILE")
    try:
        if file is None:
            return _database(uri)
        with exclusive(_lock(file)):
            make_empty(file)
            return _database(uri)
    except (ArgumentError, NoSuchModuleError) as error:
        raise UsageError(f"--storage {shown}: {scrubbed(str(error).splitlines()[0], uri)}") from error
    except ImportError as error:
        what = "pip install 'asdbench[postgres]'" if uri.startswith("postgres") else "install the database's driver"
        raise StorageError(f"--storage {shown}: its driver is not installed ({error}).\nGet it: {what}") from error
    except AsdbenchError:
        raise
    except Exception as error:
        # An address that is spelt wrong can end in a ValueError, of its port say.
        if not isinstance(error, SQLAlchemyError | OSError | RuntimeError | ValueError):
            raise
        raise unreachable(asked, error) from error


def _at_home(uri: str) -> str:
    """The address of a file, in which ``~`` is the home folder."""
    scheme, tilde, rest = uri.partition("~")
    if not tilde or not re.fullmatch(rf"sqlite(\+\w+)?:///|{JOURNAL}(//)?", scheme):
        return uri
    path, question, query = f"~{rest}".partition("?")
    try:
        return f"{scheme}{user_path(path)}{question}{query}"
    except ValueError as error:
        raise UsageError("--storage: it names a home folder that is not known. Give the whole path.") from error


def unreachable(uri: str, error: BaseException) -> StorageError:
    """That a storage cannot be used, in two lines without its secrets."""
    reason = scrubbed(str(getattr(error, "orig", None) or error), uri).strip().splitlines()
    return StorageError(
        f"--storage {without_credentials(uri)} cannot be used: {reason[0] if reason else type(error).__name__}\n"
        "Check that it runs and the address is right, or keep the study in a file: --storage sqlite:///optuna.db"
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


def _database(uri: str) -> "BaseStorage":
    from optuna.storages import RDBStorage
    from sqlalchemy.exc import IntegrityError, OperationalError, ProgrammingError

    sqlite = uri.startswith("sqlite")
    connect: dict[str, Any] = {"timeout": BUSY_S} if sqlite else {}
    if uri.startswith("postgres"):
        connect = {"connect_timeout": CONNECT_S}
    for attempt in range(ATTEMPTS):
        try:
            return RDBStorage(
                uri,
                engine_kwargs={"connect_args": connect} | ({} if sqlite else {"pool_pre_ping": True}),
                heartbeat_interval=BEAT_S,
                grace_period=GRACE_S,
            )
        except (IntegrityError, ProgrammingError, OperationalError) as error:
            raced = "already exists" in str(error) or "duplicate key" in str(error)
            if not raced or attempt + 1 == ATTEMPTS:
                raise
    raise AssertionError("unreachable")


def one_at_a_time(uri: str) -> AbstractContextManager[None]:
    """Held while a trial is taken. SQLite has no locks of rows, so that two commands could take the same one."""
    file = None if uri.startswith(JOURNAL) else _sqlite_file(_at_home(uri))
    return nullcontext() if file is None else exclusive(_lock(file))


def heartbeat(storage: "BaseStorage", study: "Study") -> "Callable[[int], None] | None":
    """What says that the trial of a number is alive; None for a journal, which keeps no heartbeat."""
    from optuna.storages import RDBStorage

    if not isinstance(storage, RDBStorage):
        return None
    own = storage.get_study_id_from_name(study.study_name)
    return lambda number: storage.record_heartbeat(storage.get_trial_id_from_study_id_trial_number(own, number))


def _lock(file: Path) -> Path:
    return file.with_name(f".{file.name}.lock")


def _journal(path: Path) -> "BaseStorage":
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    if not path.name:
        raise UsageError("--storage journal: expected a file behind it, journal:FILE.")
    require_writable(path.parent, "--storage journal:FILE")
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        _require_journal(path)
        return JournalStorage(JournalFileBackend(str(path)))
    except (OSError, ValueError, KeyError, TypeError) as error:
        shown = without_credentials(f"{JOURNAL}{path}")
        raise UsageError(
            f"--storage {shown}: it is no journal of Optuna ({scrubbed(str(error), str(path))})."
        ) from error


def _require_journal(path: Path) -> None:
    """Look at the first line: Optuna itself would append to a file of one line, whatever it holds."""
    if not path.exists():
        return
    with path.open("rb") as file:
        first = file.readline()
    if first and "op_code" not in json.loads(first):
        raise ValueError("its first line is none of a journal")


def _with_driver(uri: str) -> str:
    """PostgreSQL by psycopg, unless another driver is named."""
    for scheme in ("postgresql://", "postgres://"):
        if uri.startswith(scheme):
            return "postgresql+psycopg://" + uri.removeprefix(scheme)
    return uri


def _sqlite_file(uri: str) -> Path | None:
    """The file of a SQLite address."""
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    if uri.partition("://")[0].partition("+")[0] != "sqlite":
        return None
    try:
        url = make_url(uri)
    except (ArgumentError, ValueError):
        url = None
    if url is None or url.host or url.username or url.password or url.database in (None, "", ":memory:"):
        raise UsageError(f"--storage {without_credentials(uri)}: a study is kept in a file, sqlite:///FILE.")
    return Path(_plain(uri, str(url.database)))


def _plain(uri: str, path: str) -> str:
    """The path of a file, unless it reads ``user:password@host``: a file of that name would tell it."""
    if is_login(path):
        raise UsageError(
            f"--storage {without_credentials(uri)}: a user and a password go with a database on a server: "
            "postgresql://USER:PASSWORD@HOST/DATABASE."
        )
    return path
