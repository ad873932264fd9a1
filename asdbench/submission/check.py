"""Check a submission, written here or elsewhere: names, files, rows and meta file."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from asdbench.core.errors import RequirementError
from asdbench.datasets.ground_truth import Key
from asdbench.datasets.names import NameFacts, parse_name
from asdbench.score_files.expectation import Expectation, expectation_of
from asdbench.score_files.files import Problem, ScoreFile, file_name, list_score_files, read_rows
from asdbench.submission.label import PATTERN, parse_label
from asdbench.submission.meta import Meta, read_yaml

if TYPE_CHECKING:
    from asdbench.registry.challenge_card import ChallengeCard

Level = Literal["error", "warning"]
Say = Callable[[Level, str, str | None, int | None], None]
_NUMBER = re.compile(r"\d+$")
Cards = Mapping[str, "ChallengeCard"]
SYSTEMS = 4
DEPTH = 3  # <folder>/task2/<team>/<label>
ABBREVIATION = 10


class Finding(BaseModel):
    """One thing that is wrong ("error") or looks wrong or unfinished ("warning")."""

    model_config = ConfigDict(frozen=True)

    level: Level
    text: str
    file: str | None = Field(default=None, description="File or folder, below the folder that was checked.")
    line: int | None = Field(default=None, description="Line in it, from 1.")

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}: " if self.line else f"{self.file}: " if self.file else ""
        return place + self.text


def check_submission(folder: Path, cards: Cards, protocol: str | None = None) -> tuple[list[Finding], list[Path]]:
    """Check a system's folder, or every system below a team's.

    Args:
        folder: holds score files, or folders that do.
        cards: of the challenges, by name.
        protocol: the year; None finds it from machine types and sections.

    Returns:
        What is wrong, and the systems' folders.

    Raises:
        RequirementError: there is no submission.
    """
    systems = _systems(folder)
    findings: list[Finding] = []
    if len(systems) > SYSTEMS:
        findings.append(Finding(level="error", text=f"{len(systems)} systems; a team may hand in {SYSTEMS}"))
    for system in systems:
        prefix = "" if system == folder else f"{system.relative_to(folder)}/"

        def say(level: Level, text: str, file: str | None, line: int | None = None, prefix: str = prefix) -> None:
            findings.append(Finding(level=level, text=text, file=prefix + (file or "") or None, line=line))

        _check_system(system, cards, protocol, say)
    return findings, systems


def _systems(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise RequirementError(f"There is no folder {folder}.")
    found = [place for place in _folders(folder, DEPTH) if list_score_files(place)[0] or any(place.glob("*.meta.y*ml"))]
    if not found:
        raise RequirementError(
            f"No submission in {folder}: neither score files nor a meta file.\nWrite one: asdbench submit RUN --label "
            + PATTERN
        )
    return found


def _folders(folder: Path, depth: int) -> Iterator[Path]:
    """A folder and those below it that can be read."""
    try:
        children = sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    except OSError:
        return
    yield folder
    for child in children if depth else ():
        yield from _folders(child, depth - 1)


def _check_system(folder: Path, cards: Cards, protocol: str | None, say: Say) -> None:
    label = parse_label(folder.resolve().name)
    if label is None:
        say("error", f"the folder's name is no label; expected {PATTERN}", None, None)
    files, ignored = list_score_files(folder)
    name = protocol or _likeliest(cards, {(file.machine, file.section) for file in files})
    if name is None:
        say("error", "the score files belong to no challenge's evaluation data; name the year: --protocol", None, None)
    card = cards[name] if name else None
    _check_files(files, expectation_of(name, card, "eval") if name and card else None, card, say)
    for problem in ignored:
        say("warning", problem.text, problem.file, None)
    metas = sorted(folder.glob("*.meta.y*ml"))
    if not metas:
        say("error", "no meta file; expected " + (f"{label}.meta.yaml" if label else "<label>.meta.yaml"), None, None)
    for path in metas:
        if label is not None and path.name != f"{label}.meta.yaml":
            say("error", f"expected {label}.meta.yaml", path.name, None)
        _check_meta(path, str(label) if label else None, card, say)


def _likeliest(cards: Cards, found: set[Key]) -> str | None:
    """The year whose evaluation data most of the files are of, the latest of equals."""
    shared = {name: len(set(expectation_of(name, card, "eval").sections) & found) for name, card in cards.items()}
    best = max(sorted(shared, reverse=True), key=lambda name: shared[name])
    return best if shared[best] else None


def _check_files(files: list[ScoreFile], expected: Expectation | None, card: "ChallengeCard | None", say: Say) -> None:
    by_slot: dict[tuple[str, str, str | None], dict[str, ScoreFile]] = {}
    layout = card.layout if card else "dcase2023"
    for file in files:
        official = file_name(file.kind, layout, file.machine, file.section, file.domain)
        if file.path.name != official:
            say("error", f"the official name is {official}", file.path.name, None)
        by_slot.setdefault((file.machine, file.section, file.domain), {})[file.kind] = file
        if expected is not None and (file.machine, file.section) not in expected.sections:
            say("error", f"{expected.name} has no {file.machine}, section {file.section}", file.path.name, None)
    domains = ("source", "target") if layout == "dcase2021" else (None,)
    for machine, section in expected.sections if expected else ():
        for domain in domains:
            for kind in ("anomaly_score", "decision_result"):
                if kind not in by_slot.get((machine, section, domain), {}):
                    say("error", "is missing", file_name(kind, layout, machine, section, domain), None)  # type: ignore[arg-type]
    for (machine, section, domain), own in by_slot.items():
        clips = {kind: _clips(file, say) for kind, file in own.items()}
        if len(clips) == 2 and clips["anomaly_score"] != clips["decision_result"]:
            say("error", "holds other clips than the score file", own["decision_result"].path.name, None)
        if expected is not None and "anomaly_score" in own:
            counts = expected.counts.get((machine, section), {})
            wanted = sum(count for key, count in counts.items() if domain is None or key.startswith(domain))
            if wanted and len(clips["anomaly_score"]) != wanted:
                text = f"{len(clips['anomaly_score'])} clips; {expected.name} has {wanted}"
                say("error", text, own["anomaly_score"].path.name, None)


def _clips(file: ScoreFile, say: Say) -> set[str]:
    problems: list[Problem] = []
    rows = read_rows(file, problems.append)
    for problem in problems:
        say("error", problem.text, problem.file, problem.line)
    seen: set[str] = set()
    for row in rows:
        if row.clip in seen:
            say("error", f"{row.clip} stands twice", file.path.name, row.line)
        seen.add(row.clip)
        facts = parse_name(row.clip)
        if facts is None or facts.section != file.section or facts.split == "train" or _elsewhere(facts, file):
            text = f"{row.clip} is no name of a test clip of {file.machine}, section {file.section}"
            say("error", text, file.path.name, row.line)
    numbers = sorted(int(match[0]) for clip in seen if (match := _NUMBER.search(clip)))
    if numbers and numbers != list(range(numbers[0], numbers[0] + len(seen))):
        say("warning", f"the clips' numbers have gaps: {numbers[0]} to {numbers[-1]}", file.path.name, None)
    return seen


def _elsewhere(facts: NameFacts, file: ScoreFile) -> bool:
    return file.domain is not None and facts.domain not in (None, file.domain)


def _check_meta(path: Path, label: str | None, card: "ChallengeCard | None", say: Say) -> None:
    try:
        content = read_yaml(path)
    except ValueError as error:
        say("error", f"is no YAML: {error}", path.name, None)
        return
    try:
        meta = Meta.model_validate(content)
    except ValidationError as error:
        for fault in error.errors(include_url=False):
            say("error", f"{'.'.join(map(str, fault['loc'])) or 'all of it'}: {fault['msg']}", path.name, None)
        return
    for level, text in _meta_faults(meta, label, card):
        say(level, text, path.name, None)


def _meta_faults(meta: Meta, label: str | None, card: "ChallengeCard | None") -> Iterable[tuple[Level, str]]:
    own = meta.submission
    if label is not None and own.label != label:
        yield "error", f"submission.label is {own.label}, the folder's name {label}"
    if len(own.abbreviation or "") > ABBREVIATION:
        yield "error", f"submission.abbreviation '{own.abbreviation}' has more than {ABBREVIATION} letters"
    if sum(author.corresponding for author in own.authors) != 1:
        yield "error", "submission.authors: exactly one must be corresponding"
    for number, author in enumerate(own.authors):
        for name in ("firstname", "lastname", "email"):
            if not getattr(author, name):
                yield "warning", f"submission.authors[{number}].{name} is not filled in"
    if meta.system.complexity.total_parameters is None:
        yield "warning", "system.complexity.total_parameters is not filled in"
    if meta.system.complexity.MACS is None:
        yield "warning", "system.complexity.MACS is not filled in"
    for name in ("external_data_usage", "attribute_usage", "development_data_usage"):
        if getattr(meta.system.description, name) is None:
            yield "warning", f"system.description.{name} is not filled in"
    yield from _result_faults(meta.results.development_dataset, card)


def _result_faults(
    results: Mapping[str, Mapping[str, Any] | None], card: "ChallengeCard | None"
) -> Iterable[tuple[Level, str]]:
    wanted = list(card.splits["dev"].machines) if card else list(results)
    for machine in wanted:
        if not any(value is not None for value in (results.get(machine) or {}).values()):
            yield "warning", f"results.development_dataset.{machine} is not filled in"
    for machine, columns in results.items():
        if machine not in wanted:
            yield "error", f"results.development_dataset.{machine} is no development machine type"
        values = [value for value in (columns or {}).values() if value is not None]
        if any(not 0 <= value <= 100 for value in values):
            yield "error", f"results.development_dataset.{machine} is not in percent"
        elif values and max(values) <= 1:
            yield "warning", f"results.development_dataset.{machine} looks like fractions; percent is wanted"
