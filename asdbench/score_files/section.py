"""Bring the score and decision files of one section and its ground truth together, by the clips' names."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from asdbench.datasets.clips import Domain
from asdbench.datasets.names import parse_name
from asdbench.protocols import DEFINITIONS, SectionScores, undefined_terms
from asdbench.score_files.expectation import Expectation
from asdbench.score_files.ground_truth import GroundTruth, Key, Truth, section_of_name, truth_of_name
from asdbench.score_files.names import Kind as FileKind
from asdbench.score_files.names import ScoreFile
from asdbench.score_files.problems import Kind, Problem
from asdbench.score_files.reader import Row, read_rows

_OF_SOME_DOCUMENTS = re.compile(r"(section_[0-9]+)_test(_[0-9]+)")  # 2022: section_03_test_0000 for section_03_0000


@dataclass
class Column:
    """The values of one kind of file.

    Attributes:
        values: by clip; without those that cannot be used.
        places: file and line of every clip that has a row.
        domains: of the file that a clip stands in, where domains have files of their own.
        told: what the row's own name tells, which may be a name in full that stands for the clip.
    """

    values: dict[str, float] = field(default_factory=dict)
    places: dict[str, tuple[str, int]] = field(default_factory=dict)
    domains: dict[str, Domain] = field(default_factory=dict)
    told: dict[str, Truth] = field(default_factory=dict)


class SectionAlignment:
    """One section under way.

    Args:
        key: machine type and section.
        files: its score and decision files.
        protocol: whose official score is wanted.
        truth: labels and domains; None takes them from the clips' names.
        expected: what the data set holds; None for one that no card describes.
    """

    def __init__(
        self,
        key: Key,
        files: list[ScoreFile],
        protocol: str,
        truth: GroundTruth | None,
        expected: Expectation | None,
    ) -> None:
        self.key = key
        self.protocol = protocol
        self.truth = truth.sections.get(key, {}) if truth is not None else None
        self.aliases = truth.aliases.get(key, {}) if truth is not None else {}
        self.expected = expected
        self.problems: list[Problem] = []
        self._files = files

    @property
    def decided(self) -> bool:
        """Whether there is a file of decisions."""
        return bool(self._files_of("decision_result"))

    def align(self) -> SectionScores | None:
        """The section's sound rows; None where its terms are not defined by them. Faults go to ``problems``."""
        column = self._column("anomaly_score")
        truths = self._truths(column)
        clips = [clip for clip in sorted(column.values) if clip in truths]
        if self.expected is not None and not any(p.kind in ("missing", "unlabelled", "extra") for p in self.problems):
            wrong = self.expected.wrong_counts(self.key, truths.values())
            if wrong:
                self._say("missing", wrong)
        if not clips:
            return None
        if "all" not in DEFINITIONS[self.protocol].domains and not all(truths[clip].domain for clip in clips):
            where = "ground truth tells (is ground_truth_domain/ missing?)" if self.truth is not None else "names tell"
            self._say("undefined", f"{self.protocol} needs the clips' domains, which not all {where}")
            return None
        rows = SectionScores(
            labels=np.array([truths[clip].label for clip in clips], np.int64),
            domains=np.array([truths[clip].domain or "" for clip in clips]),
            scores=np.array([column.values[clip] for clip in clips]),
            decisions=self._decisions(clips),
            names=tuple(clips),
        )
        if np.ptp(rows.scores) == 0:
            text = f"every score is {rows.scores[0]:g}, so AUC and pAUC are those of chance"
            self._say("constant", text, self._first("anomaly_score"))
        undefined = undefined_terms(self.protocol, rows)
        for reason in undefined:
            self._say("undefined", reason)
        return None if undefined else rows

    def _column(self, kind: FileKind) -> Column:
        column = Column()
        first: dict[str, Row] = {}
        taken: dict[Domain | None, str] = {}
        for file in self._files_of(kind):
            name = file.path.name
            if file.domain in taken:
                text = (
                    f"holds the same section as {taken[file.domain]} and is left aside; one system, one seed a folder"
                )
                self._say(self._as(kind, "doubled"), text, name)
                continue
            taken[file.domain] = name
            for row in read_rows(file, self.problems.append):
                clip = self._clip(row.clip)
                if clip in first:
                    place = column.places[clip]
                    text = f"{clip} stands twice, first in {place[0]}:{place[1]}"
                    self._say(self._as(kind, "doubled"), text, name, row.line)
                    if first[clip].value != row.value:
                        column.values.pop(clip, None)
                    continue
                first[clip] = row
                column.places[clip] = (name, row.line)
                column.told[clip] = truth_of_name(row.clip)
                if file.domain is not None:
                    column.domains[clip] = file.domain
                if not self._is_foreign(row, clip, kind, name) and row.value is not None:
                    column.values[clip] = row.value
        return column

    def _clip(self, name: str) -> str:
        """The clip that a row's name stands for."""
        plain = self.aliases.get(name, name)
        variant = _OF_SOME_DOCUMENTS.fullmatch(plain)
        if variant and self.truth is not None and plain not in self.truth and variant[1] + variant[2] in self.truth:
            return variant[1] + variant[2]
        return plain

    def _is_foreign(self, row: Row, clip: str, kind: FileKind, file: str) -> bool:
        """Whether a row is of no test clip of this section; said with its place."""
        machine, section = self.key
        facts = parse_name(clip)
        own = section_of_name(clip)
        if self.truth is not None and clip not in self.truth:
            text = f"{clip} is no test clip of {machine}, section {section}"
        elif own is not None and own != section:
            text = f"{clip} is of section {own}, in the file of section {section}"
        elif facts is not None and facts.split == "train":
            text = f"{clip} is a training clip"
        else:
            return False
        self._say(self._as(kind, "extra"), text, file, row.line)
        return True

    def _truths(self, column: Column) -> Mapping[str, Truth]:
        """What each clip is; contradictions and gaps are said."""
        if self.truth is None:
            truths = self._named_truths(column)
        else:
            for clip in sorted(set(self.truth) - set(column.places)):
                self._say("missing", f"no score for {clip}", self._first("anomaly_score"))
            truths = {clip: self.truth[clip] for clip in column.places if clip in self.truth}
            truths = {
                clip: Truth(truth.label, truth.domain or column.domains.get(clip)) for clip, truth in truths.items()
            }
        for clip, truth in truths.items():
            told, of_file = column.told[clip], column.domains.get(clip)
            if told.label not in (None, truth.label) or told.domain not in (None, truth.domain):
                self._say("conflict", f"{clip}: the name and the ground truth differ", *column.places[clip])
            elif of_file not in (None, truth.domain):
                text = f"{clip} is of the {truth.domain} domain but stands in the file of the {of_file} domain"
                self._say("conflict", text, *column.places[clip])
        return truths

    def _named_truths(self, column: Column) -> dict[str, Truth]:
        """Truth from the clips' names; those without are reported, all together when none has any."""
        truths = {
            clip: Truth(told.label, told.domain or column.domains.get(clip)) for clip, told in column.told.items()
        }
        silent = [clip for clip in truths if truths[clip].label is None]
        advice = "give the ground truth: --ground-truth DIR"
        if silent and len(silent) == len(truths):
            text = f"the names tell no labels ({silent[0]} ...); {advice}"
            self._say("unlabelled", text, self._first("anomaly_score"))
        else:
            for clip in silent:
                self._say("unlabelled", f"the name {clip} tells no label; {advice}", *column.places[clip])
        return {clip: truth for clip, truth in truths.items() if truth.label is not None}

    def _decisions(self, clips: list[str]) -> NDArray[np.int64] | None:
        """Decisions of the clips, or None with a word on what is missing."""
        if not self.decided:
            return None
        before = len(self.problems)
        column = self._column("decision_result")
        lacking = [clip for clip in clips if clip not in column.values]
        if lacking:
            text = f"no decision for {len(lacking)} clips ({lacking[0]} ...), so no precision, recall and F1"
            self._say("decisions", text, self._first("decision_result"))
        if len(self.problems) > before:
            return None
        return np.array([int(column.values[clip]) for clip in clips], np.int64)

    def _files_of(self, kind: FileKind) -> list[ScoreFile]:
        return [file for file in self._files if file.kind == kind]

    def _first(self, kind: FileKind) -> str:
        return self._files_of(kind)[0].path.name

    def _as(self, kind: FileKind, problem: Kind) -> Kind:
        return problem if kind == "anomaly_score" else "decisions"

    def _say(self, kind: Kind, text: str, file: str | None = None, line: int | None = None) -> None:
        machine, section = self.key
        self.problems.append(Problem(kind=kind, text=text, file=file, line=line, machine=machine, section=section))
