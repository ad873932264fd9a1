"""Read one score or decision file, row by row: ``file name,value``, no header."""

import csv
import io
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import PurePosixPath

from asdbench.core.numbers import is_decimal
from asdbench.datasets.ground_truths import clip_name
from asdbench.score_files.names import ScoreFile
from asdbench.score_files.problems import Kind, Problem

_NOT_FINITE = re.compile(r"[+-]?(?:nan|inf(?:inity)?)", re.IGNORECASE)
# Signs that part columns elsewhere, and control characters: no clip's name holds them.
_NOT_IN_NAMES = re.compile(r'[\x00-\x1f\x7f,;|"]')
_ENDING = re.compile(r"\.(?:wav|flac)", re.IGNORECASE)
_SPLIT_FOLDER = re.compile(r"(?:source_|target_)?(train|test)", re.IGNORECASE)
EXPECTED = "expected 'file name,value' with a comma between them and a point in the number"


@dataclass(frozen=True)
class Row:
    """One clip's value and where it stands; None for a value that cannot be used."""

    clip: str
    value: float | None
    line: int


def read_rows(file: ScoreFile, report: Callable[[Problem], None]) -> list[Row]:
    """All rows that name a clip; a value that is no finite number, or no decision of 0 or 1, is None and reported."""

    def say(kind: Kind, text: str, line: int | None = None) -> None:
        kind = kind if file.kind == "anomaly_score" else "decisions"
        report(
            Problem(kind=kind, text=text, file=file.path.name, line=line, machine=file.machine, section=file.section)
        )

    try:
        content = file.path.read_bytes()
        reader = csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""), strict=True)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        say("malformed", f"is no text in UTF-8 ({error.reason}); save it as CSV in UTF-8", line)
        return []
    except OSError as error:
        say("malformed", f"cannot be read: {error.strerror or error}")
        return []
    try:
        lines = [(reader.line_num, row) for row in reader if any(map(str.strip, row))]
    except csv.Error as error:
        say("malformed", f"cannot be read as CSV: {error}; {EXPECTED}", reader.line_num)
        return []
    other = next((mark for mark in ";\t|" if lines and all(len(row) == 1 and mark in row[0] for _, row in lines)), None)
    if other:
        say("malformed", f"the separator is {other!r}; {EXPECTED}", lines[0][0])
        return []
    rows = []
    for line, row in lines:
        if len(row) != 2:
            say("malformed", f"{EXPECTED}; found {len(row)} columns: {_shown(','.join(row))}", line)
        elif fault := _fault_of_name(row[0]):
            say("malformed", f"{_shown(row[0])} is no name of a clip: {fault}; {EXPECTED}", line)
        elif foreign := _fault_of_folder(row[0], file.machine):
            say("extra", f"{_shown(row[0])} is {foreign}", line)
        else:
            rows.append(Row(clip_name(row[0]), _value(file, row[1].strip(), line, say), line))
    if not lines:
        say("malformed", "holds no rows")
    return rows


def _fault_of_name(cell: str) -> str | None:
    """Why a cell is no name of a clip, whatever the layout; None where it may be one."""
    name = PurePosixPath(cell.strip().replace("\\", "/")).name
    if not name:
        return "it is empty"
    if found := _NOT_IN_NAMES.search(cell.strip()):
        return f"it holds {found[0]!r}"
    if _ENDING.search(clip_name(name)):
        return "it goes on behind the ending of a recording"
    if name == clip_name(name) and (found := re.search(r"[^\w.+\-]", name)):
        return f"it holds {found[0]!r} and has no ending .wav or .flac"
    if is_decimal(name):
        return "it is a number (are the columns swapped?)"
    return None


def _fault_of_folder(cell: str, machine: str) -> str | None:
    """What the folders before a name say against it: ``pump/test/section_00_...`` is no clip of a fan."""
    *_, above, folder, _ = ["", "", *cell.strip().replace("\\", "/").split("/")]
    found = _SPLIT_FOLDER.fullmatch(folder)
    if found and above and above.casefold() != machine.casefold():
        return f"a recording of {above}, in the file of {machine}"
    return "a training clip" if found and found[1].lower() == "train" else None


def _value(file: ScoreFile, text: str, line: int, say: Callable[[Kind, str, int], None]) -> float | None:
    if not is_decimal(text) and not _NOT_FINITE.fullmatch(text):
        header = "; the files have no header" if line == 1 else ""
        say("not-a-number", f"{_shown(text)} is not a number{header}", line)
        return None
    value = float(text)
    if not math.isfinite(value):
        say("not-finite", f"{_shown(text)} is not a finite number", line)
        return None
    if file.kind == "decision_result" and value not in (0.0, 1.0):
        say("not-a-number", f"{_shown(text)} is no decision: 0 or 1", line)
        return None
    return value


def _shown(text: str) -> str:
    """A piece of a file as a message may hold it: short, and without control characters."""
    return "'" + "".join(sign if sign.isprintable() else "?" for sign in text[:80]) + "'"
