"""A Ray cluster of several nodes on this machine, each with an address and processes of its own."""

import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

RAY = Path(sys.executable).with_name("ray")
COMMON = (
    "--num-cpus=1", "--object-store-memory=80000000", "--disable-usage-stats", "--include-log-monitor=false", "--block",
)  # fmt: skip
PORTS = ("--min-worker-port=0", "--max-worker-port=0")
STARTED_S = 60.0


class Node:
    """One of them. ``host`` is an address of the loopback device."""

    def __init__(self, host: str, log: Path, environment: dict[str, str], *words: str) -> None:
        self.host = host
        self._log = log
        self._process = subprocess.Popen(
            [RAY, "start", f"--node-ip-address={host}", *words, *COMMON, *PORTS],
            stdout=log.open("wb"),
            stderr=subprocess.STDOUT,
            env={**os.environ, **environment, "PYTHONUNBUFFERED": "1", "OMP_NUM_THREADS": "1"},
        )

    def wait(self) -> None:
        """Until it has joined."""
        deadline = time.monotonic() + STARTED_S
        while "Ray runtime started" not in self._log.read_text(errors="replace"):
            assert self._process.poll() is None, self._log.read_text()
            assert time.monotonic() < deadline, self._log.read_text()
            time.sleep(0.1)

    def kill(self) -> None:
        """Take it away with all that runs on it, as a loss of power would."""
        family = _family(self._process.pid)
        for pid in family:  # the first one would restart or report what it misses
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._process.wait()


class Nodes:
    """The cluster: a head, and others that join and go."""

    def __init__(self, folder: Path, **environment: str) -> None:
        self._folder = folder
        with socket.socket() as free:
            free.bind(("127.0.0.2", 0))
            self.address = f"127.0.0.2:{free.getsockname()[1]}"
        port = self.address.rpartition(":")[2]
        self.environment = {
            "RAY_ADDRESS": self.address,  # of nodes, and of commands that join them
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN": secrets.token_hex(32),
            "RAY_USAGE_STATS_ENABLED": "0",
            "RAY_enable_worker_prestart": "0",
            "RAY_prestart_worker_first_driver": "0",
            "RAY_health_check_initial_delay_ms": "0",  # a lost node is noticed within a second
            "RAY_health_check_period_ms": "200",
            "RAY_health_check_failure_threshold": "4",
        }
        words = ("--head", f"--port={port}", "--include-dashboard=false", "--no-monitor", f"--temp-dir={folder / 'r'}")
        self.all = [Node("127.0.0.2", folder / "head.log", self.environment | environment, *words)]
        self.all[0].wait()

    def add(self, **environment: str) -> Node:
        """One more node, which has joined."""
        number = len(self.all) + 2
        log = self._folder / f"{number}.log"
        node = Node(f"127.0.0.{number}", log, self.environment | environment, f"--address={self.address}")
        self.all.append(node)
        node.wait()
        return node

    def end(self) -> None:
        """Leave nothing behind."""
        for node in reversed(self.all):
            node.kill()


def _family(pid: int) -> list[int]:
    """A process and all that it has begun."""
    family = [pid]
    for one in family:
        with suppress(OSError):
            for task in Path(f"/proc/{one}/task").iterdir():
                family += [int(child) for child in (task / "children").read_text().split()]
    return family
