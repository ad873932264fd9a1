"""Labels and domains of test clips, from ground truth files and from the clips' own names.

Ground truth comes in three kinds of files, recognised by folder and file name, which do not always agree: the official
evaluator's ``ground_truth_data`` and ``ground_truth_domain`` (rows ``name,0|1``), its ``ground_truth_attributes``, and
the baselines' ``eval_data_list_<year>.csv``, whose rows name a clip twice, without and with its label.
"""

import csv
import io
import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from asdbench.core.documentation import page
from asdbench.core.errors import DataError
from asdbench.core.files import write_text
from asdbench.datasets import clip_table
from asdbench.datasets.clips import Clip, Domain
from asdbench.datasets.names import clip_name, parse_name

if TYPE_CHECKING:
    import pandas

EVALUATOR = "ground_truth_data and ground_truth_domain"
ATTRIBUTES = "ground_truth_attributes"
DATA_LIST = "eval_data_list"
CLIP_TABLE = "a table of clips"
_FILE = re.compile(r"ground_truth_(?P<machine>.+)_(?:section|id)_\d+(?:_(?:source|target))?(?:_test)?")
_YEAR = re.compile(r"(?:dcase[-_ ]?|eval_data_list_)(20\d\d)", re.IGNORECASE)
_SECTION = re.compile(r"(?:^|_)(?:section|id)_([0-9]+)")
_DOMAINS: dict[str, Domain] = {"0": "source", "1": "target"}

Key = tuple[str, str]  # machine type, section


@dataclass(frozen=True)
class Truth:
    """What is known of a test clip; label 1 is anomalous, None is unknown."""

    label: int | None = None
    domain: Domain | None = None

    def agrees_with(self, other: "Truth") -> bool:
        """Whether nothing differs that both know."""
        return not self.differing(other)

    def differing(self, other: "Truth") -> list[str]:
        """Which of "label" and "domain" differ, of those that both know."""
        pairs = {"label": (self.label, other.label), "domain": (self.domain, other.domain)}
        return [name for name, pair in pairs.items() if None not in pair and pair[0] != pair[1]]


@dataclass
class GroundTruth:
    """What one kind of files states of test clips.

    Attributes:
        kind: ``EVALUATOR``, ``ATTRIBUTES`` or ``DATA_LIST``.
        sections: by machine type and section, then by the clip's name without ending.
        aliases: of each section, the clips that names in full, with domain and label, stand for.
        free_names: whether names are free, with folders before them that belong to the name.
    """

    kind: str = ""
    sections: dict[Key, dict[str, Truth]] = field(default_factory=dict)
    aliases: dict[Key, dict[str, str]] = field(default_factory=dict)
    free_names: bool = False

    def add(self, key: Key, clip: str, truth: Truth) -> bool:
        """Add what one row states of a clip; False where an earlier row contradicts it."""
        section = self.sections.setdefault(key, {})
        known = section.get(clip, Truth())
        section[clip] = Truth(
            truth.label if known.label is None else known.label, truth.domain if known.domain is None else known.domain
        )
        return known.agrees_with(truth)

    def only(self, machines: Collection[str]) -> "GroundTruth":
        """The part of some machine types."""
        return replace(self, sections={key: clips for key, clips in self.sections.items() if key[0] in machines})


def write_truth(path: Path, clips: Iterable[Clip]) -> None:
    """Write what is known of test clips of free names, which state nothing themselves."""
    rows = io.StringIO(newline="")
    writer = csv.writer(rows, lineterminator="\n")
    writer.writerow(("machine", "section", "name", "domain", "label"))
    for clip in clips:
        label = "" if clip.label is None else clip.label
        writer.writerow((clip.machine, clip.section, clip.name, clip.domain or "", label))
    write_text(path, rows.getvalue())


def read_truth(path: Path) -> GroundTruth:
    """What ``write_truth`` has written."""
    truth = GroundTruth(CLIP_TABLE, free_names=True)
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            known = Truth(int(row["label"]) if row["label"] else None, row["domain"] or None)  # type: ignore[arg-type]
            truth.add((row["machine"], row["section"]), row["name"].rpartition(".")[0], known)
    return truth


def read_ground_truth(place: Path, year: int | None = None) -> GroundTruth:
    """Read the ground truth that an official score is computed with: the evaluator's where it is there.

    Args:
        place: the evaluator's folder, a baseline's ``eval_data_list_<year>.csv``, or a table of clips.
        year: folders and files that name another year are left out.

    Raises:
        DataError: there is no ground truth, a row cannot be read, or a clip lacks the label or domain that others have.
    """
    kinds = read_ground_truths(place, None, year)
    truth = next(iter(kinds.values()))
    problems = []
    for (machine, _), clips in truth.sections.items():
        with_domains = any(one.domain for one in clips.values())
        for clip, one in sorted(clips.items()):
            if one.label is None:
                problems.append(f"{clip} of {machine} has no label")
            elif one.domain is None and with_domains:
                problems.append(f"{clip} of {machine} has a label but no domain")
    if problems:
        raise DataError(f"The ground truth in {place} cannot be used:", problems)
    for other in kinds.values():
        for key, aliases in other.aliases.items():
            truth.aliases.setdefault(key, {}).update(aliases)
    return truth


def read_ground_truths(
    place: Path, machines: Collection[str] | None = None, year: int | None = None
) -> dict[str, GroundTruth]:
    """Ground truth of some machine types, or all, by kind, from one file or all ``.csv`` files of a folder.

    The official evaluator's comes first; its folder ``ground_truth_data`` stands for the one above it.
    Folders and files named after another year than ``year`` are left out.

    Raises:
        DataError: there is none of these machine types, or a row is not understood.
    """
    if place.is_file() and (frame := _clip_table(place)) is not None:
        of_table = GroundTruth(CLIP_TABLE, free_names=True)
        there, _ = clip_table.list_table(frame, place.parent.resolve(), place.stem)
        for machine in (one for one in there if machines is None or one in machines):
            for clip in (one for one in there[machine].recordings if one.split == "test"):
                of_table.add((clip.machine, clip.section), clip.stem, Truth(clip.label, clip.domain))
        return {CLIP_TABLE: of_table}
    if place.name == "ground_truth_data":
        place = place.parent
    paths = sorted(place.rglob("*.csv")) if place.is_dir() else [place] if place.is_file() else []
    truths = {kind: GroundTruth(kind) for kind in (EVALUATOR, ATTRIBUTES, DATA_LIST)}
    problems: list[str] = []
    for path in paths:
        kind = _kind(path)
        years = {int(number) for number in _YEAR.findall(str(path.relative_to(place)))}
        if kind is not None and (year is None or years <= {year}):
            try:
                _read(path, truths[kind], problems)
            except (OSError, UnicodeDecodeError, csv.Error) as error:
                problems.append(f"{path}: cannot be read as CSV: {error}")
    if problems:
        raise DataError(f"--ground-truth {place} cannot be read:", problems)
    if machines is not None:
        truths = {kind: truth.only(machines) for kind, truth in truths.items()}
    truths = {kind: truth for kind, truth in truths.items() if truth.sections}
    if not truths:
        wanted = f" of {', '.join(machines)}" if machines else ""
        raise DataError(
            f"--ground-truth {place}: no ground truth{wanted} lies there.",
            advice="Accepted: a folder with ground_truth_data/ground_truth_<machine>_section_<NN>_test.csv, "
            "ground_truth_domain, ground_truth_attributes or eval_data_list_<year>.csv, or one such file; or a table "
            f"of clips ({page('how-to/data')}).",
        )
    return truths


def _clip_table(path: Path) -> "pandas.DataFrame | None":
    """The rows of a file that is a table of clips, which has a column ``path``; None of another."""
    if path.suffix.lower() == ".csv":
        with path.open(encoding="utf-8-sig", errors="replace") as file:
            header = [cell.strip(' "').lower() for cell in re.split("[,;\t]", file.readline().strip())]
        return clip_table.read_table(path) if "path" in header else None
    return clip_table.read_table(path) if path.suffix.lower() in clip_table.FORMS else None


def truth_of_name(clip: str) -> Truth:
    """What a clip's own name states: ``section_00_source_test_anomaly_0003``, ``normal_id_01_00000002``."""
    facts = parse_name(clip) or parse_name(re.sub("_(normal|anomaly)_", r"_test_\1_", clip, count=1))  # since 2023
    return Truth() if facts is None else Truth(facts.label, facts.domain)


def section_of_name(clip: str) -> str | None:
    """The section, or machine id, that a clip's name states."""
    section = _SECTION.search(clip)
    return section[1] if section else None


def _kind(path: Path) -> str | None:
    if path.stem.startswith(DATA_LIST):
        return DATA_LIST
    if ATTRIBUTES in path.parts:
        return ATTRIBUTES
    return EVALUATOR if _FILE.fullmatch(path.stem) else None


def _read(path: Path, truth: GroundTruth, problems: list[str]) -> None:
    named = _FILE.fullmatch(path.stem)
    machine = named["machine"] if named else path.parent.name  # 2022: <machine>/attributes_03.csv
    for number, row in _rows(path):
        if len(row) == 1 and truth.kind == DATA_LIST:
            machine = row[0]
            continue
        clip, full = clip_name(row[0]), _name_in_full(row[1:])
        section = section_of_name(clip)
        stated = truth_of_name(full) if full else _truth_of_number(row, "ground_truth_domain" in path.parts)
        if stated == Truth():
            problems.append(f"{path}:{number}: '{','.join(row)}' is neither name,0|1 nor name,name with label")
        elif section is None:
            problems.append(f"{path}:{number}: no section in the name of the clip '{clip}' of {machine}")
        elif not truth.add((machine, section), clip, stated):
            problems.append(f"{path}:{number}: contradicts an earlier row about {clip}, of the same kind of file")
        elif full:
            truth.aliases.setdefault((machine, section), {})[full] = clip


def _truth_of_number(row: list[str], of_domains: bool) -> Truth:
    if len(row) < 2 or row[-1] not in _DOMAINS:  # the list of 2020 has the label in its third column
        return Truth()
    if of_domains:
        return Truth(None, _DOMAINS[row[-1]])
    return Truth(int(row[-1]), truth_of_name(clip_name(row[0])).domain)  # 2021: the domain stands in the name


def _rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        for number, row in enumerate(csv.reader(file), 1):
            cells = [cell.strip() for cell in row if cell.strip()]
            if cells and cells[0] != "file_name":
                yield number, cells


def _name_in_full(cells: list[str]) -> str | None:
    """The last of some names that states a label."""
    names = map(clip_name, reversed(cells))
    return next((name for name in names if truth_of_name(name).label is not None), None)
