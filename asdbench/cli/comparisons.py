"""What ``asdbench compare`` prints."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from asdbench.cli.console import Console, table_console
from asdbench.cli.rank_diagram import rank_diagram
from asdbench.harness.learned import learned, learning_as_json

if TYPE_CHECKING:
    from asdbench.harness.learned import Learned
    from asdbench.leaderboard.comparison import Comparison, Scored
    from asdbench.leaderboard.run_groups import RunGroup
    from asdbench.protocols import Difference
    from asdbench.protocols.average_ranks import AverageRanks

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
HARD = "\N{NO-BREAK SPACE}"  # keeps its place at the end of a cell
CELL = 8  # columns of a difference and the space before it


def pair_as_json(
    comparisons: "Sequence[Comparison]", max_drop: float | None, incomplete: Sequence[str]
) -> dict[str, Any]:
    """A less B on every data set, and what B lacks; of a single data set its parts stand at the top as well."""
    a, b = comparisons[0].scored
    datasets: dict[str, Any] = {}
    for one in comparisons:
        total = one.difference(a, b)
        datasets[one.dataset] = {
            "protocol": one.protocol,
            "a": _scored_as_json(one.scored[a]),
            "b": _scored_as_json(one.scored[b]),
            "official_score": _difference_as_json(total),
            "machines": {name: _difference_as_json(one.difference(a, b, name)) for name in one.scored[a].machines},
            "dropped": dropped(total, max_drop),
        }
    single = next(iter(datasets.values())) if len(datasets) == 1 else {}
    return {
        "a": a,
        "b": b,
        "dropped": any(own["dropped"] for own in datasets.values()),
        "incomplete": list(incomplete),
        **{key: single[key] for key in ("protocol", "official_score", "machines") if single},
        "datasets": datasets,
    }


def contest_as_json(comparisons: "Sequence[Comparison]", ranks: "AverageRanks") -> dict[str, Any]:
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
            "differences": [{"a": a, "b": b, **_difference_as_json(one.difference(a, b))} for a, b in pairs],
        }
    refined = ranks.iman_davenport
    return {
        "datasets": datasets,
        "average_ranks": {
            "ranks": dict(ranks.ranks),
            "blocks": [list(block) for block in ranks.blocks],
            "alpha": ranks.alpha,
            "friedman": ranks.friedman,
            "friedman_p": ranks.friedman_p,
            "iman_davenport": None if refined is None or math.isinf(refined) else refined,
            "iman_davenport_p": ranks.iman_davenport_p,
            "critical_difference": ranks.critical_difference,
            "groups": [list(group) for group in ranks.groups],
            "caution": ranks.caution,
        },
    }


def dropped(total: "Difference", max_drop: float | None) -> bool:
    """Whether B is worse than A by more points than are allowed."""
    return max_drop is not None and 100 * total.difference > max_drop


def print_pair(groups: "Sequence[RunGroup]", comparisons: "Sequence[Comparison]", max_drop: float | None) -> None:
    """Who A and B are, and a table for each data set."""
    console = table_console()
    for letter, group in zip("AB", groups, strict=True):
        folder = next(iter(group.runs.values()))[0].folder
        where = str(folder) if group.single else f"{folder.parent}/"
        console.print(Text.assemble((f"{letter}  ", "bold"), group.system, (f"   {where}", "dim")), soft_wrap=True)
    for one in comparisons:
        first, second = one.scored
        a, b = one.scored[first], one.scored[second]
        console.print()
        _title(console, f"{one.dataset}: A less B, points of the official score of {one.protocol}")
        table = _table()
        for column in ("machine", "A", "B", "difference", "95 % interval", "A is better"):
            table.add_column(column, justify="left" if column == "machine" else "right")
        for machine in (*a.machines, None):
            _add_difference(table, one, machine)
        console.print(table)
        _tell_learned(console, {"A": a, "B": b})
        _say(console, _spread({"A": a, "B": b}))
        if dropped(one.difference(first, second), max_drop):
            points = f"{max_drop:g} point{'' if max_drop == 1 else 's'}"
            said = f"On {one.dataset} B is lower than A by more than {points}."
            console.print(Text(said, "bold red"), soft_wrap=True)


def _add_difference(table: Table, one: "Comparison", machine: str | None) -> None:
    a, b = one.scored
    own = one.difference(a, b, machine)
    low, high = own.ci95
    points = [side.score if machine is None else side.machines[machine] for side in one.scored.values()]
    colour = "green" if low > 0 else "red" if high < 0 else ""
    table.add_row(
        machine or "all",
        *(f"{100 * point:.2f}" for point in points),
        f"{100 * own.difference:+.2f}",
        f"{100 * low:+.2f}, {100 * high:+.2f}",
        f"{100 * own.probability:.1f} %",
        style=f"bold {colour}" if machine is None else colour,
    )


def print_contest(comparisons: "Sequence[Comparison]", ranks: "AverageRanks") -> None:
    """A ranking and the matrix of differences for each data set, then average ranks and their diagram."""
    console = table_console()
    for one in comparisons:
        _print_ranking(console, one)
        console.print()
    _print_average_ranks(console, ranks, several=len(comparisons) > 1)


def _print_ranking(console: Console, one: "Comparison") -> None:
    order = one.ranks()
    lettered = len(order) <= len(LETTERS)
    _title(console, f"{one.dataset}, official score of {one.protocol} in percent")
    table = _table()
    for column in ("rank", *([""] if lettered else []), "system", "seeds", "score", "95 % interval"):
        table.add_column(column, justify="left" if column in ("", "system") else "right")
    for place, (label, rank) in enumerate(order.items()):
        own = one.scored[label]
        low, high = own.ci95
        letter = [LETTERS[place]] if lettered else []
        cells = (str(len(own.seeds)), f"{100 * own.score:.2f}", f"{100 * low:.1f}, {100 * high:.1f}")
        found = _learned(own)
        table.add_row(str(rank), *letter, f"{label} (did not learn)" if found and found.mark else label, *cells)
    console.print(table)
    _tell_learned(console, one.scored)
    _say(console, f"A rank is shared where no difference is significant (95 %). {_spread(one.scored)}")
    console.print()
    if not lettered or console.width < 2 + CELL * (len(order) - 1):
        _say(console, "All differences, with their intervals: --json (or a wider terminal)")
        return
    _title(console, "Row less column, points; * where the 95 % interval of the difference excludes 0")
    table = _table()
    table.padding = (0, 0, 0, 0)
    table.add_column("", width=2)
    for place in range(1, len(order)):
        table.add_column(f"{LETTERS[place]}{HARD}", justify="right", width=CELL)
    for place, first in enumerate(list(order)[:-1]):
        differences = [one.difference(first, second) for second in list(order)[place + 1 :]]
        row = [f"{100 * found.difference:+.2f}{'*' if found.significant else HARD}" for found in differences]
        table.add_row(LETTERS[place], *[""] * place, *row)
    console.print(table)


def _print_average_ranks(console: Console, ranks: "AverageRanks", several: bool) -> None:
    blocks = len(ranks.blocks)
    over = f"{blocks} machine type{'s' if blocks != 1 else ''}"
    over += f" of {len({dataset for dataset, _ in ranks.blocks})} data sets" if several else ""
    _title(console, f"Average ranks over {over}")
    console.print(Text(rank_diagram(ranks, console.width)), soft_wrap=True)
    refined = ""
    if ranks.iman_davenport_p is not None:
        refined = f"; Iman-Davenport p = {_p(ranks.iman_davenport_p)}"
    _say(
        console,
        f"All alike? Friedman chi-squared {ranks.friedman:.2f}, p = {_p(ranks.friedman_p)}{refined}.\n"
        f"Systems in one column ┃ are not apart (Nemenyi, alpha {ranks.alpha:g}).",
    )
    if ranks.caution:
        console.print(Text(ranks.caution, "yellow"), soft_wrap=True)


def _learned(own: "Scored") -> "Learned | None":
    return learned(*(run.record for run in own.runs))


def _tell_learned(console: Console, scored: "Mapping[str, Scored]") -> None:
    """What the training of each learned, where something is trained."""
    for label, own in scored.items():
        found = _learned(own)
        if found is not None:
            console.print(Text(f"{label}: {found.text}", "yellow" if found.mark else "dim"), soft_wrap=True)


def _spread(scored: "Mapping[str, Scored]") -> str:
    """What the intervals hold, and what they do not."""
    counts = {label: len(own.seeds) for label, own in scored.items()}
    single = [label for label, count in counts.items() if count == 1]
    if len(single) == len(counts):
        return "One seed each: intervals are of the choice of test clips, not of training."
    numbers = sorted(set(counts.values()))
    if not single:
        if len(numbers) == 1:
            return f"{numbers[0]} seeds each: intervals are of the choice of test clips and of seeds."
        of = ", ".join(f"{label} {count}" for label, count in counts.items())
        return f"Seeds: {of}. Intervals are of the choice of test clips and of seeds."
    has = f"{single[0]} has" if len(single) == 1 else f"{len(single)} have"
    return f"Intervals are of the choice of test clips and of seeds; {has} one seed, whose chance they do not hold."


def _p(value: float) -> str:
    return f"{value:.3f}" if value >= 0.0005 else f"{value:.0e}" if value > 0 else "0"


def _table() -> Table:
    return Table(box=None, padding=(0, 2, 0, 0), header_style="bold")


def _title(console: Console, text: str) -> None:
    console.print(Text(text, "italic"), soft_wrap=True)


def _say(console: Console, text: str) -> None:
    console.print(Text(text, "dim"), soft_wrap=True)


def _scored_as_json(own: "Scored") -> dict[str, Any]:
    return {
        "score": own.score,
        "ci95": list(own.ci95),
        **learning_as_json(_learned(own)),
        "machines": dict(own.machines),
        "seeds": own.seeds,
        "runs": [run.record.run_id for run in own.runs],
    }


def _difference_as_json(own: "Difference") -> dict[str, Any]:
    return {
        "difference": own.difference,
        "ci95": list(own.ci95),
        "probability_of_being_better": own.probability,
    }
