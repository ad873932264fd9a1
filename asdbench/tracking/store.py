"""Where runs are tracked: a database beside them, or what MLflow's own variables name."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from asdbench.core.errors import UsageError
from asdbench.core.places import place
from asdbench.core.uris import is_login, scrubbed, without_credentials

URI = "MLFLOW_TRACKING_URI"
EXPERIMENT = "MLFLOW_EXPERIMENT_NAME"
ARTIFACTS = "MLFLOW_DEFAULT_ARTIFACT_ROOT"
SECRETS = ("MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN")
DATABASE, ARTIFACT_FOLDER = "mlflow.db", "mlartifacts"
_SQLITE = re.compile(r"(?P<scheme>sqlite(?:\+\w+)?):///(?P<file>(?!file:|:memory:)[^?]+)(?P<query>\?.*)?")


@dataclass(frozen=True)
class Store:
    """An MLflow store. Not to be printed: ``uri`` may hold a password.

    Attributes:
        uri: what MLflow is given.
        artifacts: where files go; None where the server says it.
        experiment: for all runs; None: one for each data set.
        beside: whether it is the one that lies beside the runs.
        secrets: further texts that nobody may see.
    """

    uri: str
    artifacts: str | None
    experiment: str | None
    beside: bool
    secrets: tuple[str, ...] = ()

    @property
    def shown(self) -> str:
        """Its address without credentials; what records hold."""
        return without_credentials(self.uri)

    @property
    def is_server(self) -> bool:
        """Whether it has a web page of its own."""
        return self.uri.startswith(("http://", "https://"))

    @property
    def file(self) -> Path | None:
        """The database's file, where it is one."""
        found = _SQLITE.fullmatch(self.uri)
        return Path(found["file"]) if found else None

    def scrubbed(self, text: str) -> str:
        """The text without this store's credentials."""
        for secret in self.secrets:
            text = text.replace(secret, "***")
        return scrubbed(text, self.uri)

    def __repr__(self) -> str:
        return f"Store({self.shown!r})"


def _place(asked: str) -> Path:
    try:
        return place(asked)
    except ValueError as error:
        raise UsageError(f"{URI}, {ARTIFACTS}: a home folder that is not known. Give the whole path.") from error


def store_of(out: Path, environ: Mapping[str, str] = os.environ) -> Store:
    """The store for the runs in ``out``: ``MLFLOW_TRACKING_URI``, else ``mlflow.db`` in that folder.

    A SQLite file is named by its absolute path, so that it is the same store wherever one stands.

    Raises:
        UsageError: a SQLite database that no file holds: it would go with the process that writes to it.
    """
    out = out.absolute()
    uri = environ.get(URI, "").strip()
    secrets = tuple(value for name in SECRETS if (value := environ.get(name)))
    experiment = environ.get(EXPERIMENT, "").strip() or None
    root = environ.get(ARTIFACTS)
    root = str(_place(root)) if root and root.startswith("~") else root
    if not uri:
        return Store(f"sqlite:///{out / DATABASE}", root or (out / ARTIFACT_FOLDER).as_uri(), experiment, True, secrets)
    if uri.startswith(
        ("sqlite:", "sqlite+", "postgresql", "mysql", "mssql")
    ):  # there is no server to say where files go
        found = _SQLITE.fullmatch(uri)
        if (found is None and uri.startswith("sqlite")) or (found is not None and is_login(found["file"])):
            raise UsageError(
                f"{URI}={without_credentials(uri)}: it names no file. "
                "Accepted: sqlite:////home/me/mlflow.db, or a server."
            )
        beside = out
        if found is not None:
            file = _place(found["file"]).absolute()
            uri, beside = f"{found['scheme']}:///{file}{found['query'] or ''}", file.parent
        return Store(uri, root or (beside / ARTIFACT_FOLDER).as_uri(), experiment, False, secrets)
    return Store(uri, None, experiment, False, secrets)
