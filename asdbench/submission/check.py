"""Check a submission, written here or elsewhere: names, files, rows and meta file."""

import re
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, Field, ValidationError

from asdbench.core.errors import RequirementError
from asdbench.datasets.ground_truth import Key
from asdbench.datasets.names import parse_name
from asdbench.score_files.expectation import Expectation, expectation_of
from asdbench.score_files.files import Problem, Row, ScoreFile, file_name, list_score_files, read_rows
from asdbench.submission.meta import PATTERN, Meta, parse_label, read_yaml

if TYPE_CHECKING:
    from asdbench.registry.challenge_card import ChallengeCard

Cards = Mapping[str, "ChallengeCard"]
SYSTEMS = 4
DEPTH = 3  # <folder>/task2/<team>/<label>
ABBREVIATION = 10


class Finding(BaseModel, frozen=True):
    """One thing that is wrong ("error") or looks wrong or unfinished ("warning")."""

    level: Literal["error", "warning"]
    text: str
    file: str | None = Field(default=None, description="File or folder, below the folder that was checked.")
    line: int | None = Field(default=None, description="Line in it, from 1.")

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}: " if self.line else f"{self.file}: " if self.file else ""
        return place + self.text


_error = partial(Finding, level="error")
_warning = partial(Finding, level="warning")
Findings = Iterator[Finding]


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
        findings.append(_error(text=f"{len(systems)} systems; a team may hand in {SYSTEMS}"))
    for system in systems:
        prefix = "" if system == folder else f"{system.relative_to(folder)}/"
        for finding in _check_system(system, cards, protocol):
            findings.append(finding.model_copy(update={"file": prefix + (finding.file or "") or None}))
    return findings, systems


def _systems(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise RequirementError(f"There is no folder {folder}.")
    systems = [
        place for place in _folders(folder, DEPTH) if list_score_files(place)[0] or any(place.glob("*.meta.y*ml"))
    ]
    if not systems:
        raise RequirementError(
            f"No submission in {folder}: neither score files nor a meta file.\nWrite one: asdbench submit RUN --label "
            + PATTERN
        )
    return systems


def _folders(folder: Path, depth: int) -> Iterator[Path]:
    """A folder and those below it that can be read."""
    try:
        children = sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    except OSError:
        return
    yield folder
    for child in children if depth else ():
        yield from _folders(child, depth - 1)


def _check_system(folder: Path, cards: Cards, protocol: str | None) -> Findings:
    label = folder.resolve().name
    if parse_label(label) is None:
        label = ""
        yield _error(text=f"the folder's name is no label; expected {PATTERN}")
    files, ignored = list_score_files(folder)
    name = protocol or _likeliest(cards, {(file.machine, file.section) for file in files})
    if name is None:
        yield _error(text="the score files belong to no challenge's evaluation data; name the year: --protocol")
    card = cards[name] if name else None
    yield from _check_files(files, expectation_of(name, card, "eval") if name and card else None, card)
    yield from (_warning(text=problem.text, file=problem.file) for problem in ignored)
    metas = sorted(folder.glob("*.meta.y*ml"))
    meta_name = f"{label or '<label>'}.meta.yaml"
    if not metas:
        yield _error(text=f"no meta file; expected {meta_name}")
    for path in metas:
        if label and path.name != meta_name:
            yield _error(text=f"expected {meta_name}", file=path.name)
        for finding in _check_meta(path, label, card):
            yield finding.model_copy(update={"file": path.name})


def _likeliest(cards: Cards, keys: set[Key]) -> str | None:
    """The year whose evaluation data most of the files are of, the latest of equals."""
    shared = {name: len(set(expectation_of(name, card, "eval").sections) & keys) for name, card in cards.items()}
    best = max(sorted(shared, reverse=True), key=lambda name: shared[name])
    return best if shared[best] else None


def _check_files(files: list[ScoreFile], expected: Expectation | None, card: "ChallengeCard | None") -> Findings:
    by_slot: dict[tuple[str, str, str | None], dict[str, ScoreFile]] = {}
    layout = card.layout if card else "dcase2023"
    for file in files:
        official = file_name(file.kind, layout, file.machine, file.section, file.domain)
        if file.path.name != official:
            yield _error(text=f"the official name is {official}", file=file.path.name)
        by_slot.setdefault((file.machine, file.section, file.domain), {})[file.kind] = file
        if expected is not None and (file.machine, file.section) not in expected.sections:
            yield _error(text=f"{expected.name} has no {file.machine}, section {file.section}", file=file.path.name)
    for machine, section in expected.sections if expected else ():
        for domain in ("source", "target") if layout == "dcase2021" else (None,):
            for kind in ("anomaly_score", "decision_result"):
                if kind not in by_slot.get((machine, section, domain), {}):
                    name = file_name(kind, layout, machine, section, domain)
                    yield _error(text="is missing", file=name)
    for (machine, section, domain), by_kind in by_slot.items():
        clips = {}
        for kind, file in by_kind.items():
            problems: list[Problem] = []
            rows = read_rows(file, problems.append)
            yield from (_error(text=problem.text, file=problem.file, line=problem.line) for problem in problems)
            yield from _check_clips(file, rows)
            clips[kind] = {row.clip for row in rows}
        if len(clips) == 2 and clips["anomaly_score"] != clips["decision_result"]:
            yield _error(text="holds other clips than the score file", file=by_kind["decision_result"].path.name)
        if expected is not None and "anomaly_score" in by_kind:
            counts = expected.counts.get((machine, section), {})
            wanted = sum(count for key, count in counts.items() if domain is None or key.startswith(domain))
            if wanted and len(clips["anomaly_score"]) != wanted:
                text = f"{len(clips['anomaly_score'])} clips; {expected.name} has {wanted}"
                yield _error(text=text, file=by_kind["anomaly_score"].path.name)


def _check_clips(file: ScoreFile, rows: list[Row]) -> Findings:
    name = file.path.name
    seen: set[str] = set()
    for row in rows:
        if row.clip in seen:
            yield _error(text=f"{row.clip} stands twice", file=name, line=row.line)
        seen.add(row.clip)
        facts = parse_name(row.clip)
        of_file = facts is not None and facts.section == file.section and facts.split != "train"
        if facts is None or not of_file or (file.domain is not None and facts.domain not in (None, file.domain)):
            text = f"{row.clip} is no name of a test clip of {file.machine}, section {file.section}"
            yield _error(text=text, file=name, line=row.line)
    numbers = sorted(int(match[0]) for clip in seen if (match := re.search(r"\d+$", clip)))
    if numbers and numbers != list(range(numbers[0], numbers[0] + len(seen))):
        yield _warning(text=f"the clips' numbers have gaps: {numbers[0]} to {numbers[-1]}", file=name)


def _check_meta(path: Path, label: str, card: "ChallengeCard | None") -> Findings:
    try:
        meta = Meta.model_validate(read_yaml(path))
    except ValidationError as error:
        for fault in error.errors(include_url=False):
            yield _error(text=f"{'.'.join(map(str, fault['loc'])) or 'all of it'}: {fault['msg']}")
        return
    except ValueError as error:
        yield _error(text=f"is no YAML: {error}")
        return
    submission, system = meta.submission, meta.system
    if label and submission.label != label:
        yield _error(text=f"submission.label is {submission.label}, the folder's name {label}")
    if len(submission.abbreviation or "") > ABBREVIATION:
        text = f"submission.abbreviation '{submission.abbreviation}' has more than {ABBREVIATION} letters"
        yield _error(text=text)
    if sum(author.corresponding for author in submission.authors) != 1:
        yield _error(text="submission.authors: exactly one must be corresponding")
    fields: dict[str, Any] = {}
    for number, author in enumerate(submission.authors):
        for name in ("firstname", "lastname", "email"):
            fields[f"submission.authors[{number}].{name}"] = getattr(author, name) or None
    for name in ("total_parameters", "MACS"):
        fields[f"system.complexity.{name}"] = getattr(system.complexity, name)
    for name in ("external_data_usage", "attribute_usage", "development_data_usage"):
        fields[f"system.description.{name}"] = getattr(system.description, name)
    yield from (_warning(text=f"{name} is not filled in") for name, value in fields.items() if value is None)
    yield from _check_results(meta.results.development_dataset, card)


def _check_results(results: Mapping[str, Mapping[str, Any] | None], card: "ChallengeCard | None") -> Findings:
    machines = list(card.splits["dev"].machines) if card else list(results)
    for machine in machines:
        if not any(value is not None for value in (results.get(machine) or {}).values()):
            yield _warning(text=f"results.development_dataset.{machine} is not filled in")
    for machine, columns in results.items():
        if machine not in machines:
            yield _error(text=f"results.development_dataset.{machine} is no development machine type")
        values = [value for value in (columns or {}).values() if value is not None]
        if any(not 0 <= value <= 100 for value in values):
            yield _error(text=f"results.development_dataset.{machine} is not in percent")
        elif values and max(values) <= 1:
            yield _warning(text=f"results.development_dataset.{machine} looks like fractions; percent is wanted")
