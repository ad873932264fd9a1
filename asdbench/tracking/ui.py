"""The web page of a store: MLflow's own server on loopback, for a store that is a database."""

import os
import shlex
import signal
import socket
import subprocess
import sys
import sysconfig
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import IO

from asdbench.core.errors import AsdbenchError, UsageError
from asdbench.tracking.store import SETTINGS, Store

FIRST_PORT = 5000
STARTS_WITHIN_S = 90.0


@dataclass(frozen=True)
class Page:
    """A server that was started. ``address``: of its page."""

    address: str
    _process: "subprocess.Popen[bytes]"
    _output: IO[bytes]
    _store: Store

    def wait(self) -> None:
        """Wait until the server ends, which it does not by itself.

        Raises:
            AsdbenchError: it has ended.
        """
        self._process.wait()
        raise self.ended("")

    def ended(self, when: str) -> AsdbenchError:
        """The error to raise, with the line that the server printed last."""
        self._output.seek(0)
        lines = self._output.read().decode(errors="replace").strip().splitlines()
        return AsdbenchError(f"MLflow's server ended{when}{f': {self._store.scrubbed(lines[-1])}' if lines else '.'}")


@contextmanager
def served(store: Store, port: int | None = None) -> Iterator[Page]:
    """Start MLflow's server on the store; it ends, with all its processes, when the context does.

    Meanwhile a closed terminal (SIGHUP) and SIGTERM are a KeyboardInterrupt, as Ctrl-C is. The store's address goes by
    environment, so that no list of processes shows a password.

    Args:
        store: a database.
        port: of loopback; None takes the first free one from 5000 on.

    Raises:
        UsageError: the port is taken.
        AsdbenchError: the server ends at once, or does not answer.
    """
    port = _free(port)
    environment = {
        **os.environ,
        **SETTINGS,
        "MLFLOW_BACKEND_STORE_URI": store.uri,
        "MLFLOW_REGISTRY_STORE_URI": store.uri,
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "PYTHONSAFEPATH": "1",  # nothing is imported from the working directory, by the server's workers neither
    }
    if store.artifacts:
        environment["MLFLOW_DEFAULT_ARTIFACT_ROOT"] = store.artifacts
    environment.pop("MLFLOW_TRACKING_URI", None)
    options = ["--host", "127.0.0.1", "--port", str(port)]
    options += ["--workers", "1"]  # enough for one person; four take four times the seconds and the memory
    options += ["--uvicorn-opts", f"--app-dir {shlex.quote(sysconfig.get_path('purelib'))}"]
    with tempfile.TemporaryFile() as output, _ended_by(signal.SIGHUP, signal.SIGTERM):
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "mlflow", "server", *options], env=environment, stdin=subprocess.DEVNULL,
            stdout=output, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
        page = Page(f"http://127.0.0.1:{port}", process, output, store)
        try:
            _await(page, process)
            yield page
        finally:
            _end(process)


def _free(port: int | None) -> int:
    first = port or FIRST_PORT
    for candidate in range(first, first + (1 if port else 100)):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with suppress(OSError):
                probe.bind(("127.0.0.1", candidate))
                return candidate
    raise UsageError(f"--port {first}: it is taken. Without --port a free one is found.")


@contextmanager
def _ended_by(*kinds: signal.Signals) -> Iterator[None]:
    """These signals interrupt as Ctrl-C does; one that is ignored (nohup) stays ignored."""

    def interrupt(*_: object) -> None:
        for kind in before:  # the end is under way
            signal.signal(kind, signal.SIG_IGN)
        raise KeyboardInterrupt

    takes_handlers = threading.current_thread() is threading.main_thread()
    handlers = {kind: signal.getsignal(kind) for kind in kinds if takes_handlers}
    before = {kind: handler for kind, handler in handlers.items() if handler is not signal.SIG_IGN}
    for kind in before:
        signal.signal(kind, interrupt)
    try:
        yield
    finally:
        for kind, handler in before.items():
            signal.signal(kind, handler)


def _await(page: Page, process: "subprocess.Popen[bytes]") -> None:
    """Wait until the page answers."""
    import requests

    deadline = time.monotonic() + STARTS_WITHIN_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise page.ended(" at once")
        with suppress(requests.RequestException):
            if requests.get(page.address + "/health", timeout=1).ok:
                return
        time.sleep(0.1)
    raise AsdbenchError(f"MLflow's server does not answer at {page.address} within {STARTS_WITHIN_S:.0f} s.")


def _end(process: "subprocess.Popen[bytes]") -> None:
    """End the server and its workers, which are a process group of their own."""
    for kind in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, kind)
        with suppress(subprocess.TimeoutExpired):
            process.wait(5)
