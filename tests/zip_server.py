"""An HTTP server of this machine that sends zips, whole or in ranges, and misbehaves as told."""

import hashlib
import io
import threading
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import soundfile

CARD = """
summary = "A small challenge."
year = 2023
protocol = "dcase2023"
layout = "dcase2023"
licence = "CC0"
sample_rate_hz = 16000
channels = 1
[splits.dev]
sections = ["00"]
labelled = true
zips = ["{base}/files/dev_{{machine}}.zip"]
checksums = {{ {checksums} }}
[splits.dev.machines]
fan = {{}}
valve = {{}}
[splits.eval]
sections = ["00"]
labelled = true
zips = ["{base}/train/{{machine}}.zip", "{base}/test/{{machine}}.zip"]
[splits.eval.machines]
pump = {{}}
"""


@dataclass
class Served:
    """A file and how it is sent.

    Attributes:
        ranges: whether ranges are honoured, and whether If-Range is.
        cuts: the next answers end after so many bytes of body, and the connection with them.
        statuses: the next answers are these.
        length: whether Content-Length is said.
        head: whether HEAD is known.
        retry_after: what answers of ``statuses`` say in Retry-After.
        stall_s: how long a connection that is to be cut stays open in silence.
    """

    content: bytes
    etag: str | None = '"1"'
    modified: str | None = None
    ranges: bool = True
    if_range: bool = True
    cuts: list[int] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    length: bool = True
    head: bool = True
    retry_after: str | None = None
    stall_s: float = 0.0


@dataclass
class Request:
    """What came, and how many bytes of body were sent."""

    method: str
    path: str
    range: str | None
    status: int
    sent: int


class Server(ThreadingHTTPServer):
    """Files by path, and what was asked for."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, Served] = {}
        self.log: list[Request] = []
        self.stopped = threading.Event()

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def gets(self, path: str | None = None) -> list[Request]:
        return [one for one in self.log if one.method == "GET" and path in (None, one.path)]

    def handle_error(self, request, client_address) -> None:
        """A client that went away is no error here."""


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_HEAD(self) -> None:
        self._answer(False)

    def do_GET(self) -> None:
        self._answer(True)

    def log_message(self, *_words: object) -> None:
        pass

    def _answer(self, body: bool) -> None:
        served = self.server.files.get(self.path)
        asked = self.headers.get("Range")
        entry = Request(self.command, self.path, asked, 404, 0)
        self.server.log.append(entry)
        if served is None or (not body and not served.head):
            entry.status = 404 if served is None else 405
        elif body and served.statuses:
            entry.status = served.statuses.pop(0)
        else:
            self._send(served, entry, body)
            return
        self.send_response(entry.status)
        if served and served.retry_after:
            self.send_header("Retry-After", served.retry_after)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _send(self, served: Served, entry: Request, body: bool) -> None:
        content, start, entry.status = served.content, 0, 200
        if entry.range and served.ranges and self._same_version(served):
            start = int(entry.range.removeprefix("bytes=").removesuffix("-"))
            entry.status = 206 if start < len(content) else 416
        self.send_response(entry.status)
        if served.etag:
            self.send_header("ETag", served.etag)
        if served.modified:
            self.send_header("Last-Modified", served.modified)
        if entry.status == 416:
            self.send_header("Content-Range", f"bytes */{len(content)}")
            start = len(content)
        if entry.status == 206:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        if served.length:
            self.send_header("Content-Length", str(len(content) - start))
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        if body:
            cut = bool(served.cuts)
            end = start + served.cuts.pop(0) if cut else len(content)
            entry.sent = len(content[start:end])  # before it goes out: who asked may look as soon as it has arrived
            self.wfile.write(content[start:end])
            self.wfile.flush()
            if cut and served.stall_s:
                self.server.stopped.wait(served.stall_s)

    def _same_version(self, served: Served) -> bool:
        condition = self.headers.get("If-Range")
        return not served.if_range or condition is None or condition in (served.etag, served.modified)


@contextmanager
def serving() -> Iterator[Server]:
    """A server that runs in a thread while it is used."""
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        yield server
        server.stopped.set()
        server.shutdown()
        thread.join()


def zip_of(files: Mapping[str, bytes]) -> bytes:
    """A zip of these members."""
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return memory.getvalue()


def recordings(machine: str, names: Mapping[str, list[str]], seed: int = 0) -> dict[str, bytes]:
    """Short recordings of noise, by their paths in a zip."""
    files = {}
    generator = np.random.default_rng(seed)
    for split, own in names.items():
        for name in own:
            memory = io.BytesIO()
            soundfile.write(memory, 0.1 * generator.standard_normal(4000), 16000, format="WAV")
            files[f"{machine}/{split}/{name}"] = memory.getvalue()
    return files


def write_card(folder: Path, base: str, checksums: Mapping[str, str] | None = None) -> Path:
    """A plugin folder with the small challenge's card; gives the folder."""
    listed = ", ".join(f'"{name}" = "{value}"' for name, value in (checksums or {}).items())
    card = folder / "registry" / "datasets" / "dcase2023-mini.toml"
    card.parent.mkdir(parents=True, exist_ok=True)
    card.write_text(CARD.format(base=base, checksums=listed))
    return folder


def md5(content: bytes) -> str:
    return "md5:" + hashlib.md5(content).hexdigest()


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
