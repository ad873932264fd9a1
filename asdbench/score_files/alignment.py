"""Bring score files and ground truth together, section by section, by the clips' names."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from asdbench.datasets.clips import Domain
from asdbench.datasets.ground_truth import GroundTruth, Key, Truth, section_of_name, truth_of_name
from asdbench.datasets.names import parse_name
from asdbench.protocols import DEFINITIONS, SectionScores, undefined_terms
from asdbench.score_files.expectation import Expectation
from asdbench.score_files.files import FileKind, Problem, ProblemKind, ScoreFile, read_rows

_OF_SOME_DOCUMENTS = re.compile(r"(section_[0-9]+)_test(_[0-9]+)")  # 2022: section_03_test_0000 for section_03_0000


@dataclass
class Aligned:
    """Sections that can be evaluated, as far as their rows are sound, and all that is wrong, section by section."""

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
    aligned = Aligned()
    by_section: dict[Key, list[ScoreFile]] = {}
    for file in files:
        by_section.setdefault((file.machine, file.section), []).append(file)
    scored = {key for key, group in by_section.items() if any(file.kind == "anomaly_score" for file in group)}
    aligned.problems += _absent(scored, truth, expected)
    undecided = []
    for key, group in sorted(by_section.items()):
        if expected is not None and key not in expected.sections:
            aligned.problems.append(_not_expected(key, group, expected))
        elif key in scored:
            section = SectionAlignment(key, group, protocol, truth, expected)
            rows = section.align()
            aligned.problems += section.problems
            if rows is not None:
                aligned.sections[key] = rows
            if not section.files["decision_result"]:
                undecided.append(" ".join(key))
    if undecided:
        where = "" if len(undecided) == len(scored) else f" of {', '.join(undecided)}"
        text = f"no decision files{where}, so no precision, recall and F1"
        aligned.problems.append(Problem(kind="decisions", text=text))
    aligned.problems += _too_few_or_many(aligned, expected)
    aligned.problems += _alike(aligned.sections)
    return aligned


def _absent(scored: set[Key], truth: GroundTruth | None, expected: Expectation | None) -> list[Problem]:
    wanted = dict.fromkeys([*(expected.sections if expected else ()), *(truth.sections if truth else ())])
    absent: dict[str, list[str]] = {  # a run that failed on a machine type states no sections of it
        machine: []
        for machine in (expected.test_clips_by_machine if expected else ())
        if not any(machine == name for name, _ in (*wanted, *scored))
    }
    for machine, section in wanted:
        if (machine, section) not in scored:
            absent.setdefault(machine, []).append(section)
    problems = []
    for machine, sections in absent.items():
        some = any(name == machine for name, _ in scored)
        text = f"no score files of {machine}" + (f", section {', '.join(sections)}" if some else "")
        problems.append(Problem(kind="absent", text=text, machine=machine))
    return problems


def _not_expected(key: Key, files: list[ScoreFile], expected: Expectation) -> Problem:
    machine, section = key
    name = files[0].path.name
    if key in expected.elsewhere:
        text = f"{machine}, section {section}, is not of {expected.name} but of the other split; left aside"
        return Problem(kind="ignored", text=text, file=name)
    text = f"{expected.name} has no {machine}, section {section}"
    return Problem(kind="extra", text=text, file=name, machine=machine, section=section)


def _too_few_or_many(aligned: Aligned, expected: Expectation | None) -> list[Problem]:
    """Machine types with another number of clips than a run's record states, where no other problem explains it."""
    explained = {problem.machine for problem in aligned.problems if not problem.harmless}
    problems = []
    for machine, wanted in (expected.test_clips_by_machine if expected else {}).items():
        count = sum(len(rows.labels) for key, rows in aligned.sections.items() if key[0] == machine)
        if count != wanted and machine not in explained:
            text = f"the score files of {machine} have {count} of the run's {wanted} test clips"
            problems.append(Problem(kind="missing", text=text, machine=machine))
    return problems


def _alike(sections: dict[Key, SectionScores]) -> list[Problem]:
    """Sections with the very same clips' scores: most likely one file under two names."""
    seen: dict[tuple[object, ...], Key] = {}
    problems = []
    for key, rows in sections.items():
        content = tuple(sorted(zip(rows.names, rows.scores.tolist(), strict=True)))
        first = seen.setdefault(content, key)
        if first != key and rows.scores.min() < rows.scores.max():
            text = f"{key[0]}, section {key[1]}, has the very scores of {first[0]}, section {first[1]}"
            problems.append(Problem(kind="alike", text=text))
    return problems


@dataclass(frozen=True)
class Entry:
    """What the files of one kind hold of a clip."""

    value: float | None  # None where it cannot be used
    file: ScoreFile  # where it stands first
    line: int  # in that file
    named: Truth  # what the row's own name states, which may be a name in full that stands for the clip

    def problem(self, kind: ProblemKind, text: str) -> Problem:
        """A problem of this row."""
        return self.file.problem(kind, text, self.line)


class SectionAlignment:
    """The score and decision files of one section, matched with its ground truth; arguments as for ``align``."""

    def __init__(
        self, key: Key, files: list[ScoreFile], protocol: str, truth: GroundTruth | None, expected: Expectation | None
    ) -> None:
        self.key = key
        self.files: dict[FileKind, list[ScoreFile]] = {"anomaly_score": [], "decision_result": []}
        for file in files:
            self.files[file.kind].append(file)
        self.protocol = protocol
        self.truth = truth.sections.get(key, {}) if truth is not None else None
        self.aliases = truth.aliases.get(key, {}) if truth is not None else {}
        self.free_names = truth is not None and truth.free_names
        self.expected = expected
        self.problems: list[Problem] = []

    def align(self) -> SectionScores | None:
        """The section's sound rows; None where its terms are not defined by them. Faults go to ``problems``."""
        entries = self._entries("anomaly_score")
        truths = self._truths(entries)
        scores = {clip: entry.value for clip, entry in sorted(entries.items()) if clip in truths}
        clips = [clip for clip, value in scores.items() if value is not None]
        if self.expected is not None and not {"missing", "unlabelled", "extra"} & {p.kind for p in self.problems}:
            wrong = self.expected.wrong_counts(self.key, truths.values())
            if wrong:
                self._report("missing", wrong)
        if not clips:
            return None
        if "all" not in DEFINITIONS[self.protocol].domains and not all(truths[clip].domain for clip in clips):
            where = "the ground truth (is ground_truth_domain/ missing?)" if self.truth is not None else "their names"
            self._report("undefined", f"{self.protocol} needs the clips' domains, which not all stand in {where}")
            return None
        rows = SectionScores(
            labels=np.array([truths[clip].label for clip in clips], np.int64),
            domains=np.array([truths[clip].domain or "" for clip in clips]),
            scores=np.array([scores[clip] for clip in clips]),
            decisions=self._decisions(clips),
            names=tuple(clips),
        )
        if np.ptp(rows.scores) == 0:
            text = f"every score is {rows.scores[0]:g}, so AUC and pAUC are those of chance"
            self.problems.append(self.files["anomaly_score"][0].problem("constant", text))
        undefined = undefined_terms(self.protocol, rows)
        for reason in undefined:
            self._report("undefined", reason)
        return None if undefined else rows

    def _entries(self, kind: FileKind) -> dict[str, Entry]:
        """What the files of a kind hold, by clip."""
        entries: dict[str, Entry] = {}
        by_domain: dict[Domain | None, str] = {}
        for file in self.files[kind]:
            first = by_domain.setdefault(file.domain, file.path.name)
            if first != file.path.name:
                text = f"holds the same section as {first} and is left aside; one system, one seed a folder"
                self.problems.append(file.problem("doubled", text))
                continue
            for row in read_rows(file, self.problems.append, self.free_names):
                clip = self._clip(row.clip)
                if clip in entries:
                    known = entries[clip]
                    text = f"{clip} stands twice, first in {known.file.path.name}:{known.line}"
                    self.problems.append(file.problem("doubled", text, row.line))
                    if known.value != row.value:
                        entries[clip] = replace(known, value=None)
                    continue
                foreign = self._foreign(clip)
                if foreign:
                    self.problems.append(file.problem("extra", f"{clip} is {foreign}", row.line))
                named = Truth() if self.free_names else truth_of_name(row.clip)
                entries[clip] = Entry(None if foreign else row.value, file, row.line, named)
        return entries

    def _clip(self, name: str) -> str:
        """The clip that a row's name stands for."""
        plain = self.aliases.get(name, name)
        variant = _OF_SOME_DOCUMENTS.fullmatch(plain)
        if variant and self.truth is not None and plain not in self.truth and variant[1] + variant[2] in self.truth:
            return variant[1] + variant[2]
        return plain

    def _foreign(self, clip: str) -> str | None:
        """What a clip is that is no test clip of this section."""
        machine, section = self.key
        if self.truth is not None and clip not in self.truth:
            return f"no test clip of {machine}, section {section}"
        if self.free_names:
            return None
        facts = parse_name(clip)
        named = section_of_name(clip)
        if named is not None and named != section:
            return f"of section {named}, in the file of section {section}"
        return "a training clip" if facts is not None and facts.split == "train" else None

    def _truths(self, entries: Mapping[str, Entry]) -> dict[str, Truth]:
        """Label and domain of each clip; contradictions and gaps are reported."""
        first = self.files["anomaly_score"][0]
        if self.truth is None:
            truths = {clip: entry.named for clip, entry in entries.items()}
        else:
            for clip in sorted(set(self.truth) - set(entries)):
                self.problems.append(first.problem("missing", f"no score for {clip}"))
            truths = {clip: self.truth[clip] for clip in entries if clip in self.truth}
        unlabelled = [clip for clip, truth in truths.items() if truth.label is None]
        advice = "give the ground truth: --ground-truth DIR"
        if unlabelled and len(unlabelled) == len(truths):
            text = f"the names state no labels ({unlabelled[0]} ...); {advice}"
            self.problems.append(first.problem("unlabelled", text))
        else:
            for clip in unlabelled:
                self.problems.append(entries[clip].problem("unlabelled", f"the name {clip} states no label; {advice}"))
        labelled: dict[str, Truth] = {}
        for clip, truth in truths.items():
            if truth.label is None:
                continue
            entry = entries[clip]
            domain = truth.domain or entry.file.domain
            labelled[clip] = Truth(truth.label, domain)
            if not entry.named.agrees_with(labelled[clip]):
                self.problems.append(entry.problem("conflict", f"{clip}: the name and the ground truth differ"))
            elif entry.file.domain not in (None, domain):
                text = f"{clip} is of the {domain} domain but stands in the file of the {entry.file.domain} domain"
                self.problems.append(entry.problem("conflict", text))
        return labelled

    def _decisions(self, clips: list[str]) -> NDArray[np.int64] | None:
        """Decisions of the clips; None where there are none, or not of all clips, which is reported."""
        files = self.files["decision_result"]
        if not files:
            return None
        before = len(self.problems)
        entries = self._entries("decision_result")
        decisions = [entries[clip].value if clip in entries else None for clip in clips]
        lacking = [clip for clip, decision in zip(clips, decisions, strict=True) if decision is None]
        if lacking:
            text = f"no decision for {len(lacking)} clips ({lacking[0]} ...), so no precision, recall and F1"
            self.problems.append(files[0].problem("decisions", text))
        return np.array(decisions, np.int64) if len(self.problems) == before else None

    def _report(self, kind: ProblemKind, text: str) -> None:
        machine, section = self.key
        self.problems.append(Problem(kind=kind, text=text, machine=machine, section=section))
