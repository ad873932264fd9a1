"""What ``asdbench compare`` prints: tables, the matrix of differences, and the diagram of ranks in letters."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from asdbench.cli.evaluation_results import difference_as_json
from asdbench.cli.output import echo
from asdbench.cli.tables import interval, print_learned, print_table, styled, table, width
from asdbench.core.texts import percent
from asdbench.harness.learned import Learned, learned, learning_as_json
from asdbench.leaderboard.comparison import Comparison, Scored
from asdbench.leaderboard.run_groups import RunGroup
from asdbench.protocols import Difference
from asdbench.protocols.average_ranks import AverageRanks

if TYPE_CHECKING:
    from asdbench.protocols.average_ranks import AverageRanks

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
CELL = 8  # columns of a difference and the space before it
LEAST, MOST = 21, 61  # columns of the axis


def pair_as_json(comparisons: Sequence[Comparison], max_drop: float | None, missing: Sequence[str]) -> dict[str, Any]:
    """A less B on every data set, and what B lacks; what is of a single data set stands at the top as well."""
    a, b = comparisons[0].scored
    datasets: dict[str, Any] = {}
    for one in comparisons:
        total = one.difference(a, b)
        datasets[one.dataset] = {
            "protocol": one.protocol,
            "a": _scored_as_json(one.scored[a]),
            "b": _scored_as_json(one.scored[b]),
            "official_score": difference_as_json(total),
            "machines": {name: difference_as_json(one.difference(a, b, name)) for name in one.scored[a].machines},
            "dropped": _dropped(total, max_drop),
        }
    single = datasets[comparisons[0].dataset] if len(datasets) == 1 else {}
    return {
        "a": a,
        "b": b,
        "dropped": any(one["dropped"] for one in datasets.values()),
        "incomplete": list(missing),
        **{key: single[key] for key in ("protocol", "official_score", "machines") if single},
        "datasets": datasets,
    }


def ranking_as_json(comparisons: Sequence[Comparison], ranks: AverageRanks) -> dict[str, Any]:
    """Ranks and all differences on every data set, and average ranks over all."""
    datasets = {}
    for one in comparisons:
        order = one.ranks()
        pairs = [(a, b) for place, a in enumerate(order) for b in list(order)[place + 1 :]]
        datasets[one.dataset] = {
            "protocol": one.protocol,
            "systems": [
                {"system": label, "rank": rank, **_scored_as_json(one.scored[label])} for label, rank in order.items()
            ],
            "differences": [{"a": a, "b": b, **difference_as_json(one.difference(a, b))} for a, b in pairs],
        }
    refined = None if ranks.iman_davenport == math.inf else ranks.iman_davenport
    return {"datasets": datasets, "average_ranks": asdict(ranks) | {"iman_davenport": refined}}


def _scored_as_json(system: Scored) -> dict[str, Any]:
    return {
        "score": system.score,
        "ci95": list(system.ci95),
        **learning_as_json(_learned(system)),
        "machines": dict(system.machines),
        "seeds": system.seeds,
        "runs": [run.record.run_id for run in system.runs],
    }


def _dropped(total: Difference, max_drop: float | None) -> bool:
    """Whether B is worse than A by more points than are allowed."""
    return max_drop is not None and 100 * total.difference > max_drop


def print_pair(systems: Sequence[RunGroup], comparisons: Sequence[Comparison], max_drop: float | None) -> None:
    """Who A and B are, and a table for each data set."""
    for letter, system in zip("AB", systems, strict=True):
        folder = next(iter(system.runs.values()))[0].folder
        echo(f"{letter}  {system.system}   {folder if system.single else f'{folder.parent}/'}")
    columns = ("machine", ">A", ">B", ">difference", ">95 % interval", ">A is better")
    for one in comparisons:
        a, b = one.scored.values()
        echo()
        echo(f"{one.dataset}: A less B, points of the {one.score_name}", bold=True)
        print_table(table(columns, [_difference_row(one, machine) for machine in (*a.machines, None)]))
        for label, side in zip("AB", (a, b), strict=True):
            print_learned(_learned(side), label)
        total = one.difference(*one.scored)
        apart = f"tell them apart: {'A' if total.difference > 0 else 'B'} is better"
        echo(f"These test clips {apart if total.significant else 'do not tell them apart: the interval holds 0'}.")
        echo(_about_seeds({"A": a, "B": b}), dim=True)
        if _dropped(total, max_drop):
            points = f"{max_drop:g} point{'' if max_drop == 1 else 's'}"
            echo(f"On {one.dataset} B is lower than A by more than {points}.", fg="red", bold=True)


def _difference_row(one: Comparison, machine: str | None) -> Sequence[Any]:
    a, b = one.scored
    difference = one.difference(a, b, machine)
    low, high = difference.ci95
    scores = [side.score if machine is None else side.machines[machine] for side in one.scored.values()]
    colour = "green" if low > 0 else "red" if high < 0 else ""
    cells = [
        machine or "all",
        *map(percent, scores),
        percent(difference.difference, sign=True),
        interval(difference.ci95, 2, sign=True),
        f"{percent(difference.probability, 1)} %",
    ]
    return styled(cells, f"bold {colour}" if machine is None else colour)


def print_ranking(comparisons: Sequence[Comparison], ranks: AverageRanks) -> None:
    """A ranking and the matrix of differences for each data set, then average ranks and their diagram."""
    for one in comparisons:
        _print_ranking(one)
        echo()
    blocks, datasets = len(ranks.blocks), len(comparisons)
    over = f"{blocks} machine type{'s' if blocks != 1 else ''}" + (f" of {datasets} data sets" if datasets > 1 else "")
    echo(f"Average ranks over {over}", bold=True)
    echo(rank_diagram(ranks, width()))
    refined = "" if ranks.iman_davenport_p is None else f"; Iman-Davenport p = {_p(ranks.iman_davenport_p)}"
    echo(f"All alike? Friedman chi-squared {ranks.friedman:.2f}, p = {_p(ranks.friedman_p)}{refined}.", dim=True)
    echo(f"Systems in one column ┃ are not apart (Nemenyi, alpha {ranks.alpha:g}).", dim=True)
    if ranks.caution:
        echo(ranks.caution, fg="yellow")


def _print_ranking(one: Comparison) -> None:
    order = one.ranks()
    lettered = len(order) <= min(len(LETTERS), 1 + (width() - 2) // CELL)  # else the matrix does not fit
    rows = []
    for letter, (label, rank) in zip(LETTERS if lettered else [""] * len(order), order.items(), strict=False):
        system = one.scored[label]
        training = _learned(system)
        name = f"{label} (did not learn)" if training and training.mark else label
        scores = [percent(system.score), interval(system.ci95)]
        rows.append([rank, *[letter] * lettered, name, len(system.seeds), *scores])
    echo(f"{one.dataset}, {one.score_name} in percent", bold=True)
    print_table(table([">rank", *[""] * lettered, "system", ">seeds", ">score", ">95 % interval"], rows))
    for label, system in one.scored.items():
        print_learned(_learned(system), label)
    echo(f"A rank is shared where no difference is significant (95 %). {_about_seeds(one.scored)}", dim=True)
    echo()
    if not lettered:
        echo("All differences, with their intervals: --json (or a wider terminal)", dim=True)
        return
    echo("Row less column, points; * where the 95 % interval of the difference excludes 0", bold=True)
    echo("  " + "".join(f"{letter:>{CELL - 1}} " for letter in LETTERS[1 : len(order)]).rstrip())
    for place, first in enumerate(list(order)[:-1]):
        differences = [one.difference(first, second) for second in list(order)[place + 1 :]]
        cells = [f"{percent(each.difference, sign=True)}{'*' if each.significant else ' '}" for each in differences]
        line = "".join(f"{cell:>{CELL}}" for cell in [*[""] * place, *cells])
        echo(f"{LETTERS[place]} {line}".rstrip())


def _learned(system: Scored) -> Learned | None:
    return learned(*(run.record for run in system.runs))


def _about_seeds(scored: Mapping[str, Scored]) -> str:
    """What the intervals include, and what they do not."""
    counts = {label: len(system.seeds) for label, system in scored.items()}
    single = [label for label, count in counts.items() if count == 1]
    if len(single) == len(counts):
        return "One seed each: intervals are of the choice of test clips, not of training."
    if single:
        have = f"{single[0]} has" if len(single) == 1 else f"{len(single)} have"
        return (
            f"Intervals are of the choice of test clips and of seeds; {have} one seed, whose chance they do not hold."
        )
    if len(set(counts.values())) == 1:
        return f"{min(counts.values())} seeds each: intervals are of the choice of test clips and of seeds."
    seeds = ", ".join(f"{label} {count}" for label, count in counts.items())
    return f"Seeds: {seeds}. Intervals are of the choice of test clips and of seeds."


def _p(value: float) -> str:
    return f"{value:.3f}" if value >= 0.0005 else f"{value:.0e}" if value > 0 else "0"


def rank_diagram(result: "AverageRanks", width: int) -> str:
    """A line for each system, best first, with a mark at its average rank.

    To the right of the marks each group of systems that are not apart has a column of its own, and above the axis lies
    the critical difference to its scale, where it fits.
    """
    names = list(result.ranks)
    named = max(map(len, names))
    room = width - named - len(" 12.34  ") - 2 * len(result.groups) - 1
    steps = len(names) - 1
    per_rank = max(1, min(MOST - 1, max(room, LEAST) - 1) // steps)
    length = per_rank * steps + 1
    margin = " " * (named + len(" 12.34  "))
    distance = result.critical_difference * per_rank
    label = f"critical difference {result.critical_difference:.2f}"
    if distance > length - 1:
        ruler = f"{margin}{label}, more than the ranks can differ"
    else:
        line = "├" + "─" * max(round(distance) - 1, 0) + "┤"
        fits = len(label) + 2 <= len(margin)
        ruler = f"{label:<{len(margin)}}{line}" if fits else f"{margin}{line} {label}"
        if len(ruler) > width:
            ruler = f"{label}\n{margin}{line}"
    every = next(every for every in (1, 2, 5, 10, 20, 50, 100) if every * per_rank > len(str(len(names))))
    scale = [" "] * (length + 3)
    for rank in range(1, len(names) + 1, every):
        place = (rank - 1) * per_rank
        scale[place : place + len(str(rank))] = str(rank)
    lines = []
    for name in names:
        place = round((result.ranks[name] - 1) * per_rank)
        axis = "·" * place + "●" + "·" * (length - 1 - place)
        bars = "".join(" ┃" if name in group else "  " for group in result.groups)
        lines.append(f"{name:<{named}} {result.ranks[name]:5.2f}  {axis} {bars}".rstrip())
    return "\n".join([ruler, margin + "".join(scale).rstrip(), *lines])
