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
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from asdbench.core.errors import AsdbenchError, UsageError
from asdbench.core.packages import needed_by
from asdbench.tracking.store import SETTINGS, Store
from asdbench.tracking.view import START, TAG, page_of

FIRST_PORT = 5000
OWN = str(Path(__file__).resolve().parents[2])  # the server's process imports this asdbench, wherever it lies
STARTS_WITHIN_S = 90.0
ASKED_S = 30.0


@contextmanager
def served(store: Store, port: int | None = None) -> Iterator[tuple[str, Callable[[], None]]]:
    """Start MLflow's server on the store; it ends, with all its processes, when the context does.

    Meanwhile a closed terminal (SIGHUP) and SIGTERM are a KeyboardInterrupt, as Ctrl-C is. The store's address goes by
    environment, so that no list of processes shows a password.

    Args:
        store: a database.
        port: of loopback; None takes the first free one from 5000 on.

    Yields:
        The page's address, and a function that waits until the server ends, which it does not by itself, and raises.

    Raises:
        UsageError: the port is taken.
        AsdbenchError: the server ends at once, or does not answer.
    """
    with needed_by("the page"):
        if find_spec("mlflow") is None:
            raise ModuleNotFoundError(name="mlflow")
    port = _free(port)
    environment = {
        **os.environ,
        **SETTINGS,
        "MLFLOW_BACKEND_STORE_URI": store.uri,
        "MLFLOW_REGISTRY_STORE_URI": store.uri,
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "PYTHONSAFEPATH": "1",  # nothing is imported from the working directory, by the server's workers neither
        "PYTHONPATH": os.pathsep.join([OWN, *filter(None, [os.environ.get("PYTHONPATH")])]),
    }
    if store.artifacts:
        environment["MLFLOW_DEFAULT_ARTIFACT_ROOT"] = store.artifacts
    environment.pop("MLFLOW_TRACKING_URI", None)
    command = [sys.executable, "-P", "-m", "asdbench.tracking.page_server", "server"]
    command += ["--host", "127.0.0.1", "--port", str(port)]
    command += ["--workers", "1"]  # enough for one person; four take four times the seconds and the memory
    command += ["--uvicorn-opts", f"--app-dir {shlex.quote(sysconfig.get_path('purelib'))}"]
    with tempfile.TemporaryFile() as output, _ended_by(signal.SIGHUP, signal.SIGTERM):
        process = subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
            start_new_session=True,
        )  # fmt: skip

        def ended(when: str) -> AsdbenchError:
            """The error to raise, with the line that the server printed last."""
            output.seek(0)
            lines = output.read().decode(errors="replace").strip().splitlines()
            return AsdbenchError(f"MLflow's server ended{when}{f': {store.scrubbed(lines[-1])}' if lines else '.'}")

        def wait() -> None:
            process.wait()
            raise ended("")

        address = f"http://127.0.0.1:{port}"
        try:
            deadline = time.monotonic() + STARTS_WITHIN_S
            while not _answers(address):
                if process.poll() is not None:
                    raise ended(" at once")
                if time.monotonic() > deadline:
                    raise AsdbenchError(f"MLflow's server does not answer at {address} within {STARTS_WITHIN_S:.0f} s.")
                time.sleep(0.1)
            yield address, wait
        finally:
            for kind in (signal.SIGTERM, signal.SIGKILL):  # to its workers too
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, kind)
                with suppress(subprocess.TimeoutExpired):
                    process.wait(5)


def opening_page(address: str) -> str:
    """Where a server of MLflow is best opened: at the experiment of the last run that asdbench logged, with its view.

    Args:
        address: of the server; where it does not say what it has, it is opened as it is.
    """
    import requests

    root = address.rstrip("/")

    def ask(what: str, **body: object) -> Any:
        return requests.post(f"{root}/api/2.0/mlflow/{what}/search", json=body, timeout=ASKED_S).json().get(what, [])

    with suppress(requests.RequestException, ValueError, LookupError, TypeError, AttributeError):
        viewed = [one["experiment_id"] for one in ask("experiments", max_results=1000) if _has_view(one)]
        (last,) = ask("runs", experiment_ids=viewed, max_results=1, order_by=["attributes.start_time DESC"])
        experiment = str(last["info"]["experiment_id"])
        with_start = requests.get(f"{root}{START}", timeout=ASKED_S)
        has_start = with_start.ok and "asdbench" in with_start.text
        return f"{root}{START}?experiment={experiment}" if has_start else f"{root}/{page_of(experiment)}"
    return address


def _has_view(experiment: Any) -> bool:
    return any(tag["key"] == TAG for tag in experiment.get("tags", []))


def _free(port: int | None) -> int:
    first = port or FIRST_PORT
    for candidate in range(first, first + (1 if port else 100)):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with suppress(OSError):
                probe.bind(("127.0.0.1", candidate))
                return candidate
    raise UsageError(f"--port {first}: it is taken. Without --port a free one is used.")


def _answers(address: str) -> bool:
    import requests

    with suppress(requests.RequestException):
        return requests.get(address + "/health", timeout=1).ok
    return False


@contextmanager
def _ended_by(*kinds: signal.Signals) -> Iterator[None]:
    """These signals interrupt as Ctrl-C does; one that is ignored (nohup) stays ignored."""
    takes_handlers = threading.current_thread() is threading.main_thread()
    before = {kind: signal.getsignal(kind) for kind in kinds if takes_handlers}
    before = {kind: handler for kind, handler in before.items() if handler is not signal.SIG_IGN}

    def interrupt(*_: object) -> None:
        for kind in before:  # the end is under way
            signal.signal(kind, signal.SIG_IGN)
        raise KeyboardInterrupt

    for kind in before:
        signal.signal(kind, interrupt)
    try:
        yield
    finally:
        for kind, handler in before.items():
            signal.signal(kind, handler)
