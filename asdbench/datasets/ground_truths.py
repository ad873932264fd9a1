"""Read what the several files of ground truth that go with evaluation data say; they do not always agree.

Three kinds, told apart by folder and file name: those of the official evaluator (``ground_truth_data``,
``ground_truth_domain``: rows ``name,0|1``), its ``ground_truth_attributes`` and the baselines'
``eval_data_list_<year>.csv``, whose rows name a clip twice, without and with its label.
"""

import csv
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from asdbench.core.errors import DataError
from asdbench.datasets.clips import Domain
from asdbench.datasets.names import ATTRIBUTE_TEXT, parse_name

EVALUATOR = "ground_truth_data and ground_truth_domain"
ATTRIBUTES = "ground_truth_attributes"
DATA_LIST = "eval_data_list"
_FILE = re.compile(r"ground_truth_(?P<machine>.+)_(?:section|id)_\d+(?:_(?:source|target))?(?:_test)?")
# Since 2023 the split is left out: section_00_source_normal_0035_weight15.
_IN_FULL = re.compile(
    rf"section_[0-9]+_(?P<domain>source|target)(?:_test)?_(?P<label>normal|anomaly)_[0-9]+(?:_{ATTRIBUTE_TEXT})?"
    r"|(?P<label_2020>normal|anomaly)_id_[0-9]+_[0-9]+"
)
_YEAR = re.compile(r"(?:dcase[-_ ]?|eval_data_list_)(20\d\d)", re.IGNORECASE)
_DOMAINS: dict[str, Domain] = {"0": "source", "1": "target"}

ClipName = tuple[str, str]  # machine type, name without ending


@dataclass
class Truth:
    """What one kind of file tells of clips.

    Attributes:
        labels: 1 is anomalous.
        domains: "source" or "target"; there are none in 2020.
        aliases: the clip that a name in full, with domain and label, stands for.
    """

    labels: dict[ClipName, int] = field(default_factory=dict)
    domains: dict[ClipName, Domain] = field(default_factory=dict)
    aliases: dict[ClipName, str] = field(default_factory=dict)

    @property
    def clips(self) -> set[ClipName]:
        """Every clip that it names."""
        return set(self.labels) | set(self.domains)

    def of(self, machines: Collection[str]) -> "Truth":
        """The part of some machine types."""
        return Truth(
            {clip: label for clip, label in self.labels.items() if clip[0] in machines},
            {clip: domain for clip, domain in self.domains.items() if clip[0] in machines},
            {full: clip for full, clip in self.aliases.items() if full[0] in machines},
        )


def read_ground_truths(
    place: Path, machines: Collection[str] | None = None, year: int | None = None
) -> dict[str, Truth]:
    """Ground truth of some machine types, or all, by kind, from one file or all ``.csv`` files of a folder.

    The official evaluator's comes first; its folder ``ground_truth_data`` stands for the one above it.
    Folders and files named after another year than ``year`` are left out.

    Raises:
        DataError: there is none of these machine types, or a row is not understood.
    """
    if place.name == "ground_truth_data":
        place = place.parent
    paths = sorted(place.rglob("*.csv")) if place.is_dir() else [place] if place.is_file() else []
    truths: dict[str, Truth] = {}
    problems: list[str] = []
    for path in paths:
        kind = _kind(path)
        years = {int(number) for number in _YEAR.findall(str(path.relative_to(place)))}
        if kind is not None and (year is None or years <= {year}):
            try:
                _read(path, kind, truths.setdefault(kind, Truth()), problems)
            except (OSError, UnicodeDecodeError, csv.Error) as error:
                problems.append(f"{path}: cannot be read as CSV: {error}")
    if problems:
        raise DataError(f"--ground-truth {place} cannot be read:", problems)
    kinds = [kind for kind in (EVALUATOR, ATTRIBUTES, DATA_LIST) if kind in truths]
    truths = {kind: own for kind in kinds if (own := _picked(truths[kind], machines)).clips}
    if not truths:
        wanted = f" of {', '.join(machines)}" if machines else ""
        raise DataError(
            f"--ground-truth {place}: no ground truth{wanted} lies there.",
            advice="Accepted: a folder with ground_truth_data/ground_truth_<machine>_section_<NN>_test.csv, "
            "ground_truth_domain, ground_truth_attributes or eval_data_list_<year>.csv, or one such file.",
        )
    return truths


def _picked(truth: Truth, machines: Collection[str] | None) -> Truth:
    return truth if machines is None else truth.of(machines)


def _kind(path: Path) -> str | None:
    if path.stem.startswith(DATA_LIST):
        return DATA_LIST
    if ATTRIBUTES in path.parts:
        return ATTRIBUTES
    return EVALUATOR if _FILE.fullmatch(path.stem) else None


def _read(path: Path, kind: str, truth: Truth, problems: list[str]) -> None:
    named = _FILE.fullmatch(path.stem)
    machine = named["machine"] if named else path.parent.name  # 2022: <machine>/attributes_03.csv
    for number, row in _rows(path):
        if len(row) == 1 and kind == DATA_LIST:
            machine = row[0]
            continue
        label, domain = _facts(row, "ground_truth_domain" in path.parts)
        clip = machine, clip_name(row[0])
        if (full := _name_in_full(row[1:])) is not None:
            truth.aliases[machine, full] = clip[1]
        if label is None and domain is None:
            problems.append(f"{path}:{number}: '{','.join(row)}' is neither name,0|1 nor name,name with label")
        elif (label is not None and truth.labels.setdefault(clip, label) != label) or (
            domain is not None and truth.domains.setdefault(clip, domain) != domain
        ):
            problems.append(f"{path}:{number}: says otherwise of {clip[1]} than a row before, of the same kind of file")


def _facts(row: list[str], of_domains: bool) -> tuple[int | None, Domain | None]:
    """Label and domain that a row tells; None for what it does not."""
    full = _name_in_full(row[1:])
    if full is not None:
        return told_by_name(full)
    if len(row) < 2 or row[-1] not in _DOMAINS:  # the list of 2020 has the label in its third column
        return None, None
    if of_domains:
        return None, _DOMAINS[row[-1]]
    own = parse_name(clip_name(row[0]))  # 2021: the domain stands in the name
    return int(row[-1]), own.domain if own is not None else None


def _rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        for number, row in enumerate(csv.reader(file), 1):
            cells = [cell.strip() for cell in row if cell.strip()]
            if cells and cells[0] != "file_name":
                yield number, cells


def _name_in_full(cells: list[str]) -> str | None:
    """The last of some names that tells a label."""
    return next((name for cell in reversed(cells) if _IN_FULL.fullmatch(name := clip_name(cell))), None)


def told_by_name(clip: str) -> tuple[int | None, Domain | None]:
    """Label and domain that a clip's name tells; None for what it does not."""
    found = _IN_FULL.fullmatch(clip)
    if found is None:
        return None, None
    return int("anomaly" in (found["label"], found["label_2020"])), found["domain"]  # type: ignore[return-value]


def clip_name(text: str) -> str:
    """The name by which clips are matched: without folder and the ending of a recording."""
    last = PurePosixPath(text.strip().replace("\\", "/")).name
    return last[: -len(PurePosixPath(last).suffix)] if last.lower().endswith((".wav", ".flac")) else last
