"""Read one score or decision file, row by row: ``file name,value``, no header."""

import csv
import math
from collections.abc import Callable
from dataclasses import dataclass

from asdbench.datasets.ground_truths import clip_name
from asdbench.score_files.names import ScoreFile
from asdbench.score_files.problems import Kind, Problem


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
        with file.path.open(encoding="utf-8-sig", newline="") as opened:
            reader = csv.reader(opened)
            lines = [(reader.line_num, row) for row in reader if any(map(str.strip, row))]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        say("malformed", f"cannot be read as CSV: {error}")
        return []
    other = next((mark for mark in ";\t" if lines and all(len(row) == 1 and mark in row[0] for _, row in lines)), None)
    if other:
        say("malformed", f"the separator is {other!r}; expected ','", 1)
        return []
    rows = []
    for line, row in lines:
        if len(row) != 2:
            say("malformed", f"expected 'file name,value', found {len(row)} columns: {','.join(row)[:80]}", line)
            continue
        rows.append(Row(clip_name(row[0]), _value(file, row[1].strip(), line, say), line))
    if not rows:
        say("malformed", "holds no rows")
    return rows


def _value(file: ScoreFile, text: str, line: int, say: Callable[[Kind, str, int], None]) -> float | None:
    try:
        value = float(text if "_" not in text else "")  # Python would read 1_000
    except ValueError:
        header = "; the files have no header" if line == 1 else ""
        say("not-a-number", f"'{text}' is not a number{header}", line)
        return None
    if not math.isfinite(value):
        say("not-finite", f"'{text}' is not a finite number", line)
        return None
    if file.kind == "decision_result" and value not in (0.0, 1.0):
        say("not-a-number", f"'{text}' is no decision: 0 or 1", line)
        return None
    return value
