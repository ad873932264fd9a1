"""Which MLflow store runs go to, whether it answers, and what it says when it does not."""

import logging
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from asdbench.core.digests import digest
from asdbench.core.errors import UsageError
from asdbench.core.files import make_empty
from asdbench.core.locks import exclusive
from asdbench.core.packages import needed_by
from asdbench.core.paths import user_path
from asdbench.core.uris import file_address, is_login, scrubbed, without_credentials

if TYPE_CHECKING:
    from mlflow import MlflowClient

URI = "MLFLOW_TRACKING_URI"
EXPERIMENT = "MLFLOW_EXPERIMENT_NAME"
ARTIFACTS = "MLFLOW_DEFAULT_ARTIFACT_ROOT"
SECRETS = ("MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN")
DATABASE, ARTIFACT_FOLDER = "mlflow.db", "mlartifacts"
SETTINGS = {  # MLflow as a library: no messages, and no statistics sent to its makers
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_ENABLE_ASYNC_LOGGING": "false",
    "MLFLOW_CONFIGURE_LOGGING": "false",
    "MLFLOW_LOGGING_LEVEL": "ERROR",
    "GIT_PYTHON_REFRESH": "quiet",
}
PATIENCE = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0", "MLFLOW_HTTP_REQUEST_TIMEOUT": "30", "PGCONNECT_TIMEOUT": "5"}
ANSWERS_WITHIN_S = 2.0
LONGEST_REASON = 300
SCHEMA = "out-of-date database schema"  # of MLflow's message


@dataclass(frozen=True)
class Store:
    """An MLflow store. Its representation is safe to print; ``uri`` may hold a password."""

    uri: str = field(repr=False)  # what MLflow is given
    lock: Path  # file that one sender at a time locks
    artifacts: str | None = None  # where files go; None where the server decides
    experiment: str | None = None  # for all runs; None: one for each data set
    secrets: tuple[str, ...] = field(default=(), repr=False)  # further texts that nobody may see

    @property
    def shown(self) -> str:
        """Its address without credentials."""
        return without_credentials(self.uri)

    @property
    def is_server(self) -> bool:
        """Whether it has a web page of its own."""
        return self.uri.startswith(("http://", "https://"))

    @property
    def file(self) -> Path | None:
        """The database's file, where it is one."""
        named = file_address(self.uri)
        return named[1] if named else None

    def scrubbed(self, text: str) -> str:
        """The text without this store's credentials."""
        for secret in self.secrets:
            text = text.replace(secret, "***")
        return scrubbed(text, self.uri)


def store_of(out: Path, environ: Mapping[str, str] = os.environ) -> Store:
    """The store for the runs in ``out``: ``MLFLOW_TRACKING_URI``, else ``mlflow.db`` in that folder.

    A SQLite file is named by its absolute path, so that it is the same store from every working directory.

    Raises:
        UsageError: a SQLite database without a file, which would end with the process that writes to it.
    """
    out = out.absolute()
    given = environ.get(URI, "").strip()
    uri, root = given or f"sqlite:///{out / DATABASE}", out
    artifacts = None
    try:
        address = file_address(uri)
        if given.startswith("sqlite") and (address is None or is_login(str(address[1]))):
            shown = without_credentials(uri)
            raise UsageError(f"{URI}={shown}: it names no file. Accepted: sqlite:////home/me/mlflow.db, or a server.")
        if address is not None:
            uri, root = address[0], address[1].parent
        if uri.startswith(("sqlite", "postgresql", "mysql", "mssql")):  # there is no server to say where files go
            named = environ.get(ARTIFACTS, "")
            artifacts = str(user_path(named)) if named.startswith("~") else named
            artifacts = artifacts or (root / ARTIFACT_FOLDER).as_uri()
    except ValueError as error:
        raise UsageError(f"{URI}, {ARTIFACTS}: a home folder that is not known. Give the whole path.") from error
    return Store(
        uri,
        root / ".locks" / f"mlflow-{digest([without_credentials(uri)])}.lock",
        artifacts,
        environ.get(EXPERIMENT, "").strip() or None,
        tuple(value for name in SECRETS if (value := environ.get(name))),
    )


def quiet() -> None:
    """Set what MLflow reads when it is imported; waiting times that the user has set stay."""
    os.environ.update(SETTINGS)
    for name, value in PATIENCE.items():
        os.environ.setdefault(name, value)
    for name in ("mlflow", "alembic", "sqlalchemy", "urllib3", "git"):
        logging.getLogger(name).setLevel(logging.ERROR)


def connect(store: Store) -> "MlflowClient":
    """A client of the store; a new database gets its tables, which takes seconds. MLflow's own state is not touched.

    Raises:
        Exception: of MLflow and its drivers, where the store is away or refuses; see ``reason_of``.
    """
    quiet()
    with needed_by("tracking"):
        import mlflow.store.db.utils
        from mlflow import MlflowClient

    mlflow.store.db.utils.MAX_RETRY_COUNT = 2  # MLflow would try a wrong password for two minutes
    with exclusive(store.lock):  # two processes must not make the tables of one file at once
        if store.file is not None:
            make_empty(store.file)
        return MlflowClient(tracking_uri=store.uri, registry_uri=store.uri)


def why_away(store: Store) -> str | None:
    """Why a server does not answer, found in seconds and without MLflow; None where it does, and for a database.

    A refusal counts as an answer: a proxy that wants a log-in is there.
    """
    if not store.is_server:
        return None
    import requests  # as MLflow does, so that proxies and certificates are the same

    try:
        address = store.uri.rstrip("/") + "/health"
        with requests.get(address, timeout=ANSWERS_WITHIN_S, stream=True, allow_redirects=False):
            return None
    except Exception as error:  # an address that no library can read, too
        return _does_not_answer(store, error)


def why_lost(store: Store, error: BaseException) -> str | None:
    """Why nothing more can be sent after this error; None where it concerns one run alone.

    A server that takes no request in its time is lost, a database that is locked or refuses the connection, and every
    store where MLflow is not installed.
    """
    if isinstance(error.__cause__, ModuleNotFoundError):
        return " ".join(str(error).splitlines())
    import requests
    from sqlalchemy.exc import OperationalError

    lost = (requests.ConnectionError, requests.Timeout, ConnectionError, TimeoutError, OperationalError)
    return _does_not_answer(store, error) if any(isinstance(one, lost) for one in _causes(error)) else None


def reason_of(error: BaseException, store: Store) -> str:
    """The first sentence of an error's message, without credentials; for tables of another MLflow the next command."""
    message = str(error).strip()
    if SCHEMA in message:
        return (
            f"{store.shown} has tables of another MLflow. If it is a newer one, update MLflow here; if it is an older "
            f"one, save a copy of the database, then: mlflow db upgrade {store.shown}"
        )
    line = (message.splitlines() or [type(error).__name__])[0]
    # A full stop and a capital letter: neither "e.g., x" nor "3.17" ends a sentence.
    sentence = re.split(r"(?<=[^.\s][.!?])\s+(?=[A-Z])", line, maxsplit=1)[0]
    return store.scrubbed(sentence.rstrip("."))[:LONGEST_REASON]


def _causes(error: BaseException) -> Iterator[BaseException]:
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__


def _does_not_answer(store: Store, error: BaseException) -> str:
    """With the innermost cause: "Connection refused", not the chain of three libraries."""
    *_, root = _causes(error)
    reason = getattr(root, "strerror", None) or str(root).strip() or type(root).__name__
    return f"{store.shown} does not answer: {store.scrubbed(reason.splitlines()[0])[:LONGEST_REASON]}"
