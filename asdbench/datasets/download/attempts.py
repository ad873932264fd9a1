"""Ask a server again after failures that may pass."""

import re
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from asdbench.core.errors import RequirementError

if TYPE_CHECKING:
    from requests import Response

# Waits between attempts that bring nothing new (s); an attempt that brings bytes starts counting anew.
BACKOFF_S: tuple[float, ...] = (1.0, 3.0, 10.0, 30.0)
LONGEST_WAIT_S = 90.0  # a server may ask for more with Retry-After
RETRIED = {408, 425, 429, 500, 502, 503, 504}
GONE = {404, 410}

T = TypeVar("T")


class HiccupError(Exception):
    """A failure that may pass; ``wait_s`` is what the server asks for."""

    def __init__(self, reason: str, wait_s: float = 0.0) -> None:
        super().__init__(reason)
        self.wait_s = wait_s


def persist(url: str, attempt: Callable[[], T], gained: Callable[[], int], note: Callable[[str], None]) -> T:
    """Try again after failures that may pass, until several in a row have brought nothing new.

    Args:
        url: what is asked for, for messages.
        attempt: gives the result, or raises HiccupError or an error of requests.
        gained: bytes that are there; an attempt that brought more was not in vain.
        note: told about every failure that is followed by another attempt.

    Raises:
        RequirementError: it cannot be had.
    """
    from requests import ConnectionError as NoConnection
    from requests import RequestException, Timeout
    from requests.exceptions import ChunkedEncodingError

    best, failures = gained(), 0
    while True:
        try:
            return attempt()
        except (HiccupError, NoConnection, Timeout, ChunkedEncodingError) as error:
            reason = _reason(error)
            if gained() > best:
                best, failures = gained(), 0
            if failures == len(BACKOFF_S):
                raise RequirementError(
                    f"{url} cannot be had after {failures + 1} attempts: {reason}.\n"
                    "What came is kept: the same command goes on from there. Check the connection, or try later."
                ) from error
            asked_s = error.wait_s if isinstance(error, HiccupError) else 0.0
            wait_s = max(BACKOFF_S[failures], min(asked_s, LONGEST_WAIT_S))
            failures += 1
            note(f"{url}: {reason}; attempt {failures + 1} of {len(BACKOFF_S) + 1} in {wait_s:.0f} s.")
            time.sleep(wait_s)
        except RequestException as error:
            raise RequirementError(f"{url} cannot be had: {_reason(error)}. Correct the card, or try later.") from error


def require_success(url: str, response: "Response") -> None:
    """Pass an answer that brings what was asked for.

    Raises:
        HiccupError: the server may do better later.
        RequirementError: it will not.
    """
    status = response.status_code
    if status in RETRIED:
        asked = response.headers.get("Retry-After", "")
        raise HiccupError(f"the server answers {status} {response.reason}", float(asked) if asked.isdecimal() else 0.0)
    if status in GONE:
        raise RequirementError(
            f"{url} is not there: the server answers {status} {response.reason}.\n"
            "The data set may have moved: look at its page (asdbench show NAME), and for a newer asdbench."
        )
    if status not in (200, 206) or (status == 206 and "Range" not in response.request.headers):
        raise RequirementError(f"{url} cannot be had: the server answers {status} {response.reason}. Try later.")
    if response.headers.get("Content-Encoding", "identity") != "identity":  # a range of it would be of other bytes
        raise RequirementError(f"{url} cannot be had: the server compresses it though asked not to.")


def _reason(error: Exception) -> str:
    """What went wrong in few words; requests wraps the cause several times, with names of its own objects."""
    from requests.exceptions import ChunkedEncodingError

    if isinstance(error, ChunkedEncodingError):
        return "the connection ended early"
    cause: Any = error
    while True:
        inner = getattr(cause, "reason", None) or (cause.args[0] if cause.args else None)
        if not isinstance(inner, Exception):
            break
        cause = inner
    words = str(inner if isinstance(inner, str) else cause) or type(error).__name__
    return re.sub(r"^<?[\w.]*Connection\w*( object at \w+>|\(.*?\)): ", "", words).rstrip(".")
