"""Bring score files and ground truth together by the clips' names, never by their order."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from asdbench.datasets.clips import Domain
from asdbench.protocols import SectionScores, undefined_terms
from asdbench.score_files.expectation import Expectation
from asdbench.score_files.ground_truth import GroundTruth, Key, Truth, truth_of_name
from asdbench.score_files.names import ScoreFile, parse_file_name
from asdbench.score_files.problems import Kind, Problem
from asdbench.score_files.reader import Row, read_rows

Say = Callable[..., None]


@dataclass
class Aligned:
    """Score files that met their ground truth.

    Attributes:
        sections: what can be evaluated; sections with a problem hold the clips that are sound.
        problems: all that is wrong, in the order of machine type and section.
        undecided: sections without a decision file.
    """

    sections: dict[Key, SectionScores] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    undecided: list[Key] = field(default_factory=list)

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
    """Score and decision files of a folder, and its CSV files that are named like neither."""
    files, problems = [], []
    for path in sorted(folder.glob("*.csv")):
        file = parse_file_name(path)
        if file is not None:
            files.append(file)
        else:
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
    wanted = dict.fromkeys([*(expected.sections if expected else ()), *(truth.sections if truth else ())])
    scored = {key for key, own in by_section.items() if any(file.kind == "anomaly_score" for file in own)}
    absent = [key for key in wanted if key not in scored]
    for machine in dict.fromkeys(machine for machine, _ in absent):
        sections = [section for name, section in absent if name == machine]
        every = not any(name == machine for name, _ in scored)
        text = f"no score files of {machine}" + ("" if every else f", section {', '.join(sections)}")
        found.problems.append(Problem(kind="absent", text=text, machine=machine))
    for key, own in sorted(by_section.items()):
        if expected is not None and key not in expected.sections:
            text = f"{expected.name} has no {key[0]}, section {key[1]}"
            found.problems.append(
                Problem(kind="extra", text=text, file=own[0].path.name, machine=key[0], section=key[1])
            )
        elif key in scored:
            _Section(key, own, protocol, truth, expected, found).align()
    if found.undecided:
        names = ", ".join(f"{machine} {section}" for machine, section in found.undecided)
        where = "" if len(found.undecided) == len(scored) else f" of {names}"
        text = f"no decision files{where}, so no precision, recall and F1"
        found.problems.append(Problem(kind="decisions", text=text))
    return found


class _Section:
    """The files of one section under way."""

    def __init__(
        self,
        key: Key,
        files: list[ScoreFile],
        protocol: str,
        truth: GroundTruth | None,
        expected: Expectation | None,
        found: Aligned,
    ) -> None:
        self.key = key
        self.files = files
        self.protocol = protocol
        self.truth = truth.sections.get(key, {}) if truth is not None else None
        self.aliases = truth.aliases.get(key, {}) if truth is not None else {}
        self.expected = expected
        self.found = found
        self.named: set[str] = set()

    def align(self) -> None:
        """Add the section's rows, and its problems, to what was found."""
        scores, told, self.named = self._column("anomaly_score")
        clips = sorted(scores)
        if self.truth is None:
            truths = self._named_truths(clips, told)
        else:
            self._require_all()
            truths = {clip: self.truth[clip] for clip in clips if clip in self.truth}
            self._require_no_conflict(truths, told)
        clips = [clip for clip in clips if clip in truths]
        if self.expected is not None:
            wrong = self.expected.wrong_counts(self.key, truths.values())
            if wrong and not any(p.kind in ("missing", "unlabelled") for p in self._own_problems()):
                self._say("missing", wrong)
        if not clips:
            return
        rows = SectionScores(
            labels=np.array([truths[clip].label for clip in clips], np.int64),
            domains=np.array([truths[clip].domain or "" for clip in clips]),
            scores=np.array([scores[clip] for clip in clips]),
            decisions=self._decisions(clips),
            names=tuple(clips),
        )
        undefined = undefined_terms(self.protocol, rows)
        for reason in undefined:
            self._say("undefined", reason)
        if np.ptp(rows.scores) == 0:
            file = self._files_of("anomaly_score")[0].path.name
            self._say("constant", f"every score is {rows.scores[0]:g}, so AUC and pAUC are those of chance", file)
        if not undefined:
            self.found.sections[self.key] = rows

    def _column(self, kind: str) -> tuple[dict[str, float], dict[str, Domain], set[str]]:
        """Values by clip, the domains that the files' own names tell, and every clip that has a row."""
        values: dict[str, float] = {}
        domains: dict[str, Domain] = {}
        seen: dict[str, tuple[str, Row]] = {}
        slots = Counter(file.domain for file in self._files_of(kind))
        for file in self._files_of(kind):
            name = file.path.name
            if slots[file.domain] > 1:
                others = [one.path.name for one in self._files_of(kind) if one.domain == file.domain and one != file]
                self._say(self._as(kind, "doubled"), f"holds the same section as {', '.join(others)}", name)
            for row in read_rows(file, self.found.problems.append):
                clip = self.aliases.get(row.clip, row.clip)
                if clip in seen:
                    first_file, first = seen[clip]
                    text = f"{clip} stands twice, first in {first_file}:{first.line}"
                    self._say(self._as(kind, "doubled"), text, name, row.line)
                    if first.value != row.value:
                        values.pop(clip, None)
                    continue
                seen[clip] = (name, row)
                if row.value is not None:
                    values[clip] = row.value
                if file.domain is not None:
                    domains[clip] = file.domain
                if self.truth is not None and clip not in self.truth:
                    text = f"{clip} is no test clip of {self.key[0]}, section {self.key[1]}"
                    self._say(self._as(kind, "extra"), text, name, row.line)
        return values, domains, set(seen)

    def _named_truths(self, clips: list[str], domains: dict[str, Domain]) -> dict[str, Truth]:
        """Truth from the clips' names; those without are reported, all together when none has any."""
        truths = {}
        for clip in clips:
            own = truth_of_name(clip)
            truths[clip] = Truth(own.label, own.domain or domains.get(clip))
            self._require_domain(clip, own.domain, domains.get(clip))
        silent = [clip for clip in clips if truths[clip].label is None]
        advice = "give the ground truth: --ground-truth DIR"
        if silent and len(silent) == len(clips):
            file = self._files_of("anomaly_score")[0].path.name
            self._say("unlabelled", f"the names tell no labels ({silent[0]} ...); {advice}", file)
        else:
            for clip in silent:
                self._say("unlabelled", f"the name {clip} tells no label; {advice}")
        return {clip: truth for clip, truth in truths.items() if truth.label is not None}

    def _require_all(self) -> None:
        assert self.truth is not None
        for clip in sorted(set(self.truth) - self.named):
            self._say("missing", f"no score for {clip}", self._files_of("anomaly_score")[0].path.name)

    def _require_no_conflict(self, truths: dict[str, Truth], domains: dict[str, Domain]) -> None:
        for clip, truth in truths.items():
            own = truth_of_name(clip)
            if own.label is not None and own.label != truth.label:
                self._say("conflict", f"{clip}: the name and the ground truth differ on the label")
            self._require_domain(clip, truth.domain, domains.get(clip))

    def _require_domain(self, clip: str, domain: Domain | None, of_file: Domain | None) -> None:
        if domain is not None and of_file is not None and domain != of_file:
            self._say("conflict", f"{clip} is of the {domain} domain but stands in the file of the {of_file} domain")

    def _decisions(self, clips: list[str]) -> "np.typing.NDArray[np.int64] | None":
        """Decisions of the clips, or None with a word on what is missing."""
        before = len(self.found.problems)
        values, _, _ = self._column("decision_result")
        if not self._files_of("decision_result"):
            self.found.undecided.append(self.key)
            return None
        lacking = [clip for clip in clips if clip not in values]
        if lacking:
            text = f"no decision for {len(lacking)} clips ({lacking[0]} ...), so no precision, recall and F1"
            self._say("decisions", text, self._files_of("decision_result")[0].path.name)
        if len(self.found.problems) > before:
            return None
        return np.array([int(values[clip]) for clip in clips], np.int64)

    def _files_of(self, kind: str) -> list[ScoreFile]:
        return [file for file in self.files if file.kind == kind]

    def _own_problems(self) -> list[Problem]:
        return [problem for problem in self.found.problems if (problem.machine, problem.section) == self.key]

    def _as(self, kind: str, problem: Kind) -> Kind:
        return problem if kind == "anomaly_score" else "decisions"

    def _say(self, kind: Kind, text: str, file: str | None = None, line: int | None = None) -> None:
        machine, section = self.key
        self.found.problems.append(
            Problem(kind=kind, text=text, file=file, line=line, machine=machine, section=section)
        )
