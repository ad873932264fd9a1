"""``asd.evaluate``, ``asd.compare``, ``asd.transfer``: official numbers, differences of systems and of boards."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from asdbench.api.arguments import require_positive, require_replicates, several
from asdbench.api.runs import Run, Runs
from asdbench.core.errors import AsdbenchError, UsageError
from asdbench.core.progress import Silent
from asdbench.leaderboard.comparison import compare_on, shared_datasets
from asdbench.leaderboard.run_groups import RunGroup, find_run_group, run_group_of
from asdbench.leaderboard.transfer import Transfer
from asdbench.protocols.resampling import REPLICATES, Difference
from asdbench.score_files.evaluation import FolderEvaluation, Method


def evaluate(
    scores: str | Path,
    protocol: str | None = None,
    *,
    ground_truth: str | Path | None = None,
    split: str | None = None,
    machines: str | Sequence[str] = (),
    partial: bool = False,
    intervals: Method = "bootstrap",
    replicates: int = REPLICATES,
    clip_s: float | None = None,
    out: str | Path = "runs",
) -> FolderEvaluation:
    """The official score of a folder of score files, anybody's, or of a run.

    Args:
        scores: the folder, or a run's id.
        protocol: "dcase2020" to "dcase2026"; of a run its record's.
        ground_truth: labels of an evaluation set, in the official evaluators' layout.
        split: "dev", "eval" or "own" (recordings of your own): what has to be there; None decides it by the files.
        machines: only these machine types.
        partial: score what is there although something is missing or wrong.
        intervals: "bootstrap", "official" (what the official evaluators print) or "none".
        replicates: of the bootstrap.
        clip_s: length of a clip (s), by which false alarms per hour are counted; of a run its record's.
        out: folder that runs are looked for in.

    Returns:
        What the files came to; ``official_score`` is None where anything is missing, ``problems`` say what.

    Raises:
        UsageError: no such protocol, split or machine type.
        RequirementError: there is no such folder, or it holds no score files.
    """
    from asdbench.harness.evaluating import evaluate_score_files, score_folder, truth_for
    from asdbench.registry import load_catalog

    require_replicates(replicates)
    require_positive("clip_s", clip_s)
    if intervals not in get_args(Method):
        raise UsageError(f"intervals={intervals!r}: one of {', '.join(get_args(Method))}.")
    _, evaluation = evaluate_score_files(
        score_folder(Path(scores), Path(out)),
        load_catalog(),
        protocol,
        split=split,
        truth=truth_for(Path(ground_truth) if ground_truth is not None else None, protocol),
        partial=partial,
        machines=several(machines),
        interval=intervals,
        replicates=replicates,
        clip_s=clip_s,
    )
    return evaluation


@dataclass(frozen=True, repr=False)
class Compared:
    """One system less another on the test clips that both scored.

    Attributes:
        a: name of the first.
        b: name of the second.
        dataset: that both were run on.
        scores: official scores, mean over seeds, (a, b).
        difference: of the official score, a less b, a fraction.
        ci95: its 95 % interval, by a bootstrap over test clips (and seeds) that both share.
        probability: share of the resampled test sets on which a is better.
        machines: the same for each machine type.
    """

    a: str
    b: str
    dataset: str
    scores: tuple[float, float]
    difference: float
    ci95: tuple[float, float]
    probability: float
    machines: Mapping[str, Difference]

    @property
    def significant(self) -> bool:
        """Whether the interval excludes zero."""
        return not self.ci95[0] <= 0 <= self.ci95[1]

    def to_frame(self) -> Any:
        """One row for each machine type and one for the whole ("all"); fractions."""
        import pandas

        rows = {**self.machines, "all": Difference(self.difference, self.ci95, self.probability)}
        return pandas.DataFrame(
            [
                {"machine": name, "difference": one.difference, "ci_low": one.ci95[0], "ci_high": one.ci95[1],
                 "probability": one.probability}
                for name, one in rows.items()
            ]
        )  # fmt: skip

    def __repr__(self) -> str:
        low, high = self.ci95
        verdict = "significant" if self.significant else "not significant"
        points = f"{100 * self.difference:+.2f} [{100 * low:+.2f}, {100 * high:+.2f}]"
        return f"<Compared {self.a} less {self.b} on {self.dataset}: {points} points, {verdict}>"

    def _repr_html_(self) -> str:
        """For notebooks."""
        return str(self.to_frame().to_html(index=False))


def compare(
    a: Run | Runs | Sequence[Run] | str,
    b: Run | Runs | Sequence[Run] | str,
    *,
    dataset: str | None = None,
    out: str | Path = "runs",
    ground_truth: str | Path | None = None,
    replicates: int = REPLICATES,
) -> Compared:
    """Which of two is better, by how much, and how sure that is: a paired bootstrap over test clips and seeds.

    Args:
        a: a run, all runs of one system (its seeds), or the name of either as the command line takes it.
        b: the same.
        dataset: on which; may be left out where they share one.
        out: folder that names are looked for in.
        ground_truth: labels, where the clips' names do not say them.
        replicates: resampled test sets.

    Raises:
        UsageError: they are not of the same recordings, or share several data sets and none is named.
        AsdbenchError: one of them failed.

    Examples:
        >>> import asdbench as asd
        >>> runs = asd.run("synthetic", "raw-mel", ["mahalanobis-lw", "knn"], machines=["fan"])
        >>> asd.compare(runs[0], runs[1]).difference == runs[0].score - runs[1].score
        True
    """
    require_replicates(replicates)
    sides = [_side(one, Path(out).expanduser(), dataset) for one in (a, b)]
    datasets = [name for name in shared_datasets(sides) if dataset in (None, name)]
    if len(datasets) > 1:
        raise UsageError(f"Both were run on {', '.join(datasets)}. Say on which: compare(a, b, dataset=...)")
    truth = Path(ground_truth) if ground_truth is not None else None
    comparison = compare_on(datasets[0], sides, truth, replicates, Silent())
    first, second = comparison.scored
    total = comparison.difference(first, second)
    return Compared(
        a=first,
        b=second,
        dataset=datasets[0],
        scores=(comparison.scored[first].score, comparison.scored[second].score),
        difference=total.difference,
        ci95=total.ci95,
        probability=total.probability,
        machines={name: comparison.difference(first, second, name) for name in comparison.scored[first].machines},
    )


def _side(given: Run | Runs | Sequence[Run] | str, out: Path, dataset: str | None) -> RunGroup:
    if isinstance(given, str):
        return find_run_group(given, out, dataset)
    runs: list[Any] = list(given) if isinstance(given, Runs | list | tuple) else [given]
    if not all(isinstance(run, Run) for run in runs):
        raise UsageError(f"compare takes a run, runs of one system, or the name of either, not {given!r}.")
    failed = [run for run in runs if run.status != "done"]
    if failed or not runs:
        raise AsdbenchError(f"{failed[0]!r} has no score." if failed else "There is no run to compare.")
    return run_group_of({run.folder: run.record for run in runs})


def transfer(
    *boards: str | Path, board_dir: str | Path = "leaderboards", replicates: int = REPLICATES
) -> list[Transfer]:
    """Whether the order of systems on one board is their order on another, by the systems that both have.

    Args:
        boards: names of boards, or tables of scores: "FILE.csv" (its columns dev_... and eval_...), "FILE.csv:COLUMN".
        board_dir: holds results/ and references/.
        replicates: resampled test sets, by which pairs of systems are significantly apart.

    Returns:
        One for each pair of boards that share three systems: ``spearman`` and ``kendall`` (value, ci95), ``on_second``
        and ``on_first`` (what choosing by the other costs), ``agreement``, ``verdict``.

    Raises:
        UsageError: no such board or column, or no two of them share three systems.
        DataError: a table cannot be read.

    Examples:
        >>> import asdbench as asd
        >>> asd.transfer("synthetic", "slider-2023")[0].spearman.value < 0.5  # doctest: +SKIP
        True
    """
    require_replicates(replicates)
    from asdbench.leaderboard.transfer import require_transfers
    from asdbench.leaderboard.transfer_sides import named_sides

    return require_transfers(named_sides([str(board) for board in boards], Path(board_dir).expanduser(), replicates))
