"""Transfer one file over HTTP, through broken connections and interrupted commands."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

from asdbench import __version__
from asdbench.core.progress import Progress
from asdbench.core.sizes import in_words
from asdbench.datasets.download.attempts import GONE, RETRIED, HiccupError, persist, require_success
from asdbench.datasets.download.parts import Part
from asdbench.datasets.download.space import Megabytes, megabytes

TIMEOUT_S = (15.0, 60.0)  # to connect, and between two packets
CHUNK = 1 << 14  # what a broken connection loses at most, as urllib3 gives whole chunks only
# "identity": a compressed answer has another length, and no range of it can be asked for.
HEADERS = {"User-Agent": f"asdbench/{__version__}", "Accept-Encoding": "identity"}


def size_of(url: str, note: Callable[[str], None]) -> int | None:
    """Size of what an address stands for (bytes), without transferring it; None when the server does not say.

    Raises:
        RequirementError: there is no such thing, or the server cannot be reached.
    """
    import requests

    def ask() -> int | None:
        with requests.head(url, headers=HEADERS, timeout=TIMEOUT_S, allow_redirects=True) as response:
            if response.status_code in RETRIED | GONE:
                require_success(url, response)
            length = response.headers.get("Content-Length", "")
            return int(length) if response.ok and length.isdecimal() else None  # some servers know no HEAD

    return persist(url, ask, lambda: 0, note)


def fetch(url: str, target: Path, size: int | None, progress: Progress) -> None:
    """Transfer ``url`` to ``target``, which must not exist, going on with what an earlier attempt left beside it.

    pooch gives the finished file its name; the transfer itself is ours because pooch's begins from the start after
    every failure.

    Args:
        url: of the file.
        target: its path.
        size: bytes to come, for the progress; None where the server does not say.
        progress: told megabytes and what goes wrong on the way.

    Raises:
        RequirementError: there is no such thing, or the server cannot be reached; what came is kept.
    """
    import pooch  # type: ignore[import-untyped]

    part = _resume(url, target, size, progress)  # before pooch makes a temporary file, which a kill would leave

    def transfer(_url: str, temporary: str | Path, _pooch: Any) -> None:
        part.hand_over(Path(temporary))

    pooch.get_logger().setLevel(logging.WARNING)  # it would print what the progress says already
    # Checksums are compared by ``sums``, not here: pooch would delete a file that differs.
    pooch.create(target.parent, base_url="", registry={target.name: None}, urls={target.name: url}).fetch(
        target.name, downloader=transfer
    )


def _resume(url: str, target: Path, size: int | None, progress: Progress) -> Part:
    """Transfer what is missing of the part, and give it back whole."""
    part = Part(url, target)

    def note(message: str) -> None:
        progress.note(message + (f" {in_words(part.size)} of {target.name} are here." if part.size else ""))

    with progress.stage(f"{target.name}, MB", megabytes(size)) as stage:
        meter = Megabytes(stage)
        if part.size:
            meter.at(part.size, f"goes on at {in_words(part.size)}")
        try:
            persist(url, lambda: _attempt(part, meter), lambda: part.size, note)
        except KeyboardInterrupt:
            if part.size:
                progress.note(f"{in_words(part.size)} of {target.name} are kept: the same command goes on from there.")
            raise
    return part


def _attempt(part: Part, meter: Megabytes) -> None:
    """One request for what is missing; returns when the part is whole."""
    import requests

    if part.whole:
        return
    headers = dict(HEADERS)
    if part.size and part.version:
        headers["Range"] = f"bytes={part.size}-"
        if part.version.validator:
            headers["If-Range"] = part.version.validator
    with requests.get(part.url, headers=headers, timeout=TIMEOUT_S, stream=True) as response:
        status = response.status_code
        if "Range" in headers and status in (206, 416):
            if status == 416 and part.is_all_of(response):
                return
            if status == 416 or not part.is_continued_by(response):
                part.discard()
                raise HiccupError("the file is another one now, so its transfer starts over")
        require_success(part.url, response)
        if status != 206:
            part.begin(response)  # all of it: nothing was there, it changed, or the server knows no ranges
        done = part.size
        meter.at(done)
        with part.path.open("ab") as file:
            for block in response.iter_content(CHUNK):
                file.write(block)
                done += len(block)
                meter.at(done)
    if part.version and part.version.length is not None and not part.whole:
        raise HiccupError("the connection ended early")
