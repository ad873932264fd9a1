"""What the trainings of a run learned, in the words that every table and page uses.

Tables, boards, reports and JSON all take the mark "did not learn" from here, so that they say the same.
"""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from statistics import fmean
from typing import Any

from asdbench.extractors.learning import Learning
from asdbench.harness.record import RunRecord, TrainedNetwork

FEW = 3  # machine types that are named one by one


@dataclass(frozen=True)
class Figure:
    """One kind of figure, the mean over all networks that have it. Values are fractions.

    Attributes:
        figure: what is measured, "pair accuracy" for instance.
        value: of the trained networks.
        chance: of guessing; None where guessing has no figure.
        untrained: of the same networks untrained.
        margin: how much better than both counts as better.
        networks: how many have it, over all runs.
    """

    figure: str
    value: float
    chance: float | None
    untrained: float
    margin: float
    networks: int

    @property
    def baseline(self) -> float:
        """What has to be exceeded: chance or untrained, whichever is higher."""
        return self.untrained if self.chance is None else max(self.chance, self.untrained)

    @property
    def text(self) -> str:
        """The figure in words: "pair accuracy 86 % (chance 50, untrained 52)"."""
        chance = "" if self.chance is None else f"chance {_percent(self.chance)}, "
        text = f"{self.figure} {_percent(self.value)} % ({chance}untrained {_percent(self.untrained)}"
        if self.baseline < self.value <= self.baseline + self.margin:
            text += f", within a margin of {_percent(self.margin)}"
        return f"{text})"


@dataclass(frozen=True)
class Learned:
    """What the networks of one run, or of several seeds of a system, learned.

    Attributes:
        figures: by kind; more than one for an ensemble of different networks.
        runs: runs that have a figure.
        learned_runs: those of which every network learned.
        mark: "did not learn" and of what; empty where every network of every run learned.
    """

    figures: tuple[Figure, ...]
    runs: int
    learned_runs: int
    mark: str

    @property
    def text(self) -> str:
        """The figures in words, led by the mark where something did not learn."""
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
        None where no network has a figure: nothing is trained, nothing can be held against chance, or the record is
        old.
    """
    runs = [networks for record in records if any(map(_has_figure, networks := _networks(record, machine)))]
    if not runs:
        return None
    by_kind: dict[str, list[Learning]] = {}
    for networks in runs:
        for network in networks:
            if network.learning is not None:
                by_kind.setdefault(network.learning.figure, []).append(network.learning)
    marks = [_mark(networks) for networks in runs]
    return Learned(
        figures=tuple(_mean(kind, found) for kind, found in by_kind.items()),
        runs=len(runs),
        learned_runs=marks.count(""),
        mark=_mark_over_seeds(marks),
    )


def mark_of(*records: RunRecord, machine: str | None = None) -> str:
    """The mark that stands wherever a score of these runs is shown; empty where all learned or nothing is known."""
    found = learned(*records, machine=machine)
    return found.mark if found else ""


def network_text(learning: Learning) -> str:
    """One network's figure in words, and what it was measured on."""
    said = "learned" if learning.learned else "did not learn"
    return f"{said}: {_mean(learning.figure, [learning]).text}, measured on {learning.measured_on}"


def learning_as_json(found: Learned | None) -> dict[str, Any]:
    """Two JSON fields: ``learned`` (None where no network has a figure) and ``learning`` with the figures."""
    if found is None:
        return {"learned": None, "learning": None}
    figures = [asdict(one) for one in found.figures]
    return {"learned": not found.mark, "learning": {"text": found.text, "figures": figures}}


def learning_columns(found: Learned | None) -> dict[str, Any]:
    """Columns of a flat table; the figure's own are empty where an ensemble has several kinds of it."""
    one = found.figures[0] if found and len(found.figures) == 1 else None
    return {
        "learned": None if found is None else not found.mark,
        "learning_figure": one.figure if one else None,
        "learning_value": one.value if one else None,
        "learning_chance": one.chance if one else None,
        "learning_untrained": one.untrained if one else None,
    }


def _networks(record: RunRecord, machine: str | None) -> list[TrainedNetwork]:
    return [network for network in record.training if machine is None or machine in network.machines]


def _has_figure(network: TrainedNetwork) -> bool:
    return network.learning is not None


def _did_not_learn(network: TrainedNetwork) -> bool:
    return network.learning is not None and not network.learning.learned


def _mean(kind: str, found: Sequence[Learning]) -> Figure:
    chances = [one.chance for one in found if one.chance is not None]
    return Figure(
        figure=kind,
        value=fmean(one.value for one in found),
        chance=fmean(chances) if len(chances) == len(found) else None,
        untrained=fmean(one.untrained for one in found),
        margin=fmean(one.margin for one in found),
        networks=len(found),
    )


def _mark(networks: Sequence[TrainedNetwork]) -> str:
    """Of one run: which of its networks did not learn, by machine types where these tell them apart."""
    failed = [network for network in networks if _did_not_learn(network)]
    if not failed:
        return ""
    if len(failed) == len(networks):
        return "did not learn"
    names = _machines(failed)
    if len(names) <= FEW and not set(names) & set(_machines(one for one in networks if not _did_not_learn(one))):
        return f"{', '.join(names)} did not learn"
    return f"{len(failed)} of {len(networks)} networks did not learn"


def _mark_over_seeds(marks: Sequence[str]) -> str:
    failed = [mark for mark in marks if mark]
    if not failed or len(marks) == 1:
        return marks[0]
    what = failed[0] if len(set(failed)) == 1 else "some networks did not learn"
    return f"{what} in {len(failed)} of {len(marks)} seeds"


def _machines(networks: Iterable[TrainedNetwork]) -> list[str]:
    return list(dict.fromkeys(machine for network in networks for machine in network.machines))


def _percent(value: float) -> str:
    return str(round(100 * value))
