"""A real ``mlflow server`` on loopback, and a line to it that can be cut."""

import os
import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from filelock import FileLock
from postgres import free_port

from asdbench.tracking.marks import Sent
from asdbench.tracking.store import Store, connect, store_of
from asdbench.tracking.sync import Sender


@pytest.fixture(scope="session", autouse=True)
def few_clips(small_synthetic) -> None:
    """Made runs name the data set ``synthetic``: what is sent of them opens it, and finds few clips."""


@pytest.fixture(scope="session")
def empty_database(shared_folder) -> Path:
    """A database with MLflow's tables, which takes seconds to make: once for all processes of the test run."""
    root = shared_folder / "empty-mlflow"
    with FileLock(f"{root}.lock"):
        if not (root / "made").is_file():
            root.mkdir(exist_ok=True)
            connect(store_of(root, {}))
            (root / "made").touch()
    return root / "mlflow.db"


@pytest.fixture(scope="session")
def mlflow_server(tmp_path_factory, empty_database) -> Iterator[str]:
    """Address of a server with a SQLite store."""
    from asdbench.tracking.ui import served

    place = tmp_path_factory.mktemp("server")
    shutil.copy(empty_database, place / "store.db")
    store = store_of(place, {"MLFLOW_TRACKING_URI": f"sqlite:///{place / 'store.db'}"})
    store = replace(store, artifacts=None)
    # Whatever lies where one stands is not for the server to import.
    for name in ("mlflow", "uvicorn", "flask", "typing"):
        (place / f"{name}.py").write_text("raise SystemExit('a file of the folder was imported')")
    here = Path.cwd()
    os.chdir(place)  # where it puts files
    try:
        with served(store, free_port()) as (address, _):
            os.chdir(here)
            yield address
    finally:
        os.chdir(here)


@pytest.fixture
def made_database(tmp_path, empty_database) -> Path:
    """A database with tables beside the runs in ``tmp_path``."""
    return Path(shutil.copy(empty_database, tmp_path / "mlflow.db"))


@pytest.fixture
def store(tmp_path, made_database) -> Store:
    """The default store of the runs in ``tmp_path``; its tables are there."""
    return store_of(tmp_path, {})


@pytest.fixture
def send() -> Callable[..., Sent]:
    """Sends one folder with a sender of its own: ``send(store, folder)``."""
    return lambda store, folder: Sender(store).send(folder)


@dataclass
class Fault:
    """A line to a server with a fault.

    Attributes:
        port: of loopback.
        requests: how many have passed.
        after: how many pass before the fault; None: all.
        kind: "stuck" (answers when it is asked for its health, and nothing else) or "gone" (refuses connections).
        heard: what the server was sent.
    """

    port: int
    requests: int = 0
    after: int | None = None
    kind: str = "stuck"
    heard: bytes = b""

    @property
    def broken(self) -> bool:
        return self.after is not None and self.requests >= self.after


@pytest.fixture
def line_to() -> Iterator[Callable[[str], Fault]]:
    """Puts a proxy in front of an address: ``fault = line_to(address)``; every answer closes its connection."""
    listeners = []

    def open_line(address: str) -> Fault:
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)
        fault = Fault(listener.getsockname()[1])
        target = ("127.0.0.1", int(address.rpartition(":")[2]))
        threading.Thread(target=_accept, args=(listener, target, fault), daemon=True).start()
        return fault

    yield open_line
    for listener in listeners:
        listener.close()


def _accept(listener: socket.socket, target: tuple[str, int], fault: Fault) -> None:
    with suppress(OSError):
        while True:
            line, _ = listener.accept()
            if fault.broken and fault.kind == "gone":
                line.close()
                listener.close()
                return
            threading.Thread(target=_pass_on, args=(line, target, fault), daemon=True).start()


def _pass_on(line: socket.socket, target: tuple[str, int], fault: Fault) -> None:
    """One connection; a keep-alive one may bring several requests, each sent in one piece or after its head."""
    with suppress(OSError), line, socket.create_connection(target) as other:
        threading.Thread(target=_copy, args=(other, line), daemon=True).start()
        while data := line.recv(1 << 20):
            if data.split(b" ", 1)[0] in (b"GET", b"POST", b"PUT", b"PATCH", b"DELETE"):
                if fault.broken and not data.startswith(b"GET /health "):
                    if fault.kind == "gone":
                        return
                    time.sleep(60)
                fault.requests += 1
                fault.heard += data
            other.sendall(data)


def _copy(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(1 << 20):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)


@pytest.fixture
def silent_port() -> Iterator[int]:
    """Of a server that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]
