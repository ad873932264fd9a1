"""What the trainings of a run learned, as every table, board, report and JSON says it."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import fmean
from typing import Any

from asdbench.extractors.learning import Learning
from asdbench.harness.record import RunRecord, TrainedNetwork

FEW = 3  # machine types that are named one by one


@dataclass(frozen=True)
class Figure:
    """One kind of figure, the mean over all networks that have it. Values are fractions."""

    figure: str  # what is measured, "pair accuracy" for instance
    value: float  # of the trained networks
    chance: float | None  # of guessing; None where guessing has no figure
    untrained: float  # of the same networks untrained
    margin: float  # how much better than both counts as better
    networks: int  # how many have it, over all runs

    @property
    def baseline(self) -> float:
        """What has to be exceeded: chance or untrained, whichever is higher."""
        return self.untrained if self.chance is None else max(self.chance, self.untrained)

    @property
    def text(self) -> str:
        """The figure as text: "pair accuracy 86 % (chance 50, untrained 52)"."""
        chance = "" if self.chance is None else f"chance {_percent(self.chance)}, "
        text = f"{self.figure} {_percent(self.value)} % ({chance}untrained {_percent(self.untrained)}"
        if self.baseline < self.value <= self.baseline + self.margin:
            text += f", within a margin of {_percent(self.margin)}"
        return f"{text})"


@dataclass(frozen=True)
class Learned:
    """What the networks of one run, or of several seeds of a system, learned."""

    figures: tuple[Figure, ...]  # by kind; more than one for an ensemble of different networks
    runs: int  # runs that have a figure
    learned_runs: int  # those of which every network learned
    mark: str  # "did not learn" and of what; empty where every network of every run learned

    @property
    def text(self) -> str:
        """The figures as text, led by the mark where something did not learn."""
        figures = "; ".join(one.text for one in self.figures)
        networks = sum(one.networks for one in self.figures) // self.runs
        over = [f"{networks} networks"] if networks > len(self.figures) else []
        over += [f"{self.runs} seeds"] if self.runs > 1 else []
        mean = f", mean of {' and '.join(over)}" if over else ""
        return f"{self.mark or 'learned'}: {figures}{mean}"

    @property
    def short(self) -> str:
        """For a narrow column, in percent: "86 (52), 5 of 5 seeds", what has to be exceeded in brackets."""
        values = " / ".join(f"{_percent(one.value)} ({_percent(one.baseline)})" for one in self.figures)
        return f"{values}, {self.learned_runs} of {self.runs} seed{'s' if self.runs > 1 else ''}"

    @property
    def value(self) -> float:
        """To sort by: how far the figures lie above what has to be exceeded, the mean over their kinds."""
        return fmean(one.value - one.baseline for one in self.figures)


def learned(*records: RunRecord, machine: str | None = None) -> Learned | None:
    """Sum up what the networks of one run, or of the seeds of one system, learned.

    A run learned when every network of it that has a figure is better than chance and than itself untrained.

    Args:
        records: of the runs.
        machine: only the networks of this machine type.

    Returns:
        None where no network has a figure: nothing is trained, nothing can be compared with chance, or the record is
        old.
    """
    runs = []
    for record in records:
        networks = [one for one in record.training if machine is None or machine in one.machines]
        if any(one.learning is not None for one in networks):
            runs.append(networks)
    if not runs:
        return None
    by_kind: dict[str, list[Learning]] = {}
    for learning in (network.learning for networks in runs for network in networks):
        if learning is not None:
            by_kind.setdefault(learning.figure, []).append(learning)
    marks = [_mark(networks) for networks in runs]
    return Learned(
        figures=tuple(_mean(kind, learnings) for kind, learnings in by_kind.items()),
        runs=len(runs),
        learned_runs=marks.count(""),
        mark=_mark_over_seeds(marks),
    )


def mark_of(*records: RunRecord, machine: str | None = None) -> str:
    """The mark that stands wherever a score of these runs is shown; empty where all learned or nothing is known."""
    summary = learned(*records, machine=machine)
    return summary.mark if summary else ""


def network_text(learning: Learning) -> str:
    """One network's figure as text, and what it was measured on."""
    verdict = "learned" if learning.learned else "did not learn"
    return f"{verdict}: {_mean(learning.figure, [learning]).text}, measured on {learning.measured_on}"


def learning_as_json(summary: Learned | None) -> dict[str, Any]:
    """Two JSON fields: ``learned`` (None where no network has a figure) and ``learning`` with the figures."""
    if summary is None:
        return {"learned": None, "learning": None}
    figures = [asdict(one) for one in summary.figures]
    return {"learned": not summary.mark, "learning": {"text": summary.text, "figures": figures}}


def learning_columns(summary: Learned | None) -> dict[str, Any]:
    """Columns of a flat table; those of the figure are empty where an ensemble has several kinds of it."""
    figure = summary.figures[0] if summary and len(summary.figures) == 1 else None
    values = {f"learning_{key}": getattr(figure, key, None) for key in ("figure", "value", "chance", "untrained")}
    return {"learned": None if summary is None else not summary.mark, **values}


def _mean(kind: str, learnings: Sequence[Learning]) -> Figure:
    chances = [one.chance for one in learnings if one.chance is not None]
    return Figure(
        figure=kind,
        value=fmean(one.value for one in learnings),
        chance=fmean(chances) if len(chances) == len(learnings) else None,
        untrained=fmean(one.untrained for one in learnings),
        margin=fmean(one.margin for one in learnings),
        networks=len(learnings),
    )


def _mark(networks: Sequence[TrainedNetwork]) -> str:
    """Of one run: which of its networks did not learn, by machine types where these distinguish them."""
    failed = [one for one in networks if one.learning is not None and not one.learning.learned]
    if not failed:
        return ""
    if len(failed) == len(networks):
        return "did not learn"
    names = list(dict.fromkeys(machine for one in failed for machine in one.machines))
    others = {machine for one in networks if one not in failed for machine in one.machines}
    if len(names) <= FEW and not others.intersection(names):
        return f"{', '.join(names)} did not learn"
    return f"{len(failed)} of {len(networks)} networks did not learn"


def _mark_over_seeds(marks: Sequence[str]) -> str:
    failed = [mark for mark in marks if mark]
    if not failed or len(marks) == 1:
        return marks[0]
    what = failed[0] if len(set(failed)) == 1 else "some networks did not learn"
    return f"{what} in {len(failed)} of {len(marks)} seeds"


def _percent(value: float) -> str:
    return str(round(100 * value))
