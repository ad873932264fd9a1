"""Score and decision files: their names in every form of the years, their rows ``file name,value``, their problems.

2020: ``anomaly_score_fan_id_01.csv``. 2021: ``anomaly_score_fan_section_03_source_test.csv``. From 2022 on:
``anomaly_score_fan_section_03_test.csv``. The official baseline of 2023 and later writes
``anomaly_score_DCASE2023T2fan_section_00_test_seed13711_id(0_)_Eval.csv``. Decisions: ``decision_result_...``.
"""

import csv
import io
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal, get_args

import numpy as np
from pydantic import Field

from asdbench.core.files import write_text
from asdbench.core.numbers import is_decimal
from asdbench.core.validation import Model
from asdbench.datasets.clips import Clip, Domain
from asdbench.datasets.names import clip_name

FileKind = Literal["anomaly_score", "decision_result"]
ProblemKind = Literal[
    "absent", "missing", "doubled", "extra", "malformed", "not-a-number", "not-finite", "constant", "unlabelled",
    "conflict", "undefined", "alike", "decisions", "ignored",
]  # fmt: skip
HARMLESS: frozenset[str] = frozenset({"alike", "constant", "decisions", "ignored"})
ACCEPTED = (
    "anomaly_score_<machine>_section_<NN>_test.csv (2022 on), anomaly_score_<machine>_section_<NN>_source_test.csv and "
    "_target_test.csv (2021), anomaly_score_<machine>_id_<NN>.csv (2020)"
)
EXPECTED = "expected 'file name,value' with a comma between them and a point in the number"
_OF_2020 = re.compile(
    r"(?P<kind>anomaly_score|decision_result)_(?P<machine>.+)_id_(?P<section>[0-9]+)(?:_test)?\.(?:csv|CSV)"
)
_SINCE_2021 = re.compile(
    r"(?P<kind>anomaly_score|decision_result)_(?:DCASE[0-9]{4}T2)?(?P<machine>.+)_section_(?P<section>[0-9]+)"
    r"(?:_(?P<domain>source|target))?_test(?:_.+)?\.(?:csv|CSV)"
)
_NOT_FINITE = re.compile(r"[+-]?(?:nan|inf(?:inity)?)", re.IGNORECASE)
_NOT_IN_NAMES = re.compile(r'[\x00-\x1f\x7f,;|"]')  # separators of other programs, and control characters
_ENDING = re.compile(r"\.(?:wav|flac)", re.IGNORECASE)
_SPLIT_FOLDER = re.compile(r"(?:source_|target_)?(train|test)", re.IGNORECASE)


class Problem(Model):
    """One thing that is wrong with a set of score files.

    Problems of a kind in ``HARMLESS`` are only reported; each of the others makes the result a partial one.
    """

    kind: ProblemKind = Field(description="What sort of thing.")
    text: str = Field(description="In words.")
    file: str | None = Field(default=None, description="Name of the file.")
    line: int | None = Field(default=None, description="Line in it, from 1.")
    machine: str | None = Field(default=None, description="Machine type that it concerns.")
    section: str | None = Field(default=None, description="Section that it concerns.")

    @property
    def harmless(self) -> bool:
        """Whether the numbers are complete in spite of it."""
        return self.kind in HARMLESS

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}: " if self.line else f"{self.file}: " if self.file else ""
        return place + self.text


@dataclass(frozen=True)
class ScoreFile:
    """A file whose name says what it holds; ``domain`` where the domains have files of their own (2021)."""

    path: Path
    kind: FileKind
    machine: str
    section: str
    domain: Domain | None

    def problem(self, kind: ProblemKind, text: str, line: int | None = None) -> Problem:
        """A problem of this file; those of decision files are all of kind "decisions"."""
        return Problem(
            kind=kind if self.kind == "anomaly_score" else "decisions",
            text=text,
            file=self.path.name,
            line=line,
            machine=self.machine,
            section=self.section,
        )


@dataclass(frozen=True)
class Row:
    """One clip's value and its line; None for a value that cannot be used."""

    clip: str
    value: float | None
    line: int


def parse_file_name(path: Path) -> ScoreFile | None:
    """What a score or decision file's name says; None when it is named like neither."""
    match = _SINCE_2021.fullmatch(path.name) or _OF_2020.fullmatch(path.name)
    if match is None:
        return None
    facts = match.groupdict()
    return ScoreFile(path, facts["kind"], facts["machine"], facts["section"], facts.get("domain"))  # type: ignore[arg-type]


def file_name(kind: FileKind, layout: str, machine: str, section: str, domain: Domain | None = None) -> str:
    """The official name of a file for data of a layout."""
    if layout == "dcase2020":
        return f"{kind}_{machine}_id_{section}.csv"
    part = f"{domain}_test" if layout == "dcase2021" else "test"
    return f"{kind}_{machine}_section_{section}_{part}.csv"


def list_score_files(folder: Path) -> tuple[list[ScoreFile], list[Problem]]:
    """Score and decision files of a folder, and problems of files whose names only begin like theirs."""
    files, problems = [], []
    for path in sorted(path for path in folder.iterdir() if path.suffix.lower() in (".csv", ".tsv", ".txt")):
        file = parse_file_name(path)
        kind = next((kind for kind in get_args(FileKind) if path.name.casefold().startswith(kind)), None)
        if file is not None:
            files.append(file)
        elif kind is not None:  # it was meant to be one: without it something would be missing silently
            text = f"is not named like a score file; accepted: {ACCEPTED}"
            wrong: ProblemKind = "malformed" if kind == "anomaly_score" else "decisions"
            problems.append(Problem(kind=wrong, text=text, file=path.name))
        elif path.suffix.lower() == ".csv":
            problems.append(Problem(kind="ignored", text="not named like a score or decision file", file=path.name))
    return files, problems


def write_score_files(
    folder: Path, layout: str, clips: Sequence[Clip], scores: "np.typing.ArrayLike", decisions: "np.typing.ArrayLike"
) -> None:
    """Write the files of one section, rows ordered by file name; scores are written to the last digit.

    Args:
        folder: where to; made when it is not there.
        layout: of the data set; 2020 and 2021 have names of their own.
        clips: test clips of one section of one machine type.
        scores: one for each clip.
        decisions: 0 or 1 for each clip.
    """
    values: dict[FileKind, list[str]] = {
        "anomaly_score": [repr(float(value)) for value in np.asarray(scores)],
        "decision_result": [str(int(value)) for value in np.asarray(decisions)],
    }
    domains: tuple[Domain | None, ...] = ("source", "target") if layout == "dcase2021" else (None,)
    for kind, column in values.items():
        for domain in domains:
            rows = [
                (clip.name, value)
                for clip, value in sorted(zip(clips, column, strict=True), key=lambda row: row[0].name)
                if domain in (None, clip.domain)
            ]
            if rows:
                text = io.StringIO(newline="")
                csv.writer(text, lineterminator="\n").writerows(rows)
                name = file_name(kind, layout, clips[0].machine, clips[0].section, domain)
                write_text(folder / name, text.getvalue())


def read_rows(file: ScoreFile, report: Callable[[Problem], None], free_names: bool = False) -> list[Row]:
    """All rows that name a clip; a value that is no finite number, or no decision of 0 or 1, is None and reported.

    Args:
        file: to read.
        report: is given what is wrong.
        free_names: whether clips have names of their own, whose folders belong to them.
    """

    def fail(kind: ProblemKind, text: str, line: int | None = None) -> None:
        report(file.problem(kind, text, line))

    try:
        content = file.path.read_bytes()
        reader = csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""), strict=True)
        lines = [(reader.line_num, row) for row in reader if any(map(str.strip, row))]
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        fail("malformed", f"is no text in UTF-8 ({error.reason}); save it as CSV in UTF-8", line)
        return []
    except OSError as error:
        fail("malformed", f"cannot be read: {error.strerror or error}")
        return []
    except csv.Error as error:
        fail("malformed", f"cannot be read as CSV: {error}; {EXPECTED}", reader.line_num)
        return []
    if not lines:
        fail("malformed", "holds no rows")
        return []
    separator = next((mark for mark in ";\t|" if all(len(row) == 1 and mark in row[0] for _, row in lines)), None)
    if separator:
        fail("malformed", f"the separator is {separator!r}; {EXPECTED}", lines[0][0])
        return []
    rows = []
    for line, row in lines:
        if len(row) != 2:
            fail("malformed", f"{EXPECTED}; found {len(row)} columns: {_printable(','.join(row))}", line)
        elif not free_names and (fault := _fault_of_name(row[0])):
            fail("malformed", f"{_printable(row[0])} is no name of a clip: {fault}; {EXPECTED}", line)
        elif not free_names and (foreign := _fault_of_folder(row[0], file.machine)):
            fail("extra", f"{_printable(row[0])} is {foreign}", line)
        else:
            value, problem = _value(file, row[1].strip(), line)
            if problem:
                report(problem)
            rows.append(Row(row[0].rpartition(".")[0] if free_names else clip_name(row[0]), value, line))
    return rows


def _fault_of_name(cell: str) -> str | None:
    """Why a cell is no name of a clip, whatever the layout; None where it may be one."""
    name = PurePosixPath(cell.strip().replace("\\", "/")).name
    clip = clip_name(name)
    if not name:
        return "it is empty"
    if found := _NOT_IN_NAMES.search(cell.strip()):
        return f"it holds {found[0]!r}"
    if _ENDING.search(clip):
        return "it goes on behind the ending of a recording"
    if name == clip and (found := re.search(r"[^\w.+\-]", name)):
        return f"it holds {found[0]!r} and has no ending .wav or .flac"
    if is_decimal(name):
        return "it is a number (are the columns swapped?)"
    return None


def _fault_of_folder(cell: str, machine: str) -> str | None:
    """What the folders before a name say against it: ``pump/test/section_00_...`` is no clip of a fan."""
    *_, above, folder, _ = ["", "", *cell.strip().replace("\\", "/").split("/")]
    split = _SPLIT_FOLDER.fullmatch(folder)
    if split and above and above.casefold() != machine.casefold():
        return f"a recording of {above}, in the file of {machine}"
    return "a training clip" if split and split[1].lower() == "train" else None


def _value(file: ScoreFile, text: str, line: int) -> tuple[float | None, Problem | None]:
    if not is_decimal(text) and not _NOT_FINITE.fullmatch(text):
        header = "; the files have no header" if line == 1 else ""
        return None, file.problem("not-a-number", f"{_printable(text)} is not a number{header}", line)
    value = float(text)
    if not math.isfinite(value):
        return None, file.problem("not-finite", f"{_printable(text)} is not a finite number", line)
    if file.kind == "decision_result" and value not in (0.0, 1.0):
        return None, file.problem("not-a-number", f"{_printable(text)} is no decision: 0 or 1", line)
    return value, None


def _printable(text: str) -> str:
    """A piece of a file as a message may show it: short, and without control characters."""
    return "'" + "".join(sign if sign.isprintable() else "?" for sign in text[:80]) + "'"
