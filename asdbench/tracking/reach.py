"""Whether a store answers, found in a second and without MLflow."""

import socket
import struct
import threading
from typing import TYPE_CHECKING

from asdbench.tracking.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable

WITHIN_S = 1.0
PORTS = {"postgresql": 5432, "mysql": 3306, "mssql": 1433}
SSL_REQUEST = struct.pack("!II", 8, 80877103)  # of PostgreSQL's protocol; answered by one byte before any log-in


def why_away(store: Store, within_s: float = WITHIN_S) -> str | None:
    """Why the store does not answer; None when it does.

    Whatever it answers counts, a refusal too: a proxy that wants a log-in is there. A server that takes the connection
    and says nothing is away. Stores that cannot be asked cheaply (files, Databricks) count as there.
    """
    scheme = store.uri.partition("://")[0].partition("+")[0].lower()
    ask = _ask_http if store.is_server else _ask_database if scheme in PORTS else None
    if ask is None:
        return None
    if ask is _ask_database:
        import sqlalchemy  # noqa: F401  # loaded before the time runs
    reason: list[str | None] = []
    # In a thread, because looking up a name has no limit of its own.
    worker = threading.Thread(target=lambda: reason.append(_said(ask, store, within_s)), daemon=True)
    worker.start()
    worker.join(within_s)
    return reason[0] if reason else f"{store.shown} does not answer within {within_s:g} s"


def why_lost(store: Store, error: BaseException) -> str | None:
    """Why no other request need be tried after one that ended in this error; None where the store is there.

    A store that answers when it is asked whether it is there, but takes no request in its time, is lost too, and so is
    a database that somebody else holds locked.
    """
    away = why_away(store)
    if away is not None:
        return away
    seen: BaseException | None = error
    while seen is not None:
        kinds = {f"{kind.__module__.partition('.')[0]}.{kind.__name__}" for kind in type(seen).__mro__}
        if kinds & {"requests.Timeout", "builtins.TimeoutError"} or (
            "sqlite3.OperationalError" in kinds and "locked" in str(seen)
        ):
            return f"{store.shown} does not answer: {store.scrubbed(_root(error))}"
        seen = seen.__cause__ or seen.__context__
    return None


def _said(ask: "Callable[[str, float], None]", store: Store, within_s: float) -> str | None:
    try:
        ask(store.uri, within_s)
    except Exception as error:  # whatever a library makes of it, the store is not there
        return f"{store.shown} does not answer: {store.scrubbed(_root(error))}"
    return None


def _root(error: BaseException) -> str:
    """The innermost cause in words: "Connection refused", not the chain of three libraries."""
    seen: BaseException = error
    while (inner := seen.__cause__ or seen.__context__) is not None:
        seen = inner
    return getattr(seen, "strerror", None) or str(seen) or type(seen).__name__


def _ask_http(uri: str, within_s: float) -> None:
    import requests  # as MLflow does, so that proxies and certificates are the same

    with requests.get(uri.rstrip("/") + "/health", timeout=within_s, stream=True, allow_redirects=False):
        pass


def _ask_database(uri: str, within_s: float) -> None:
    from sqlalchemy.engine import make_url

    url = make_url(uri)  # as MLflow reads it
    scheme = url.get_backend_name()
    host = url.host or _first(url.query.get("host", ""))
    port = url.port or int(_first(url.query.get("port", "")) or PORTS[scheme])
    if host.startswith("/"):
        with socket.socket(socket.AF_UNIX) as line:
            line.settimeout(within_s)
            line.connect(f"{host}/.s.PGSQL.{port}" if scheme == "postgresql" else host)
            _greet(line, scheme)
        return
    with socket.create_connection((host or "localhost", port), within_s) as line:
        _greet(line, scheme)


def _first(value: str | tuple[str, ...]) -> str:
    return value if isinstance(value, str) else value[0]


def _greet(line: socket.socket, scheme: str) -> None:
    """Have the server say something: a stopped one is connected to, but never speaks."""
    if scheme == "mssql":
        return
    if scheme == "postgresql":
        line.sendall(SSL_REQUEST)
    if not line.recv(1):
        raise ConnectionError("the connection was closed")
