"""All that a report tells about a run and that the run's own folder holds: its record and its score files."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from asdbench.core.errors import RequirementError, UsageError, did_you_mean
from asdbench.datasets.ground_truth import GroundTruth, Key, read_ground_truth, truth_of_name
from asdbench.harness.record import RunRecord, UsedThreshold, load_record
from asdbench.harness.store import verify_score_files
from asdbench.protocols import Evaluation, Intervals, MachineResult, SectionScores
from asdbench.report.missing import AGAIN, missing_files
from asdbench.score_files.evaluation import evaluate_folder
from asdbench.score_files.files import Problem, ScoreFile, list_score_files, read_rows

ROUNDING = 1e-9  # between the scores of the record and of the files, fractions


@dataclass(frozen=True)
class SectionView:
    """The test clips of one section, row by row.

    Attributes:
        machine: machine type.
        section: number, as the files name it.
        names: file names of the clips.
        scores: higher is more anomalous.
        domains: "source", "target" or, where it is not known, an empty text.
        labels: 1 for anomalies; None where nobody tells.
        threshold: above which a clip was called anomalous; None where the record does not tell.
    """

    machine: str
    section: str
    names: tuple[str, ...]
    scores: NDArray[np.float64]
    domains: NDArray[np.str_]
    labels: NDArray[np.integer] | None
    threshold: UsedThreshold | None

    @property
    def rows(self) -> SectionScores | None:
        """As the definitions of the official scores want it; None without labels."""
        if self.labels is None:
            return None
        return SectionScores(self.labels, self.domains, self.scores, None, self.names)


@dataclass(frozen=True)
class Contents:
    """A run as a report shows it.

    Attributes:
        folder: of the run.
        record: of the run.
        evaluation: from the record, or anew with the ground truth that was given; None without labels or a score.
        intervals: of ``evaluation``.
        results: by machine type, of ``evaluation`` or, of a failed run, what was scored all the same.
        sections: of the machine types that are shown.
        machines: machine types that are shown, also those without a score.
        missing: names of score files that the record tells of and that are not there, by machine type.
        problems: what else is missing or wrong, a line each.
        partial: whether the score is of less than the whole data set.
        labelled_by: where labels are from, when they were given with the command.
    """

    folder: Path
    record: RunRecord
    evaluation: Evaluation | None
    intervals: Intervals | None
    results: dict[str, MachineResult]
    sections: list[SectionView]
    machines: list[str]
    missing: dict[str, list[str]]
    problems: list[str]
    partial: bool
    labelled_by: Path | None

    def sections_of(self, machine: str) -> list[SectionView]:
        """Sections of one machine type."""
        return [view for view in self.sections if view.machine == machine]


def read_contents(folder: Path, ground_truth: Path | None = None, machines: Sequence[str] = ()) -> Contents:
    """Read a run's record and score files.

    Args:
        folder: of the run.
        ground_truth: labels and domains, where the clips' names do not tell them.
        machines: machine types to show; empty is all.

    Raises:
        RecordError: the record is missing or damaged.
        UsageError: the run has no such machine type.
        DataError: the ground truth cannot be used.
    """
    record = load_record(folder, files=False)  # the page marks what became of the score files
    known = sorted({*record.dataset.test_clips, *record.dataset.train_clips})
    for machine in machines:
        if machine not in known:
            hint = did_you_mean(machine, known)
            raise UsageError(f"--machine {machine}: the run has none of it.{hint} It has {', '.join(known)}.")
    protocol = record.dataset.protocol
    truth = None
    if ground_truth is not None:
        truth = read_ground_truth(ground_truth.expanduser(), int(protocol.removeprefix("dcase")))
    found: Mapping[Key, SectionScores] = {}
    evaluation, intervals, problems = record.results, record.intervals, []
    partial = bool(record.dataset.lacks)
    scores = folder / "scores"
    edited = [str(problem) for problem in verify_score_files(folder, record) if problem.kind != "absent"]
    try:
        if not scores.is_dir():
            raise RequirementError(f"The run's folder has no score files ({scores.name}/).")
        read = evaluate_folder(scores, protocol, truth, partial=True, interval="bootstrap" if truth else "none")
        found = read.sections
        told = [problem for problem in read.problems if truth is not None or problem.kind != "unlabelled"]
        problems = _told(told if evaluation is None else read.problems)  # that labels are missing is the headline
        if truth is not None and read.evaluation is not None:
            evaluation, intervals, partial = read.evaluation, read.intervals, partial or read.partial
        elif evaluation is not None and read.evaluation is not None:
            problems += _differences(evaluation, read.evaluation)
        files = list_score_files(scores)[0]
        missing = missing_files(record, files)
    except RequirementError as error:  # of a run that failed before anything was scored, for instance
        files = list_score_files(scores)[0] if scores.is_dir() else []
        missing = missing_files(record, files)
        problems.append(f"{error} {AGAIN}" if missing else str(error))
    problems = [*edited, *problems]
    shown = [machine for machine in known if not machines or machine in machines]
    views = [
        view
        for key in sorted({(file.machine, file.section) for file in files})
        if key[0] in shown and (view := _view(record, key, found.get(key), files, truth)) is not None
    ]
    results = evaluation.machines if evaluation is not None else record.salvaged
    return Contents(
        folder=folder,
        record=record,
        evaluation=evaluation,
        intervals=intervals,
        results=dict(results),
        sections=views,
        machines=shown,
        missing={machine: names for machine, names in missing.items() if machine in shown},
        problems=problems,
        partial=partial,
        labelled_by=ground_truth if truth else None,
    )


def _view(
    record: RunRecord, key: Key, rows: SectionScores | None, files: Sequence[ScoreFile], truth: GroundTruth | None
) -> SectionView | None:
    threshold = record.thresholds.get(key[0], {}).get(key[1])
    if rows is not None:
        return SectionView(*key, rows.names, rows.scores, rows.domains, rows.labels, threshold)
    values: dict[str, tuple[float, str]] = {}
    for file in files:
        if file.kind == "anomaly_score" and (file.machine, file.section) == key:
            for row in read_rows(file, lambda problem: None):  # they are told already
                told = (truth.sections.get(key, {}).get(row.clip) if truth else None) or truth_of_name(row.clip)
                if row.value is not None:
                    values[row.clip] = (row.value, told.domain or file.domain or "")
    if not values:
        return None
    names = tuple(sorted(values))
    scores = np.array([values[name][0] for name in names])
    domains = np.array([values[name][1] for name in names])
    return SectionView(*key, names, scores, domains, None, threshold)


def _told(problems: Sequence[Problem], shown: int = 3) -> list[str]:
    """A line for each problem; of many of one kind the first ones."""
    by_kind: dict[tuple[str, str | None], list[str]] = {}
    for problem in problems:
        by_kind.setdefault((problem.kind, problem.machine), []).append(str(problem))
    lines = []
    for (kind, _), own in by_kind.items():
        lines += own[:shown]
        if len(own) > shown:
            lines.append(f"... and {len(own) - shown} more that are {kind}")
    return lines


def _differences(recorded: Evaluation, read: Evaluation) -> list[str]:
    """Whether the score files are still those that the record tells of."""
    lines = []
    for machine, result in recorded.machines.items():
        other = read.machines.get(machine)
        if other is not None and abs(result.official_score - other.official_score) > ROUNDING:
            lines.append(
                f"The score files of {machine} are not those of the record: it says "
                f"{100 * result.official_score:.2f} %, the files come to {100 * other.official_score:.2f} %. Pictures "
                "show the files, tables the record. asdbench run makes both anew with the same command and --fresh."
            )
    return lines
