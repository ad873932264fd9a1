"""Tables of clips: a row for each recording, with its path and what is known of it (CSV, Parquet, DataFrame).

Columns: ``path``, and any of ``machine``, ``section``, ``split``, ``domain``, ``label`` and ``attribute.NAME``. An
empty cell says that nothing is known, a split that is not known is ``train``. Other columns are left aside.
"""

import csv
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asdbench.core.documentation import page
from asdbench.core.errors import DataError, UsageError, did_you_mean
from asdbench.datasets.clips import OWN, Clip, Dataset
from asdbench.datasets.layout import ENDINGS, MachineFiles, doubled
from asdbench.datasets.names import UNPRINTABLE, is_printable, printable
from asdbench.datasets.own_folder import DOMAINS, LABELS, SECTION, with_names

if TYPE_CHECKING:
    import pandas

TABLE = "table"  # what a table without a file is called
FORMS = (".csv", ".parquet")
COLUMNS = ("path", "machine", "section", "split", "domain", "label")
ATTRIBUTE = "attribute."  # before the name of an attribute's column
VALUES: dict[str, Mapping[str, Any]] = {
    "split": {"": "train", "train": "train", "test": "test", "supplemental": "supplemental"},
    "domain": {"": None, **{domain: domain for domain in DOMAINS}},
    "label": {"": None, **LABELS, "0": 0, "1": 1, "0.0": 0, "1.0": 1, "false": 0, "true": 1},
}
ACCEPTED = {"split": "train, test, supplemental", "domain": "source, target", "label": "normal (0), anomaly (1)"}
HELP = f"A table has the column path, and any of {', '.join(COLUMNS[1:])} and {ATTRIBUTE}NAME."
HELP += f" See: {page('how-to/data')}"


def read_table(path: Path) -> "pandas.DataFrame":
    """The cells of a table as texts, and the index of each row as a spreadsheet numbers it.

    Raises:
        DataError: it cannot be read.
    """
    import pandas

    try:
        if path.suffix.lower() == ".parquet":
            content: pandas.DataFrame = pandas.read_parquet(path)
            return content
        with path.open(encoding="utf-8-sig", newline="") as file:
            separator = max(",;\t", key=file.readline().count)
            file.seek(0)
            header, *rows = list(csv.reader(file, delimiter=separator, strict=True)) or [[]]
    except (OSError, ValueError, ImportError, csv.Error) as error:
        raise DataError(f"The table {path} cannot be read: {str(error).strip()}.", advice=HELP) from error
    longer = [
        f"row {n}: {len(row)} cells, {len(header)} columns" for n, row in enumerate(rows, 2) if len(row) > len(header)
    ]
    if longer:
        raise DataError(f"The table {path} cannot be read:", longer, "Put cells that hold the separator in quotes.")
    cells = [row + [""] * (len(header) - len(row)) for row in rows]
    return pandas.DataFrame(cells, columns=header, index=range(2, len(rows) + 2))  # the header is row 1


def list_table(
    frame: "pandas.DataFrame", folder: Path, name: str, machines: Sequence[str] = ()
) -> tuple[dict[str, MachineFiles], list[str]]:
    """What lies there of each machine of a table, and the columns that are left aside, a line each.

    Args:
        frame: its rows; the index names them in messages.
        folder: that relative paths start from.
        name: of the table; without a column ``machine`` that of its one machine, unless ``machines`` names one.
        machines: only the rows of these.

    Raises:
        UsageError: there is no machine of a name in ``machines``.
        DataError: no column ``path``, a misspelt one, no rows, a value that is not accepted, a recording that is
            missing or named twice. All problems are listed.
    """
    frame = frame.rename(columns=lambda column: str(column).strip())
    frame = frame.rename(columns={one: one.lower() for one in frame.columns if one.lower() in COLUMNS})
    _require_columns(name, list(frame.columns))
    aside = [one for one in frame.columns if one not in COLUMNS and not one.startswith(ATTRIBUTE)]
    if "machine" not in frame and len(machines) == 1:
        name = machines[0]
    rows = [
        (number, cells)
        for number, *values in frame.itertuples(name=None)
        if any((cells := dict(zip(frame.columns, map(_text, values), strict=True))).values())
    ]
    if "split" not in frame and any(VALUES["label"].get(cells.get("label", "").lower()) == 1 for _, cells in rows):
        raise DataError(
            f"The table {name} has anomalous clips, and no column 'split' that says which clips are for testing.",
            advice=HELP,
        )
    problems: list[str] = []
    clips: dict[str, list[Clip]] = {}
    places: dict[str, object] = {}
    known = dict.fromkeys(cells.get("machine") or name for _, cells in rows)
    for machine in machines:
        if machine not in known:
            hint = did_you_mean(machine, known)
            raise UsageError(f"{name} has no machine '{machine}'.{hint} Accepted: {', '.join(known)}.")
    for number, cells in rows:
        machine = cells.get("machine") or name
        if machines and machine not in machines:
            continue
        path = _absolute(folder, cells["path"])
        faults = list(_faults(cells, machine, path))
        if cells["path"] and places.setdefault(str(path), number) != number:
            faults.append(f"{cells['path']} stands in row {places[str(path)]} already")
        problems += [f"row {number}: {fault}" for fault in faults]
        if not faults:
            clips.setdefault(machine, []).append(_clip(cells, machine, path))
    if not rows:
        problems.append("it holds no rows")
    files = {machine: _files(rows_of_machine, problems) for machine, rows_of_machine in sorted(clips.items())}
    if problems:
        raise DataError(f"The table {name} cannot be used:", problems, HELP)
    return files, [f"column '{printable(one)}': not {ATTRIBUTE}NAME, so no attribute" for one in aside]


def csv_of(frame: "pandas.DataFrame", folder: Path) -> str:
    """A table as CSV that can lie anywhere: paths are absolute, relative ones started from ``folder``.

    Raises:
        DataError: as ``list_table``; messages name rows by the index of the frame.
    """
    list_table(frame, folder, TABLE)
    cells = frame.map(_text)
    (column,) = (one for one in cells.columns if str(one).strip().lower() == "path")
    cells[column] = [str(_absolute(folder, text)) if text else "" for text in cells[column]]
    text: str = cells.to_csv(index=False)
    return text


def table_of(dataset: Dataset, folder: Path | None = None) -> "pandas.DataFrame":
    """The table of a data set's clips, supplemental ones among them; what no clip has gets no column.

    Args:
        dataset: of any layout.
        folder: paths below it are relative to it; None makes all absolute.
    """
    import pandas

    names = {0: "normal", 1: "anomaly", None: ""}
    rows = [
        {
            "path": str(clip.path.relative_to(folder) if folder and clip.path.is_relative_to(folder) else clip.path),
            "machine": clip.machine,
            "section": clip.section,
            "split": clip.split,
            "domain": clip.domain or "",
            "label": names[clip.label],
            **{f"{ATTRIBUTE}{key}": value for key, value in clip.attributes},
        }
        for clip in (*dataset.clips, *dataset.supplemental)
    ]
    return pandas.DataFrame(rows).fillna("")


def _absolute(folder: Path, text: str) -> Path:
    return Path(os.path.abspath(folder / Path(text).expanduser()))  # noqa: PTH100  # follows no links


def _require_columns(name: str, columns: Sequence[str]) -> None:
    problems = [f"column '{one}' stands twice" for one in dict.fromkeys(columns) if columns.count(one) > 1]
    if "path" not in columns:
        problems.append(f"no column 'path'; it has {', '.join(map(printable, columns))}")
    for one in columns:
        near = get_close_matches(one.lower(), COLUMNS, n=1, cutoff=0.8)
        if near and one not in COLUMNS:
            problems.append(f"column '{one}': did you mean '{near[0]}'?")
    if problems:
        raise DataError(f"The table {name} cannot be used:", problems, HELP)


def _text(value: object) -> str:
    """A cell as text; missing values are empty, whole numbers have no point."""
    import pandas

    if pandas.isna(value):  # type: ignore[call-overload]  # a cell is no array
        return ""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value).strip()


def _faults(cells: Mapping[str, str], machine: str, path: Path) -> Iterator[str]:
    """Why a row cannot be used."""
    if not all(map(is_printable, cells.values())):
        yield UNPRINTABLE.replace("the name", "a cell")
    if not cells["path"]:
        yield "no path"
    elif not path.is_file():
        yield f"there is no file {path}"
    elif path.suffix.lower() not in ENDINGS:
        yield f"{cells['path']}: not a .wav or .flac file"
    if "/" in machine or "\\" in machine:
        yield f"machine '{machine}' holds a slash"
    if not re.fullmatch("[0-9]+", cells.get("section") or SECTION):
        yield f"section '{cells['section']}'; accepted: a number (what is named otherwise is a machine)"
    for column, values in VALUES.items():
        if cells.get(column, "").lower() not in values:
            yield f"{column} '{cells[column]}'; accepted: {ACCEPTED[column]}, or empty"
    split, label = (VALUES[one].get(cells.get(one, "").lower()) for one in ("split", "label"))
    if split == "train" and label == 1:
        yield "a training clip labelled anomalous; training clips must be normal (column split: test)"


def _clip(cells: Mapping[str, str], machine: str, path: Path) -> Clip:
    domain, split, label = (VALUES[one][cells.get(one, "").lower()] for one in ("domain", "split", "label"))
    attributes = {key.removeprefix(ATTRIBUTE): cell for key, cell in cells.items() if key.startswith(ATTRIBUTE)}
    pairs = [(key, value) for key, value in attributes.items() if value]
    return Clip(
        path=path,
        machine=machine,
        section=(cells.get("section") or SECTION).zfill(len(SECTION)),
        domain=domain,
        split=split,
        label=0 if split == "train" else label,
        attributes=tuple(pairs),
        attributes_from_file=bool(pairs),
    )


def _files(clips: Sequence[Clip], problems: list[str]) -> MachineFiles:
    files = MachineFiles()
    for split in ("train", "test", "supplemental"):
        files.recordings += with_names([clip for clip in clips if clip.split == split])
    problems += doubled(files.recordings)
    files.layouts.update((OWN, one.split) for one in files.recordings)
    if not any(one.split == "train" for one in clips):
        files.empty["train"] = f"{clips[0].machine}: no training clips"
    return files
