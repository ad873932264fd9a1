"""What is there of a transfer that is not finished: its bytes, and a note of the version that they are of."""

import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from asdbench.core.files import write_text

if TYPE_CHECKING:
    from requests import Response

_RANGE = re.compile(r"bytes (?:(\d+)-\d+|\*)/(\d+|\*)")


@dataclass(frozen=True)
class Version:
    """Which file an address stood for when its transfer began; None is what the server did not say.

    Attributes:
        length: in bytes.
    """

    url: str
    etag: str | None = None
    modified: str | None = None
    length: int | None = None

    @property
    def validator(self) -> str | None:
        """What If-Range takes: an entity tag unless it is a weak one, else the date."""
        return self.etag if self.etag and not self.etag.startswith("W/") else self.modified


class Part:
    """The file ``<zip>.part`` and its note ``<zip>.part.json``.

    Args:
        url: what is transferred; a part of something else is not gone on with.
        target: path of the zip.
    """

    def __init__(self, url: str, target: Path) -> None:
        self.url = url
        self.path = target.with_name(f"{target.name}.part")
        self._note = target.with_name(f"{target.name}.part.json")
        self.version = self._read_note()
        if self.version is None or (self.version.length is not None and self.size > self.version.length):
            self.discard()

    @property
    def size(self) -> int:
        """Bytes that are there."""
        return self.path.stat().st_size if self.path.exists() else 0

    @property
    def whole(self) -> bool:
        """Whether it is known to be complete."""
        return self.version is not None and self.version.length is not None and self.size == self.version.length

    def begin(self, response: "Response") -> None:
        """Start anew with the answer to a request for the whole."""
        self.discard()
        headers = response.headers
        length = headers.get("Content-Length", "")
        self.version = Version(
            self.url, headers.get("ETag"), headers.get("Last-Modified"), int(length) if length.isdecimal() else None
        )
        self.path.parent.mkdir(parents=True, exist_ok=True)
        write_text(self._note, json.dumps(asdict(self.version)))

    def is_continued_by(self, response: "Response") -> bool:
        """Whether an answer of a range goes on where the bytes end, and is of the same version."""
        if self.version is None:
            return False
        start, length = _content_range(response)
        etag = response.headers.get("ETag")
        same_length = self.version.length is None or length is None or length == self.version.length
        same_etag = self.version.etag is None or etag is None or etag == self.version.etag
        return start == self.size and same_length and same_etag

    def is_all_of(self, response: "Response") -> bool:
        """Whether a server that refuses the range (416) does so because nothing is left to send."""
        etag = response.headers.get("ETag")
        same_etag = self.version is not None and (etag is None or etag == self.version.etag)
        return same_etag and 0 < self.size == _content_range(response)[1]

    def discard(self) -> None:
        """Forget what is there."""
        self.path.unlink(missing_ok=True)
        self._note.unlink(missing_ok=True)
        self.version = None

    def hand_over(self, target: Path) -> None:
        """Give the finished file its place."""
        self.path.replace(target)
        self.discard()

    def _read_note(self) -> Version | None:
        try:
            version = Version(**json.loads(self._note.read_bytes()))
        except (OSError, ValueError, TypeError):
            return None
        return version if version.url == self.url else None


def _content_range(response: "Response") -> tuple[int | None, int | None]:
    """First byte and length of the whole, as far as the header says."""
    match = _RANGE.fullmatch(response.headers.get("Content-Range", "").strip())
    if match is None:
        return None, None
    start, length = match.groups()
    return int(start) if start else None, int(length) if length != "*" else None
