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
from asdbench.protocols.ranking import shared_ranks
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
    from asdbench.datasets.ground_truth import GroundTruth
    from asdbench.protocols.average_ranks import AverageRanks
    from asdbench.protocols.resampling import Sections


@dataclass(frozen=True)
class Scored:
    """A group on one data set.

    Attributes:
        runs: one for each seed.
        score: official score, mean over seeds.
        machines: official score of each machine type, mean over seeds.
        resampled: the same in every resampled test set.
    """

    runs: tuple[Run, ...]
    score: float
    machines: Mapping[str, float]
    resampled: Resampled

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
    """All groups on one data set, by label."""

    dataset: str
    protocol: str
    scored: Mapping[str, Scored]

    def difference(self, first: str, second: str, machine: str | None = None) -> Difference:
        """The first less the second, in total or for one machine type."""
        one, two = self.scored[first], self.scored[second]
        points = (one.score, two.score) if machine is None else (one.machines[machine], two.machines[machine])
        return difference(points[0] - points[1], one.resampled, two.resampled, machine)

    def ranks(self) -> dict[str, int]:
        """Ranks by score, best first, shared by those that are not significantly apart."""
        order = sorted(self.scored, key=lambda label: -self.scored[label].score)
        return shared_ranks(order, lambda better, worse: self.difference(better, worse).significant)


def labels_of(groups: Sequence[RunGroup]) -> list[str]:
    """The systems' names; what was asked where a name would stand twice."""
    systems = [one.system for one in groups]
    labels: list[str] = []
    for one in groups:
        label = one.asked if systems.count(one.system) > 1 else one.system
        labels.append(f"{label} (again)" if label in labels else label)
    return labels


def shared_datasets(groups: Sequence[RunGroup]) -> list[str]:
    """Data sets that all groups were run on.

    Raises:
        UsageError: there is none.
    """
    shared = [name for name in groups[0].runs if all(name in one.runs for one in groups)]
    if not shared:
        for one in groups[1:]:
            if not set(one.runs) & set(groups[0].runs):
                of = " and ".join(", ".join(side.runs) for side in (groups[0], one))
                raise UsageError(f"{groups[0].asked} and {one.asked} are not of the same data: {of}.")
        lines = "".join(f"\n  {one.asked}: {', '.join(one.runs)}" for one in groups)
        raise UsageError(f"No data set was run by all of them:{lines}")
    return shared


def compare_on(
    dataset: str,
    groups: Sequence[RunGroup],
    ground_truth: Path | None,
    replicates: int,
    progress: Progress,
) -> Comparison:
    """Score all groups on the same resampled test sets of a data set.

    Args:
        dataset: one that all have runs on.
        groups: whose labels (``labels_of``) differ.
        ground_truth: labels, where the clips' names do not tell them.
        replicates: resampled test sets.
        progress: told of each run.

    Raises:
        UsageError: they are not of the same protocol, recordings or clips.
        RequirementError: score files are missing or without labels.
    """
    for one in groups[1:]:
        require_same_data(groups[0], one, dataset)
    protocol = groups[0].runs[dataset][0].record.dataset.protocol
    truth = _truth(ground_truth, protocol)
    scored: dict[str, Scored] = {}
    reference: tuple[str, Sections] | None = None
    with progress.stage(f"compare on {dataset}", sum(len(one.runs[dataset]) for one in groups)) as stage:
        for label, one in zip(labels_of(groups), groups, strict=True):
            results, resampled = [], {}
            for run in one.runs[dataset]:
                sections = sections_of(run.folder, run.record, truth)
                reference = reference or (run.folder.name, sections)
                require_same_clips(reference[1], sections, (reference[0], run.folder.name))
                results.append(evaluate(protocol, sections))
                resampled[run.record.asked.seed] = resampled_scores(protocol, sections, replicates)
                stage.advance(1, label)
            scored[label] = Scored(
                runs=one.runs[dataset],
                score=_mean([result.official_score for result in results]),
                machines={
                    machine: _mean([result.machines[machine].official_score for result in results])
                    for machine in results[0].machines
                },
                resampled=over_seeds(resampled),
            )
    return Comparison(dataset, protocol, scored)


def ranks_over_machines(comparisons: Sequence[Comparison], alpha: float) -> "AverageRanks":
    """Average ranks over the machine types of all data sets; a block's scores are means over seeds."""
    from asdbench.protocols.average_ranks import average_ranks

    return average_ranks(
        {
            label: {
                (one.dataset, machine): score
                for one in comparisons
                for machine, score in one.scored[label].machines.items()
            }
            for label in comparisons[0].scored
        },
        alpha,
    )


def _truth(place: Path | None, protocol: str) -> "GroundTruth | None":
    from asdbench.datasets.ground_truth import read_ground_truth

    return read_ground_truth(place.expanduser(), int(protocol.removeprefix("dcase"))) if place else None


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
