"""The web page of a store: MLflow's own server on loopback, for a store that is a database."""

import os
import shlex
import signal
import socket
import subprocess
import sys
import sysconfig
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
    """A server that was started. ``address``: of its page; ``said``: its last lines."""

    address: str
    process: "subprocess.Popen[bytes]"
    said: deque[bytes]
    store: Store

    def wait(self) -> None:
        """Until the server ends, which it does not by itself.

        Raises:
            AsdbenchError: it has ended.
        """
        self.process.wait()
        raise AsdbenchError(f"MLflow's server ended{_last_of(self.said, self.store)}")


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
    # Nothing is imported from the folder one stands in: neither by Python nor by the server that MLflow starts.
    environ["PYTHONSAFEPATH"] = "1"
    libraries = sysconfig.get_path("purelib")
    # One worker is a person's own page; four would take four times the seconds and the memory.
    words = ["server", "--host", "127.0.0.1", "--port", str(chosen), "--workers", "1"]
    words += ["--uvicorn-opts", f"--app-dir {shlex.quote(libraries)}"]
    with _ended_by(signal.SIGHUP, signal.SIGTERM):
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "mlflow", *words], env=environ, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
        page = Page(f"http://127.0.0.1:{chosen}", process, deque(maxlen=50), store)
        try:
            _await(page)
            yield page
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


@contextmanager
def _ended_by(*kinds: signal.Signals) -> Iterator[None]:
    """These signals interrupt as Ctrl-C does; one that is ignored (nohup) stays ignored."""

    def interrupt(*_: object) -> None:
        for kind in before:  # the end is under way
            signal.signal(kind, signal.SIG_IGN)
        raise KeyboardInterrupt

    ours = threading.current_thread() is threading.main_thread()  # elsewhere Python takes no handlers
    before = {kind: found for kind in kinds if ours and (found := signal.getsignal(kind)) is not signal.SIG_IGN}
    for kind in before:
        signal.signal(kind, interrupt)
    try:
        yield
    finally:
        for kind, handler in before.items():
            signal.signal(kind, handler)


def _last_of(said: "deque[bytes]", store: Store) -> str:
    """What the server said last, to stand behind a sentence."""
    time.sleep(0.2)  # for the thread that reads it
    lines = [line.decode(errors="replace").strip() for line in said]
    last = next((line for line in reversed(lines) if line), "")
    return f": {store.scrubbed(last)}" if last else "."


def _await(page: Page) -> None:
    """Until the page answers; what the server says is read all the while, so that its pipe never fills."""
    import requests

    threading.Thread(target=page.said.extend, args=(page.process.stdout,), daemon=True).start()
    deadline = time.monotonic() + STARTS_WITHIN_S
    while time.monotonic() < deadline:
        if page.process.poll() is not None:
            raise AsdbenchError(f"MLflow's server ended at once{_last_of(page.said, page.store)}")
        with suppress(requests.RequestException):
            if requests.get(page.address + "/health", timeout=1).ok:
                return
        time.sleep(0.1)
    raise AsdbenchError(f"MLflow's server does not answer at {page.address} within {STARTS_WITHIN_S:.0f} s.")


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
