"""Exceptions in other people's code (plugins, a user's own objects), reported with file and line of that code."""

import inspect
import sysconfig
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from asdbench.core.errors import AsdbenchError
from asdbench.core.packages import missing_package

PACKAGE = Path(__file__).resolve().parents[1]
STANDARD_LIBRARY = Path(sysconfig.get_paths()["stdlib"]).resolve()
INSTALLED = ("site-packages", "dist-packages")
TYPED_IN = ("<stdin>", "<string>", "<ipython-", "<python-input", "<console>")


@dataclass(frozen=True)
class Fault:
    """What happened when an exception was raised."""

    reason: str  # one sentence: ``ValueError: rows differ (mine/cosine.py, line 12)``
    detail: str  # traceback; of an exception in other people's code their lines alone
    place: str  # file and line of other people's code, the innermost; "" where there is none


def fault_of(error: BaseException) -> Fault:
    """What happened, with the last line of other people's code that was under way."""
    place = _place_of(error)
    missing = missing_package(error) if isinstance(error, ModuleNotFoundError) else None
    message = error.msg if isinstance(error, SyntaxError) else _text_of(error)  # str names the file without its folder
    message = " ".join(str(missing).splitlines()) if missing else message
    name = type(error).__name__
    reason = (f"{name}: {message}" if message else name) + (f" ({place})" if place else "")
    report = traceback.TracebackException.from_exception(error)
    if place:
        _leave_out_internal_lines(report)
    return Fault(_encodable(reason), _encodable("".join(report.format())), place)


def _text_of(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # other people's, like all of it
        return ""


def _encodable(text: str) -> str:
    """With escapes for what no file in UTF-8 can hold: parts of a file's name that is none."""
    return text.encode("utf-8", "backslashreplace").decode()


@contextmanager
def reported_as(what: str) -> Iterator[None]:
    """Turn an exception in other people's code into an error for the user that begins with ``what``.

    Errors that have a message already pass through, and so do faults of asdbench itself.

    Raises:
        AsdbenchError: other people's code raised something.
    """
    try:
        yield
    except AsdbenchError:
        raise
    except (Exception, SystemExit) as error:
        fault = fault_of(error)
        if not fault.place:
            raise
        raise AsdbenchError(f"{what}: {fault.reason}.") from error


def source_location(thing: object) -> str:
    """File and line where a class or function is defined; "" where it has no source."""
    try:
        file = inspect.getsourcefile(thing)  # type: ignore[arg-type]
        return f"{_shown(file)}, line {inspect.getsourcelines(thing)[1]}" if file else ""  # type: ignore[arg-type]
    except (TypeError, OSError):
        return ""


def is_internal(file: str) -> bool:
    """Whether a source file is asdbench's, Python's or that of an installed package that is no plugin."""
    if file.startswith("<"):
        return not file.startswith(TYPED_IN)
    path = Path(file).resolve()
    if path.is_relative_to(PACKAGE):
        return True
    for number, folder in enumerate(path.parents):
        if folder.name in INSTALLED:  # an installed plugin has cards beside its code
            return not any(any((inner / "registry").glob("*/*.toml")) for inner in path.parents[:number])
    return path.is_relative_to(STANDARD_LIBRARY)


def _place_of(error: BaseException) -> str:
    if isinstance(error, SyntaxError) and error.filename and Path(error.filename).is_file():
        return "" if is_internal(error.filename) else f"{_shown(error.filename)}, line {error.lineno}"
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if not is_internal(frame.filename)]
    return f"{_shown(frames[-1].filename)}, line {frames[-1].lineno}" if frames else ""


def _leave_out_internal_lines(report: traceback.TracebackException | None) -> None:
    if report is not None:
        frames = [frame for frame in report.stack if not is_internal(frame.filename)]
        report.stack = traceback.StackSummary.from_list(frames)
        _leave_out_internal_lines(report.__cause__)
        _leave_out_internal_lines(report.__context__)


def _shown(file: str) -> str:
    """The path as seen from the current folder, where it lies below that."""
    path = Path(file)
    return str(path.relative_to(Path.cwd())) if path.is_absolute() and path.is_relative_to(Path.cwd()) else file
