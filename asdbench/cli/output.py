"""What commands print: the one place through which text and JSON leave.

Characters that a terminal would obey are shown as escapes, whoever put them into a name or a message; characters that
the output cannot show are replaced; and with ``--json`` standard output holds the JSON object and nothing else.
"""

import codecs
import errno
import json
import os
import re
import shutil
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, TextIO

import typer

from asdbench.core.errors import AsdbenchError

# Control characters but newline and tab, marks that turn the direction of text, line separators, tags, surrogates.
_CONTROL = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\U000e0000-\U000e007f]"
)
_REPLACEMENTS = {
    "±": "+-", "…": "...", "–": "-", "—": "-", "−": "-", "‘": "'", "’": "'", "“": '"', "”": '"', "×": "x", "·": ".",
    "•": "*", "→": "->", "←": "<-", "≤": "<=", "≥": ">=", "µ": "u", "\u00a0": " ",
    "─": "-", "━": "-", "╸": "-", "╺": "-", "┃": "|", "│": "|", "├": "|", "┤": "|", "●": "*",  # diagrams and bars
}  # fmt: skip
_REPLACED = "asdbench-replaced"
_LOGIN = re.compile(r"(?<=\w\w)(:/{1,2})[^\s/@:?#]*:[^\s/]*@|(?<!abfss)(?<!wasbs)(://)[^\s/@?#]+@")


def shown(text: str) -> str:
    """The text as a screen may have it.

    Every character that a terminal would obey is shown as an escape, its number after a backslash; who logs in at an
    address, and with what, is hidden where it stands as addresses have it.
    """
    return _LOGIN.sub(r"\1\2***@", _CONTROL.sub(_escape, text.replace("\r\n", "\n")))


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    if 0xDC80 <= code <= 0xDCFF:  # a byte of a file's name that is no UTF-8
        return f"\\x{code - 0xDC00:02x}"
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _replace(error: UnicodeError) -> tuple[str, int]:
    """What an output of ASCII or Latin-1 gets in place of what it cannot show."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(_REPLACEMENTS.get(char, "?") for char in error.object[error.start : error.end]), error.end


def replace_unknown_characters() -> None:
    """Let standard output and standard error replace what they cannot show, where they would raise."""
    codecs.register_error(_REPLACED, _replace)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors=_REPLACED)


def echo(text: object = "", *, err: bool = False, nl: bool = True, **style: Any) -> None:
    """Print a line.

    Args:
        text: may hold anything from outside.
        err: on standard error.
        nl: end the line; what is wider than a terminal is wrapped.
        style: colour and weight on a terminal, as ``typer.style`` takes them; none where ``NO_COLOR`` is set.
    """
    stream = sys.stderr if err else sys.stdout
    line = shown(str(text))
    if stream is not None and stream.isatty():
        line = fitted(line, shutil.get_terminal_size().columns) if nl else line
        line = typer.style(line, **style) if style and not os.environ.get("NO_COLOR") else line
    with room_needed():
        typer.echo(line, file=stream, nl=nl)


@contextmanager
def room_needed() -> Iterator[None]:
    """Turn a full disk that standard output leads to into an error for the user."""
    try:
        yield
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # else what is left is tried again at the end
        raise AsdbenchError("standard output: no room left. What is finished is stored.") from error


def fitted(text: str, columns: int) -> str:
    """The text in lines that a terminal does not break: prose is wrapped, a command goes on behind a backslash."""
    return "\n".join(_fitted_line(line, columns) for line in text.split("\n"))


def _fitted_line(line: str, columns: int) -> str:
    if len(line) <= columns:
        return line
    if ": asdbench " not in line and not line.startswith("asdbench "):
        return "\n".join(_wrapped(line, columns, "  "))
    head, _, tail = line.rpartition("asdbench ")
    command, gap, remark = tail.partition("   (")  # what is said of the command
    remarks = _wrapped(f"  ({remark}", columns, "  ") if gap else []
    return "\n".join([wrapped_command(f"{head}asdbench {command}", columns), *remarks])


def wrapped_command(text: str, columns: int) -> str:
    """A command on lines that fit and that a shell takes together; an option and its value stay together."""
    joined = re.sub(r"(?<=\s)(--?[a-z][\w-]*) (?!-)", r"\1\0", text)
    return " \\\n".join(_wrapped(joined, columns - 2, "    ")).replace("\0", " ")


def _wrapped(text: str, columns: int, indent: str) -> list[str]:
    return textwrap.wrap(
        text, max(20, columns), subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )


def begin(text: str, *, quiet: bool = False) -> None:
    """Say on standard error what a command begins with, before it imports what takes seconds."""
    if not quiet:
        echo(f"{text} ...", dim=True, err=True)


def warn(text: object) -> None:
    """Print a warning on standard error."""
    echo(f"warning: {text}", fg="yellow", err=True)


class _Reserved:
    """Standard output, while it is reserved for the JSON object."""

    stream: TextIO | None = None


def reserve_stdout(context: typer.Context, wanted: bool) -> bool:
    """Reserve standard output for the JSON object; what anybody else writes there goes to standard error.

    Plugins print while they are imported and while they run, and libraries write below Python. So the descriptor itself
    is pointed elsewhere, which child processes inherit. A process of a command ends with it, and what is written on the
    way out (buffers of C, exit handlers) is to miss the output too; so it stays like that.
    """
    if not wanted or context.resilient_parsing or _Reserved.stream is not None:
        return wanted
    before = sys.stdout
    try:
        before.flush()
        of_process = before.fileno() == 1
    except (AttributeError, OSError, ValueError):  # a program's own object, or closed
        of_process = False
    if of_process:
        _Reserved.stream = os.fdopen(os.dup(1), "w", encoding="utf-8", errors=_REPLACED)
        _point_stdout_to_stderr()
    else:
        _Reserved.stream, sys.stdout = before, sys.stderr
    context.call_on_close(lambda: _release(before))
    return wanted


def _point_stdout_to_stderr() -> None:
    try:
        os.dup2(2, 1)
    except OSError:  # standard error is closed
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 1)
        os.close(nowhere)


def _release(before: TextIO) -> None:
    stream, _Reserved.stream, sys.stdout = _Reserved.stream, None, before
    if stream is not None and stream is not before:
        with suppress(OSError):
            stream.close()


def print_json(content: Any, indent: int | None = 2) -> None:
    """Print the JSON object of a command, in ASCII, which every output takes; without ``indent`` on one line."""
    print_reserved(json.dumps(content, indent=indent).replace("\x7f", "\\u007f") + "\n")


def print_reserved(text: str) -> None:
    """Print what standard output is reserved for, as it is; a terminal gets nothing that it would obey."""
    stream = _Reserved.stream or sys.stdout
    with room_needed():
        stream.write(shown(text) if stream.isatty() else text)
        stream.flush()
