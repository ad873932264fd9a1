"""A PostgreSQL server of the tests' own, on loopback, in a folder that goes with it."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

USER, PASSWORD = "asdbench", "s3cret-p@ss/word"
ENCODED_PASSWORD = "s3cret-p%40ss%2Fword"
SYSTEM_USERS = ("postgres", "nobody")  # the server refuses to run as root
STARTS_WITHIN_S = 30.0


def programs() -> Path | None:
    """Folder of ``initdb`` and ``postgres``: that of the newest version installed."""
    places = sorted(
        Path("/usr/lib/postgresql").glob("*/bin"), key=lambda place: int(place.parent.name.split(".")[0]), reverse=True
    )
    found = shutil.which("postgres")
    places += [Path(found).parent] if found else []
    return next((place for place in places if (place / "initdb").exists() and (place / "postgres").exists()), None)


def free_port() -> int:
    """A port of loopback that nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def postgres(database: str = "asdbench") -> Iterator[str]:
    """Start a server; yield the address of an empty database, ``postgresql+psycopg://user:password@127.0.0.1:port/name``.

    The test is skipped where there is no server to start.
    """
    pytest.importorskip("psycopg", reason="psycopg is not installed: no test on PostgreSQL")
    place = programs()
    if place is None:
        pytest.skip("PostgreSQL is not installed (Debian: postgresql): no test on it")
    as_user = _as_user()
    with tempfile.TemporaryDirectory(prefix="asdbench-pg-") as folder:
        root = Path(folder)
        (root / "password").write_text(PASSWORD)
        if as_user:
            for path in (root, root / "password"):
                shutil.chown(path, as_user[1])
        command = as_user[0] if as_user else []
        _run(
            [
                *command, place / "initdb", "-D", root / "data", "-U", USER, "--pwfile", root / "password",
                "-A", "scram-sha-256", "-E", "UTF8", "--locale=C", "--no-sync",
            ],
            root,
        )  # fmt: skip
        port = free_port()
        options = {"port": port, "listen_addresses": "127.0.0.1", "unix_socket_directories": "", "fsync": "off"}
        settings = [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
        with (root / "log").open("wb") as log:
            server = subprocess.Popen(
                [*map(str, command), str(place / "postgres"), "-D", str(root / "data"), *settings],
                stdout=log, stderr=log, cwd=root,
            )  # fmt: skip
        try:
            _create(database, port, server, root / "log")
            yield f"postgresql+psycopg://{USER}:{ENCODED_PASSWORD}@127.0.0.1:{port}/{database}"
        finally:
            server.send_signal(signal.SIGINT)  # "fast": connections that are still open are cut
            try:
                server.wait(10)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()


def _as_user() -> tuple[list[str], str] | None:
    """Words before a command that make it another user's, and who that is; None where we are not root."""
    if os.geteuid() != 0:
        return None
    import pwd

    known = {entry.pw_name for entry in pwd.getpwall()}
    user = next((name for name in SYSTEM_USERS if name in known), None)
    setpriv = shutil.which("setpriv")
    if user is None or setpriv is None:
        pytest.skip("PostgreSQL does not run as root, and there is no setpriv or no other user: no test on it")
    return [setpriv, f"--reuid={user}", f"--regid={pwd.getpwnam(user).pw_gid}", "--clear-groups"], user


def _run(command: list[object], folder: Path) -> None:
    done = subprocess.run(list(map(str, command)), cwd=folder, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def _create(database: str, port: int, server: "subprocess.Popen[bytes]", log: Path) -> None:
    import psycopg

    deadline = time.monotonic() + STARTS_WITHIN_S
    while True:
        assert server.poll() is None, log.read_text(errors="replace")
        try:
            with psycopg.connect(
                host="127.0.0.1", port=port, user=USER, password=PASSWORD, dbname="postgres", autocommit=True
            ) as connection:
                connection.execute(f'create database "{database}"')
            return
        except psycopg.OperationalError:
            assert time.monotonic() < deadline, log.read_text(errors="replace")
            time.sleep(0.05)
