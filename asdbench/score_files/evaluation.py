"""Evaluate a folder of score files: which data set it is of, what is missing, what it scores."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from asdbench.core.errors import RequirementError, UsageError, did_you_mean
from asdbench.datasets.ground_truth import EVALUATOR, GroundTruth
from asdbench.protocols import Evaluation, Intervals, MachineResult, bootstrap_intervals, evaluate
from asdbench.protocols.decisions import REPLICATES as DECISION_REPLICATES
from asdbench.protocols.decisions import Decisions, decision_measures
from asdbench.protocols.jackknife import official_jackknife
from asdbench.protocols.resampling import REPLICATES, Sections
from asdbench.score_files.alignment import align
from asdbench.score_files.expectation import Expectation, expectation_of, likeliest_split
from asdbench.score_files.files import ACCEPTED, Problem, ScoreFile, list_score_files

if TYPE_CHECKING:
    import pandas

    from asdbench.registry.challenge_card import ChallengeCard

Method = Literal["bootstrap", "official", "none"]
SAME = 1e-9  # two official scores of the same rows


@dataclass(frozen=True, repr=False)
class FolderEvaluation:
    """The result for a folder of score files.

    Attributes:
        dataset: in words, of what the score files are; None for a data set that no card describes.
        partial: whether anything is missing or wrong, or machine types were picked.
        official_score: None where the result is partial and nobody asked for a score all the same.
        evaluation: of the sections that could be evaluated; None when there is none.
        intervals: of the evaluation.
        problems: all that is missing or wrong.
        sections: the rows behind the evaluation.
        decisions: what the decisions of these sections are worth; None where there is no section.
    """

    dataset: str | None
    partial: bool
    official_score: float | None
    evaluation: Evaluation | None
    intervals: Intervals | None
    problems: Sequence[Problem]
    sections: Sections
    decisions: Decisions | None = None

    def to_frame(self) -> "pandas.DataFrame":
        """One row for each machine type: machine, auc_source, auc_target, auc, pauc, f1, official_score; fractions."""
        import pandas

        columns = ["auc_source", "auc_target", "auc", "pauc", "f1", "official_score"]
        machines = self.evaluation.machines if self.evaluation is not None else {}
        rows = [
            {"machine": name, **{column: getattr(one, column) for column in columns}} for name, one in machines.items()
        ]
        return pandas.DataFrame(rows, columns=["machine", *columns])

    def __repr__(self) -> str:
        score = "no official score"
        if self.official_score is not None:
            score = f"official score {100 * self.official_score:.2f}"
            if self.intervals is not None and self.intervals.official_score is not None:
                low, high = self.intervals.official_score
                score += f" [{100 * low:.2f}, {100 * high:.2f}]"
        problems = f", {len(self.problems)} problems" if self.problems else ""
        return f"<FolderEvaluation{f' of {self.dataset}' if self.dataset else ''}: {score}{problems}>"

    def _repr_html_(self) -> str:
        """For notebooks: the machine types; scores in percent, and what is missing or wrong."""
        table = self.to_frame().set_index("machine").astype(float).mul(100).round(2)
        problems = "".join(f"<li>{escape(str(one))}</li>" for one in self.problems)
        return f"<p>{escape(repr(self))}</p>{table.to_html(na_rep='-')}<ul>{problems}</ul>"


def evaluate_folder(
    folder: Path,
    protocol: str,
    truth: GroundTruth | None = None,
    expected: Expectation | None = None,
    *,
    partial: bool = False,
    machines: Sequence[str] = (),
    interval: Method = "bootstrap",
    replicates: int = REPLICATES,
    known: Sequence[Problem] = (),
    recorded: Mapping[str, MachineResult] | None = None,
    clip_s: Mapping[str, float] | float | None = None,
) -> FolderEvaluation:
    """Evaluate the score files in ``folder``.

    Args:
        folder: holds score and maybe decision files.
        protocol: whose official score is wanted.
        truth: labels and domains; None takes them from the clips' names.
        expected: what a complete set holds; None for a data set that no card describes.
        partial: give a score of what is there although something is missing; sections with a problem count with
            their sound clips. Without it they are left out.
        machines: only these machine types; their score is a partial one where there are others.
        interval: how 95 % intervals are computed.
        replicates: of the bootstrap.
        known: what is known to be wrong with these files before they are read.
        recorded: each machine type's result when a run wrote the files; another result is a problem.
        clip_s: length of a clip (s), of all or by machine type, by which false alarms per hour are counted.

    Raises:
        RequirementError: the folder holds no score file.
        UsageError: a machine type of ``machines`` has none.
    """
    files, misnamed = list_score_files(folder)
    there = {file.machine for file in files} | set(expected.machines if expected else ())
    if machines:
        for machine in machines:
            if machine not in {file.machine for file in files}:
                hint = did_you_mean(machine, there)
                raise UsageError(f"--machine {machine}: no score files of it in {folder}.{hint}")
        files = [file for file in files if file.machine in machines]
        expected = expected.only(machines) if expected else None
        truth = truth.only(machines) if truth else None
        known = [problem for problem in known if problem.machine in (None, *machines)]
    if not any(file.kind == "anomaly_score" for file in files):
        named = f" of {', '.join(machines)}" if machines else ""
        raise RequirementError(f"No score files{named} in {folder}.\nExpected: {ACCEPTED}.")
    aligned = align(files, protocol, truth, expected)
    aligned.problems += [*known, *misnamed]
    if truth is not None and expected is not None and expected.truth_problem and truth.kind != EVALUATOR:
        text = f"the ground truth is from {truth.kind}. {expected.truth_problem}"
        aligned.problems.append(Problem(kind="conflict", text=text))
    spoilt = set() if partial else aligned.spoilt()
    sections = {key: rows for key, rows in aligned.sections.items() if key not in spoilt}
    evaluation = evaluate(protocol, sections) if sections else None
    if recorded is not None and evaluation is not None and aligned.whole:
        aligned.problems += other_results(recorded, evaluation.machines)
    wanted = evaluation is not None and (aligned.whole or partial)
    intervals = None
    resampled = min(replicates, DECISION_REPLICATES) if interval == "bootstrap" else 0
    if wanted and interval == "bootstrap":
        intervals = bootstrap_intervals(protocol, sections, replicates)
    elif wanted and interval == "official":
        intervals = official_jackknife(protocol, sections)
    return FolderEvaluation(
        dataset=expected.name if expected and expected.is_challenge else None,
        partial=not aligned.whole or (bool(machines) and there != set(machines)),
        official_score=evaluation.official_score if evaluation is not None and wanted else None,
        evaluation=evaluation,
        intervals=intervals,
        problems=aligned.problems,
        sections=sections,
        decisions=decision_measures(sections, clip_s, resampled) if wanted else None,
    )


def other_results(recorded: Mapping[str, MachineResult], computed: Mapping[str, MachineResult]) -> list[Problem]:
    """Machine types whose scores in a record are not those that its score files come to."""
    problems = []
    for machine, result in computed.items():
        before = recorded.get(machine)
        if before is None or abs(before.official_score - result.official_score) > SAME:
            says = "nothing" if before is None else f"{100 * before.official_score:.4f} %"
            text = (
                f"the score files of {machine} come to {100 * result.official_score:.4f} %, the run's record says "
                f"{says}: they were changed after the run"
            )
            problems.append(Problem(kind="conflict", text=text, machine=machine))
    return problems


def expectation_for(
    files: Sequence[ScoreFile], name: str, card: "ChallengeCard", split: str | None
) -> Expectation | None:
    """What the files' data set should hold: the split asked for, else the one that most of the files belong to.

    None when no file belongs to the challenge: a data set of the user's own, evaluated by the same definition.
    """
    chosen = split or likeliest_split(card, {(file.machine, file.section) for file in files})
    return None if chosen is None else expectation_of(name, card, chosen)
