"""Transfer one file over HTTP, through broken connections and interrupted commands."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from pydantic import ValidationError

from asdbench import __version__
from asdbench.core.errors import RequirementError
from asdbench.core.files import write_text
from asdbench.core.numbers import size_text
from asdbench.core.progress import Progress
from asdbench.core.validation import Model
from asdbench.datasets.download.disk import megabyte_stage

if TYPE_CHECKING:
    from requests import Response, Session
    from urllib3.util import Retry

RETRIES = 5  # in a row that bring nothing new
BACKOFF_S = 2.0  # the first retry is immediate, the second waits twice as long as this, each later one twice the last
LONGEST_WAIT_S = 60.0  # a server may ask for more with Retry-After
PASSING = (408, 425, 429, 500, 502, 503, 504)  # statuses that may pass
GONE = (404, 410)
TIMEOUT_S = (15.0, 60.0)  # to connect, and between two packets
CHUNK = 1 << 14  # what a broken connection loses at most, as urllib3 gives whole chunks only
# "identity": a compressed answer has another length, and no range of it can be asked for.
HEADERS = {"User-Agent": f"asdbench/{__version__}", "Accept-Encoding": "identity"}


class Version(Model):
    """Which file an address stood for when its transfer began; None is what the server did not say.

    Attributes:
        length: of the whole file (bytes).
    """

    url: str
    etag: str | None = None
    modified: str | None = None
    length: int | None = None

    @classmethod
    def of(cls, url: str, response: "Response") -> "Version":
        """The version that an answer brings, all of it or a range."""
        headers = response.headers
        size = headers.get("Content-Range" if response.status_code in (206, 416) else "Content-Length", "")
        length = size.rpartition("/")[2]
        return cls(
            url=url,
            etag=headers.get("ETag"),
            modified=headers.get("Last-Modified"),
            length=int(length) if length.isdecimal() else None,
        )

    def agrees_with(self, other: "Version") -> bool:
        """Whether nothing differs that is known of both."""
        pairs = ((self.etag, other.etag), (self.modified, other.modified), (self.length, other.length))
        return all(None in pair or pair[0] == pair[1] for pair in pairs)


class PartialFile:
    """What has come of a file: ``<zip>.part``, and ``<zip>.part.json``, the version that its bytes are of.

    Args:
        url: what is transferred; bytes of another address are removed.
        target: path of the finished file.
    """

    def __init__(self, url: str, target: Path) -> None:
        self.url = url
        self.path = target.with_name(f"{target.name}.part")
        self._version_path = target.with_name(f"{target.name}.part.json")
        self.version: Version | None = None
        with suppress(FileNotFoundError, ValidationError):
            self.version = Version.model_validate_json(self._version_path.read_bytes())
        if not self.version or self.version.url != url or self.size > (self.version.length or self.size):
            self.discard()

    @property
    def size(self) -> int:
        """Bytes that are there."""
        return self.path.stat().st_size if self.path.exists() else 0

    def range_headers(self) -> dict[str, str]:
        """What asks for the rest, of this version only; nothing where there is nothing to go on with."""
        if not self.version or not self.size:
            return {}
        strong_etag = self.version.etag if not (self.version.etag or "").startswith("W/") else None
        condition = strong_etag or self.version.modified
        return {"Range": f"bytes={self.size}-"} | ({"If-Range": condition} if condition else {})

    def discard(self) -> None:
        """Remove what is there."""
        self.path.unlink(missing_ok=True)
        self._version_path.unlink(missing_ok=True)
        self.version = None

    def receive(self, response: "Response", show: Callable[..., None]) -> bool:
        """Append an answer; whether the file is complete now. False: another version came, and it starts over."""
        from requests import RequestException
        from requests.exceptions import ChunkedEncodingError

        start, version = self.size, Version.of(self.url, response)
        status, ranged = response.status_code, "Range" in response.request.headers
        if ranged and self.version and status in (206, 416):
            same = self.version.agrees_with(version)
            if status == 416 and same and start == version.length:  # there was nothing left to send
                return True
            if not same or not response.headers.get("Content-Range", "").startswith(f"bytes {start}-"):
                self.discard()
                return False
        response.raise_for_status()
        if status != 200 and not (ranged and status == 206):
            raise RequestException(response=response)
        if response.headers.get("Content-Encoding", "identity") != "identity":  # a range of it would be of other bytes
            raise RequestException("the server compresses it though asked not to")
        if status == 200:  # all of it: nothing was there, it changed, or the server knows no ranges
            self.discard()
            write_text(self._version_path, version.model_dump_json())
            self.version = version
        show(self.size)
        with self.path.open("ab") as file:
            for block in response.iter_content(CHUNK):  # raises where less than Content-Length comes
                file.write(block)
                show(file.tell())
        if version.length not in (None, self.size):
            raise ChunkedEncodingError
        return True


def size_of(url: str, progress: Progress) -> int | None:
    """Size of what an address stands for (bytes), without transferring it; None when the server does not say.

    Raises:
        RequirementError: there is no such thing, or the server cannot be reached.
    """
    with _session(url, _retry(url, progress)) as session:
        response = session.head(url, timeout=TIMEOUT_S, allow_redirects=True)
        if response.status_code in (*PASSING, *GONE):  # some servers know no HEAD
            response.raise_for_status()
        return Version.of(url, response).length if response.ok else None


def transfer(url: str, target: Path, size: int | None, progress: Progress) -> None:
    """Bring the file to ``target``, going on from what an earlier attempt left; ``size`` (bytes) is for the progress.

    Raises:
        RequirementError: there is no such thing, or the server cannot be reached; what came stays there.
    """
    from requests import ConnectionError as RequestsConnectionError
    from requests.exceptions import ChunkedEncodingError

    partial = PartialFile(url, target)
    retry, most = _retry(url, progress), partial.size
    try:
        with _session(url, retry) as session, megabyte_stage(progress, target.name, size) as show:
            if partial.size:
                show(partial.size, f"goes on at {size_text(partial.size)}")
            done = partial.version is not None and partial.path.exists() and partial.size == partial.version.length
            while not done:
                with session.get(url, headers=partial.range_headers(), timeout=TIMEOUT_S, stream=True) as response:
                    try:
                        done = partial.receive(response, show)
                    except (ChunkedEncodingError, RequestsConnectionError) as error:
                        if partial.size > most:
                            retry, most = _retry(url, progress), partial.size
                        retry = retry.increment("GET", url, error=error)
                        retry.sleep()
    except KeyboardInterrupt:
        if partial.size:
            progress.note(f"{size_text(partial.size)} of {target.name} are here: the same command goes on from there.")
        raise
    partial.path.replace(target)
    partial.discard()


@contextmanager
def _session(url: str, retry: "Retry") -> Iterator["Session"]:
    """A session whose failures become a message with the next step."""
    import requests
    from requests.adapters import HTTPAdapter
    from urllib3.exceptions import MaxRetryError

    try:
        with requests.Session() as session:
            session.headers.update(HEADERS)
            for scheme in ("http://", "https://"):
                session.mount(scheme, HTTPAdapter(max_retries=retry))
            yield session
    except (requests.RequestException, MaxRetryError) as error:
        response = getattr(error, "response", None)
        advice = "What came stays there: the same command goes on from it. Check the connection, or try later."
        if response is not None and response.status_code in GONE:
            advice = "It may have moved: look at its page (asdbench show NAME), and for a newer asdbench."
        reason = _reason(error) if response is None else _answer(response.status_code, response.reason)
        raise RequirementError(f"{url} cannot be had: {reason}.\n{advice}") from error


def _retry(url: str, progress: Progress) -> "Retry":
    """When a request is repeated, with a note each time."""
    from urllib3.exceptions import InvalidHeader
    from urllib3.util import Retry

    class NotedRetry(Retry):
        def increment(self, *args: Any, **options: Any) -> Self:
            following = super().increment(*args, **options)  # raises after the last one
            response = options.get("response")
            reason = _reason(options["error"]) if response is None else _answer(response.status, response.reason)
            wait_s = (response is not None and self.get_retry_after(response)) or following.get_backoff_time()
            attempt = f"attempt {len(following.history) + 1} of {RETRIES + 1} in {wait_s:.0f} s"
            progress.note(f"{url}: {reason}; {attempt}.")
            return following

        def get_retry_after(self, response: Any) -> float | None:
            with suppress(InvalidHeader):
                asked_s = super().get_retry_after(response)
                return asked_s and min(asked_s, LONGEST_WAIT_S)
            return None

    return NotedRetry(
        RETRIES,
        status_forcelist=PASSING,
        backoff_factor=BACKOFF_S,
        backoff_max=LONGEST_WAIT_S,
        raise_on_status=False,  # the last answer is given back instead
    )


def _answer(status: int, reason: str | None) -> str:
    return f"the server answers {status} {reason or ''}".rstrip()


def _reason(error: Exception) -> str:
    """What went wrong in few words; requests and urllib3 wrap the cause several times, with names of their objects."""
    from requests.exceptions import ChunkedEncodingError

    cause: Any = error
    inner: Any = error
    while isinstance(inner, Exception) and not isinstance(cause, ChunkedEncodingError):
        cause = inner
        inner = getattr(cause, "reason", None) or next(iter(cause.args), None)
    if isinstance(cause, ChunkedEncodingError):
        return "the connection ended early"
    message = str(cause) or type(cause).__name__
    return (message.partition("): ")[2] or message).rstrip(".")  # without "HTTPConnection(host=..., port=...): "
