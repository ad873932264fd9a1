"""Systems on the same test clips: their scores, the differences of all pairs, the ranks that they share."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from asdbench.core.errors import UsageError
from asdbench.core.progress import Progress
from asdbench.harness.store import sections_of
from asdbench.leaderboard.run_groups import Run, RunGroup, require_same_data
from asdbench.protocols import Difference, evaluate
from asdbench.protocols.average_ranks import AverageRanks, average_ranks, shared_ranks
from asdbench.protocols.definitions import score_name
from asdbench.protocols.resampling import (
    Resampled,
    difference,
    interval,
    over_seeds,
    require_same_clips,
    resampled_scores,
)
from asdbench.protocols.results import Interval

if TYPE_CHECKING:
    from asdbench.protocols.resampling import Sections


@dataclass(frozen=True)
class Scored:
    """One side of a comparison on one data set."""

    runs: tuple[Run, ...]  # one for each seed
    score: float  # official score, mean over seeds
    machines: Mapping[str, float]  # official score of each machine type, mean over seeds
    resampled: Resampled  # the same in every resampled test set

    @property
    def seeds(self) -> list[int]:
        """Of the runs."""
        return [run.record.asked.seed for run in self.runs]

    @property
    def ci95(self) -> Interval:
        """95 % interval of the score: of the test clips, and of the seeds where there are several."""
        return interval(self.resampled.total)


@dataclass(frozen=True)
class Comparison:
    """All sides on one data set, by label."""

    dataset: str
    protocol: str
    scored: Mapping[str, Scored]

    @property
    def score_name(self) -> str:
        """What the scores are called."""
        data = next(iter(self.scored.values())).runs[0].record.dataset
        return score_name(data.protocol, data.layout)

    def difference(self, first: str, second: str, machine: str | None = None) -> Difference:
        """The first less the second, in total or for one machine type."""
        one, two = self.scored[first], self.scored[second]
        points = (one.score, two.score) if machine is None else (one.machines[machine], two.machines[machine])
        return difference(points[0] - points[1], one.resampled, two.resampled, machine)

    def ranks(self) -> dict[str, int]:
        """Ranks by score, best first, shared by those that are not significantly apart."""
        order = sorted(self.scored, key=lambda label: -self.scored[label].score)
        return shared_ranks(order, lambda better, worse: self.difference(better, worse).significant)


def shared_datasets(groups: Sequence[RunGroup]) -> list[str]:
    """Data sets that all were run on. Raises UsageError: there is none."""
    first = groups[0]
    shared = [name for name in first.runs if all(name in group.runs for group in groups)]
    if shared:
        return shared
    for group in groups[1:]:
        if not set(group.runs) & set(first.runs):
            names = " and ".join(", ".join(side.runs) for side in (first, group))
            raise UsageError(f"{first.asked} and {group.asked} are not of the same data: {names}.")
    lines = "".join(f"\n  {group.asked}: {', '.join(group.runs)}" for group in groups)
    raise UsageError(f"No data set was run by all of them:{lines}")


def compare_on(
    dataset: str, groups: Sequence[RunGroup], ground_truth: Path | None, replicates: int, progress: Progress
) -> Comparison:
    """Score all on the same resampled test sets of a data set.

    Args:
        dataset: one that all have runs on.
        groups: what is compared.
        ground_truth: labels, where the clips' names do not say them.
        replicates: resampled test sets.
        progress: advances with each run.

    Raises:
        UsageError: they are not of the same protocol, recordings or clips.
        RequirementError: score files are missing or without labels.
    """
    from asdbench.datasets.ground_truth import read_ground_truth

    for group in groups[1:]:
        require_same_data(groups[0], group, dataset)
    protocol = groups[0].runs[dataset][0].record.dataset.protocol
    year = int(protocol.removeprefix("dcase"))
    truth = read_ground_truth(ground_truth.expanduser(), year) if ground_truth else None
    scored: dict[str, Scored] = {}
    reference: tuple[str, Sections] | None = None
    with progress.stage(f"compare on {dataset}", sum(len(group.runs[dataset]) for group in groups)) as stage:
        for label, group in zip(_labels_of(groups), groups, strict=True):
            results, resampled = [], {}
            for run in group.runs[dataset]:
                sections = sections_of(run.folder, run.record, truth)
                reference = reference or (run.folder.name, sections)
                require_same_clips(reference[1], sections, (reference[0], run.folder.name))
                results.append(evaluate(protocol, sections))
                resampled[run.record.asked.seed] = resampled_scores(protocol, sections, replicates)
                stage.advance(1, label)
            scored[label] = Scored(
                runs=group.runs[dataset],
                score=_mean([result.official_score for result in results]),
                machines={
                    machine: _mean([result.machines[machine].official_score for result in results])
                    for machine in results[0].machines
                },
                resampled=over_seeds(resampled),
            )
    return Comparison(dataset, protocol, scored)


def ranks_over_machines(comparisons: Sequence[Comparison], alpha: float) -> AverageRanks:
    """Average ranks over the machine types of all data sets; a block's scores are means over seeds."""
    scores: dict[str, dict[tuple[str, str], float]] = {label: {} for label in comparisons[0].scored}
    for comparison in comparisons:
        for label, scored in comparison.scored.items():
            scores[label] |= {(comparison.dataset, machine): score for machine, score in scored.machines.items()}
    return average_ranks(scores, alpha)


def _labels_of(groups: Sequence[RunGroup]) -> list[str]:
    """The systems' names; what was asked where a name would stand twice."""
    systems = [group.system for group in groups]
    labels: list[str] = []
    for group in groups:
        label = group.asked if systems.count(group.system) > 1 else group.system
        labels.append(f"{label} (again)" if label in labels else label)
    return labels


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
