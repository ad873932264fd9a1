"""Bring a folder's score files and the ground truth together, section by section."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import get_args

from asdbench.protocols import SectionScores
from asdbench.score_files.expectation import Expectation
from asdbench.score_files.ground_truth import GroundTruth, Key
from asdbench.score_files.names import ACCEPTED, ScoreFile, parse_file_name
from asdbench.score_files.names import Kind as FileKind
from asdbench.score_files.problems import Kind as ProblemKind
from asdbench.score_files.problems import Problem
from asdbench.score_files.section import SectionAlignment


@dataclass
class Aligned:
    """Score files that met their ground truth.

    Attributes:
        sections: what can be evaluated; sections with a problem hold the clips that are sound.
        problems: all that is wrong, in the order of machine type and section.
    """

    sections: dict[Key, SectionScores] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    @property
    def whole(self) -> bool:
        """Whether nothing is missing."""
        return all(problem.harmless for problem in self.problems)

    def spoilt(self) -> set[Key]:
        """Sections that have a problem of their own."""
        return {
            (problem.machine, problem.section)
            for problem in self.problems
            if not problem.harmless and problem.machine is not None and problem.section is not None
        }


def list_score_files(folder: Path) -> tuple[list[ScoreFile], list[Problem]]:
    """Score and decision files of a folder, and its files that look like one and are named like neither."""
    files, problems = [], []
    for path in sorted(path for path in folder.iterdir() if path.suffix.lower() in (".csv", ".tsv", ".txt")):
        file = parse_file_name(path)
        if file is not None:
            files.append(file)
            continue
        kind = next((kind for kind in get_args(FileKind) if path.name.casefold().startswith(kind)), None)
        if kind is not None:  # it was meant to be one, so something would be missing without a word
            text = f"is not named like a score file; accepted: {ACCEPTED}"
            wrong: ProblemKind = "malformed" if kind == "anomaly_score" else "decisions"
            problems.append(Problem(kind=wrong, text=text, file=path.name))
        elif path.suffix.lower() == ".csv":
            problems.append(Problem(kind="ignored", text="not named like a score or decision file", file=path.name))
    return files, problems


def align(
    files: Iterable[ScoreFile], protocol: str, truth: GroundTruth | None, expected: Expectation | None
) -> Aligned:
    """Match rows with ground truth, section by section.

    Args:
        files: score and decision files.
        protocol: whose official score is wanted.
        truth: labels and domains; None takes them from the clips' names.
        expected: what a complete set holds; None for a data set that no card describes.
    """
    found = Aligned()
    by_section: dict[Key, list[ScoreFile]] = {}
    for file in files:
        by_section.setdefault((file.machine, file.section), []).append(file)
    scored = {key for key, own in by_section.items() if any(file.kind == "anomaly_score" for file in own)}
    found.problems += _absent(scored, truth, expected)
    undecided = []
    for key, own in sorted(by_section.items()):
        if expected is not None and key not in expected.sections:
            found.problems.append(_not_of_it(key, own, expected))
        elif key in scored:
            section = SectionAlignment(key, own, protocol, truth, expected)
            rows = section.align()
            found.problems += section.problems
            if rows is not None:
                found.sections[key] = rows
            if not section.decided:
                undecided.append(key)
    if undecided:
        names = ", ".join(f"{machine} {section}" for machine, section in undecided)
        where = "" if len(undecided) == len(scored) else f" of {names}"
        text = f"no decision files{where}, so no precision, recall and F1"
        found.problems.append(Problem(kind="decisions", text=text))
    found.problems += _too_few_or_many(found, expected)
    found.problems += _alike(found.sections)
    return found


def _absent(scored: set[Key], truth: GroundTruth | None, expected: Expectation | None) -> list[Problem]:
    wanted = dict.fromkeys([*(expected.sections if expected else ()), *(truth.sections if truth else ())])
    absent = [key for key in wanted if key not in scored]
    there = {machine for machine, _ in (*wanted, *scored)}
    problems = [
        Problem(kind="absent", text=f"no score files of {machine}", machine=machine)
        for machine in (expected.of_machines if expected else ())
        if machine not in there  # whose sections nobody tells, of a run that failed
    ]
    for machine in dict.fromkeys(machine for machine, _ in absent):
        sections = [section for name, section in absent if name == machine]
        every = not any(name == machine for name, _ in scored)
        text = f"no score files of {machine}" + ("" if every else f", section {', '.join(sections)}")
        problems.append(Problem(kind="absent", text=text, machine=machine))
    return problems


def _too_few_or_many(found: Aligned, expected: Expectation | None) -> list[Problem]:
    """Machine types whose clips are not as many as a run's record tells, where no other problem explains it."""
    explained = {problem.machine for problem in found.problems if not problem.harmless}
    problems = []
    for machine, wanted in (expected.of_machines if expected else {}).items():
        count = sum(len(rows.labels) for key, rows in found.sections.items() if key[0] == machine)
        if count != wanted and machine not in explained:
            text = f"the score files of {machine} have {count} of the run's {wanted} test clips"
            problems.append(Problem(kind="missing", text=text, machine=machine))
    return problems


def _not_of_it(key: Key, files: list[ScoreFile], expected: Expectation) -> Problem:
    machine, section = key
    name = files[0].path.name
    if key in expected.elsewhere:
        text = f"{machine}, section {section}, is not of {expected.name} but of the other split; left aside"
        return Problem(kind="ignored", text=text, file=name)
    text = f"{expected.name} has no {machine}, section {section}"
    return Problem(kind="extra", text=text, file=name, machine=machine, section=section)


def _alike(sections: dict[Key, SectionScores]) -> list[Problem]:
    """Sections with the very same clips' scores: most likely one file under two names."""
    seen: dict[bytes, Key] = {}
    problems = []
    for key, rows in sections.items():
        content = repr(sorted(zip(rows.names, rows.scores.tolist(), strict=True))).encode()
        first = seen.setdefault(content, key)
        if first != key and rows.scores.min() < rows.scores.max():
            text = f"{key[0]}, section {key[1]}, has the very scores of {first[0]}, section {first[1]}"
            problems.append(Problem(kind="alike", text=text))
    return problems
