"""All that a report says about a run and that the run's own folder holds: its record and its score files."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from asdbench.core.errors import RequirementError, UsageError, did_you_mean
from asdbench.core.texts import first_of
from asdbench.datasets.ground_truth import GroundTruth, Key, read_ground_truth, truth_of_name
from asdbench.harness.record import RunRecord, UsedThreshold, load_record
from asdbench.harness.store import missing_files, truth_of_run, verify_score_files
from asdbench.protocols import Evaluation, Intervals, MachineResult, SectionScores
from asdbench.score_files.evaluation import evaluate_folder, other_results
from asdbench.score_files.files import Problem, ScoreFile, list_score_files, read_rows

AGAIN = "The run's command with --fresh makes them again."
NAMED = 3  # files of one machine type, or problems of one kind, that are written out


@dataclass(frozen=True)
class SectionView:
    """The test clips of one section, row by row."""

    machine: str  # machine type
    section: str  # number, as the files name it
    names: tuple[str, ...]  # file names of the clips
    scores: NDArray[np.float64]  # higher is more anomalous
    domains: NDArray[np.str_]  # "source", "target" or, where it is not known, an empty text
    labels: NDArray[np.integer] | None  # 1 for anomalies; None where they are not known
    threshold: UsedThreshold | None  # above which a clip was called anomalous; None where the record has none

    @property
    def rows(self) -> SectionScores | None:
        """As the definitions of the official scores want it; None without labels."""
        if self.labels is None:
            return None
        return SectionScores(self.labels, self.domains, self.scores, None, self.names)


@dataclass(frozen=True)
class Contents:
    """A run as a report shows it."""

    folder: Path  # of the run
    record: RunRecord  # of the run
    # from the record, or anew with the ground truth that was given; None without labels or a score
    evaluation: Evaluation | None
    intervals: Intervals | None  # of ``evaluation``
    # by machine type, of ``evaluation`` or, of a failed run, what was scored all the same
    results: Mapping[str, MachineResult]
    sections: list[SectionView]  # of the machine types that are shown
    machines: list[str]  # machine types that are shown, also those without a score
    missing: dict[str, list[str]]  # names of score files that the record has and that are not there, by machine type
    problems: list[str]  # what else is missing or wrong, a line each
    partial: bool  # whether the score is of less than the whole data set
    labelled_by: Path | None  # where labels are from, when they were given with the command

    def sections_of(self, machine: str) -> list[SectionView]:
        """Sections of one machine type."""
        return [view for view in self.sections if view.machine == machine]

    def missing_text(self, machine: str) -> str:
        """What is missing of a machine type, without a full stop."""
        names = self.missing[machine]
        files = f"score file of {machine} is" if len(names) == 1 else f"score files of {machine} are"
        return f"the {files} missing ({first_of(names, NAMED)})"


def read_contents(folder: Path, ground_truth: Path | None = None, machines: Sequence[str] = ()) -> Contents:
    """Read a run's record and score files.

    Args:
        folder: of the run.
        ground_truth: labels and domains, where the clips' names do not say them.
        machines: machine types to show; empty is all.

    Raises:
        RecordError: the record is missing or damaged.
        UsageError: the run has no such machine type.
        DataError: the ground truth cannot be used.
    """
    record = load_record(folder, files=False)  # the page marks what became of the score files
    shown = _machines(record, machines)
    protocol = record.dataset.protocol
    truth = None
    if ground_truth is not None:
        truth = read_ground_truth(ground_truth.expanduser(), int(protocol.removeprefix("dcase")))
    known = truth or truth_of_run(folder)
    labelled: Mapping[Key, SectionScores] = {}
    evaluation, intervals, partial = record.results, record.intervals, bool(record.dataset.lacks)
    scores = folder / "scores"
    files = list_score_files(scores)[0] if scores.is_dir() else []
    missing = missing_files(record, files)
    problems = [str(problem) for problem in verify_score_files(folder, record) if problem.kind != "absent"]
    try:
        if not scores.is_dir():
            raise RequirementError(f"The run's folder has no score files ({scores.name}/).")
        read = evaluate_folder(scores, protocol, known, partial=True, interval="bootstrap" if truth else "none")
        labelled = read.sections
        # That labels are missing is the headline where there is no score.
        expected = truth is None and evaluation is None
        problems += _lines([problem for problem in read.problems if not (expected and problem.kind == "unlabelled")])
        if truth is not None and read.evaluation is not None:
            evaluation, intervals, partial = read.evaluation, read.intervals, partial or read.partial
        elif evaluation is not None and read.evaluation is not None:
            changed = other_results(evaluation.machines, read.evaluation.machines)
            problems += [f"{problem}. Pictures show the files, tables the record. {AGAIN}" for problem in changed]
    except RequirementError as error:  # of a run that failed before anything was scored, for instance
        problems.append(f"{error} {AGAIN}" if missing else str(error))
    views = [
        _view(record, key, labelled.get(key), files, known)
        for key in sorted({(file.machine, file.section) for file in files})
        if key[0] in shown
    ]
    return Contents(
        folder=folder,
        record=record,
        evaluation=evaluation,
        intervals=intervals,
        results=evaluation.machines if evaluation is not None else record.salvaged,
        sections=[view for view in views if view is not None],
        machines=shown,
        missing={machine: names for machine, names in missing.items() if machine in shown},
        problems=problems,
        partial=partial,
        labelled_by=ground_truth,
    )


def _machines(record: RunRecord, asked: Sequence[str]) -> list[str]:
    known = sorted({*record.dataset.test_clips, *record.dataset.train_clips})
    for machine in asked:
        if machine not in known:
            hint = did_you_mean(machine, known)
            raise UsageError(f"--machine {machine}: the run has none of it.{hint} It has {', '.join(known)}.")
    return [machine for machine in known if not asked or machine in asked]


def _view(
    record: RunRecord, key: Key, rows: SectionScores | None, files: Sequence[ScoreFile], truth: GroundTruth | None
) -> SectionView | None:
    threshold = record.thresholds.get(key[0], {}).get(key[1])
    if rows is not None:
        return SectionView(*key, rows.names, rows.scores, rows.domains, rows.labels, threshold)
    clips: dict[str, tuple[float, str]] = {}
    for file in files:
        if file.kind == "anomaly_score" and (file.machine, file.section) == key:
            free = truth is not None and truth.free_names
            for row in read_rows(file, lambda problem: None, free):  # these are among the problems already
                known = (truth.sections.get(key, {}).get(row.clip) if truth else None) or truth_of_name(row.clip)
                if row.value is not None:
                    clips[row.clip] = (row.value, known.domain or file.domain or "")
    if not clips:
        return None
    names = tuple(sorted(clips))
    scores = np.array([clips[name][0] for name in names])
    domains = np.array([clips[name][1] for name in names])
    return SectionView(*key, names, scores, domains, None, threshold)


def _lines(problems: Sequence[Problem]) -> list[str]:
    """A line for each problem; of many of one kind the first ones."""
    by_kind: dict[tuple[str, str | None], list[str]] = {}
    for problem in problems:
        by_kind.setdefault((problem.kind, problem.machine), []).append(str(problem))
    lines = []
    for (kind, _), texts in by_kind.items():
        more = [f"... and {len(texts) - NAMED} more that are {kind}"] if len(texts) > NAMED else []
        lines += [*texts[:NAMED], *more]
    return lines
