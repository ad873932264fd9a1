"""The web page of a store: MLflow's own server on loopback, for a store that is a database."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from asdbench.core.errors import AsdbenchError, UsageError
from asdbench.tracking.quiet import SETTINGS
from asdbench.tracking.store import Store

FIRST_PORT = 5000
STARTS_WITHIN_S = 90.0


@dataclass(frozen=True)
class Page:
    """A server that was started. ``address``: of its page."""

    address: str
    process: "subprocess.Popen[bytes]"


@contextmanager
def served(store: Store, port: int | None = None) -> Iterator[Page]:
    """Start MLflow's server on the store; it ends, with all its processes, when the context does.

    The store's address goes by environment, so that no list of processes shows a password.

    Args:
        store: a database.
        port: of loopback; None takes the first free one from 5000 on.

    Raises:
        UsageError: the port is taken.
        AsdbenchError: the server ends at once, or does not answer.
    """
    chosen = _free(port)
    environ = {
        **os.environ,
        **SETTINGS,
        "MLFLOW_BACKEND_STORE_URI": store.uri,
        "MLFLOW_REGISTRY_STORE_URI": store.uri,
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    }
    if store.artifacts:
        environ["MLFLOW_DEFAULT_ARTIFACT_ROOT"] = store.artifacts
    environ.pop("MLFLOW_TRACKING_URI", None)
    # One worker is a person's own page; four would take four times the seconds and the memory.
    words = ["server", "--host", "127.0.0.1", "--port", str(chosen), "--workers", "1"]
    process = subprocess.Popen(
        [sys.executable, "-m", "mlflow", *words], env=environ, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, start_new_session=True,
    )  # fmt: skip
    address = f"http://127.0.0.1:{chosen}"
    try:
        _await(address, process, store)
        yield Page(address, process)
    finally:
        _end(process)


def _free(port: int | None) -> int:
    for candidate in range(port or FIRST_PORT, (port or FIRST_PORT) + (1 if port else 100)):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with suppress(OSError):
                probe.bind(("127.0.0.1", candidate))
                return candidate
    raise UsageError(f"--port {port or FIRST_PORT}: it is taken. Without --port a free one is found.")


def _await(address: str, process: "subprocess.Popen[bytes]", store: Store) -> None:
    """Until the page answers; what the server says is read all the while, so that its pipe never fills."""
    import requests

    said: deque[bytes] = deque(maxlen=5)
    threading.Thread(target=said.extend, args=(process.stdout,), daemon=True).start()
    deadline = time.monotonic() + STARTS_WITHIN_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            time.sleep(0.2)
            last = b"".join(said).decode(errors="replace").strip()
            raise AsdbenchError(f"MLflow's server ended at once: {store.scrubbed(last)}")
        with suppress(requests.RequestException):
            if requests.get(address + "/health", timeout=1).ok:
                return
        time.sleep(0.1)
    raise AsdbenchError(f"MLflow's server does not answer at {address} within {STARTS_WITHIN_S:.0f} s.")


def _end(process: "subprocess.Popen[bytes]") -> None:
    """End the server and its workers, which are a process group of their own."""
    for kind, wait_s in ((signal.SIGTERM, 5.0), (signal.SIGKILL, 5.0)):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, kind)
        with suppress(subprocess.TimeoutExpired):
            process.wait(wait_s)
            break
    with suppress(ProcessLookupError):  # workers that outlived it
        os.killpg(process.pid, signal.SIGKILL)
