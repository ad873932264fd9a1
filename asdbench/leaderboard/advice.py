"""What the index answers: what to use for a new machine without a GPU, by how many recordings there are of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from asdbench.leaderboard.cost_picture import milliseconds_of_clip
from asdbench.leaderboard.rows import Row
from asdbench.leaderboard.systems import System, fit_command_of
from asdbench.leaderboard.table import Table
from asdbench.leaderboard.text import percent, size_text, title_of
from asdbench.leaderboard.verdict import is_above, is_worse

FEW = 200  # training clips of a machine type; boards with no more are told apart from larger ones


@dataclass(frozen=True)
class Advice:
    """What to use, for one size of data.

    Attributes:
        size: which it is for.
        label: of the system; "no system" where none is above chance.
        reason: why, in sentences.
        command: that fits it to a folder of recordings; empty where there is none.
    """

    size: str
    label: str
    reason: str
    command: str


def advice_of(tables: Mapping[str, Table]) -> list[Advice]:
    """The cheapest system that is significantly worse than the best on as few boards as can be.

    Systems count that were measured on the CPU on every board of the size and are above chance on each; cost is
    seconds of training and scoring.
    """
    measured = [table for table in tables.values() if _on_cpu(table) and not table.partial]
    sizes = {
        f"up to {FEW} training clips a machine type": [one for one in measured if _clips(one) <= FEW],
        f"more than {FEW} training clips a machine type": [one for one in measured if _clips(one) > FEW],
    }
    found = (_advice(size, of_size) for size, of_size in sizes.items() if of_size)
    return [one for one in found if one is not None]


def _advice(size: str, tables: Sequence[Table]) -> Advice | None:
    best = [next(row for row in table.rows if row.rank is not None) for table in tables]
    rows = [{system.label: row for row in _on_cpu(table) for system in _systems(row)} for table in tables]
    everywhere = [label for label in rows[0] if all(label in of_table for of_table in rows)]
    worse: dict[str, list[str]] = {}  # on which boards, by the label of a system that all have
    for label in everywhere:
        triples = [(table, of_table[label], top) for table, of_table, top in zip(tables, rows, best, strict=True)]
        if all(is_above(row, table.of("chance")[0]) for table, row, _ in triples):
            worse[label] = [title_of(table.board) for table, row, top in triples if is_worse(table, row, top)]
    if not worse:
        where = ", ".join(title_of(table.board) for table in tables)
        none = f"Of {len(everywhere)} measured on the CPU none is shown to be better than chance on each of: {where}."
        return Advice(size, "no system", none, "") if everywhere else None
    fewest = min(map(len, worse.values()))
    alike = [label for label, boards in worse.items() if len(boards) == fewest]
    label = min(alike, key=lambda one: (sum(of_table[one].total_s or 0.0 for of_table in rows), one))
    chosen = [of_table[label] for of_table in rows]
    scores = [
        f"{percent(row.score.value)} on {title_of(table.board)} (the best: {percent(top.score.value)})"
        for row, table, top in zip(chosen, tables, best, strict=True)
    ]
    told = f"significantly worse than the best on {', '.join(worse[label])}, and no other system on fewer of them"
    told = told if fewest else "not significantly worse than the best"
    among = (
        f"the cheapest of {len(alike)} of which that holds" if len(alike) > 1 else "the only one of which that holds"
    )
    of_clip = max(1.0, *(milliseconds_of_clip(row) or 0.0 for row in chosen))
    cost = [size_text(chosen[0]), f"at most {of_clip:,.0f} ms a clip on the CPU"]
    if any(row.trains for row in chosen):
        cost.insert(1, f"at most {max(row.train_s or 0.0 for row in chosen):.2g} s of training")
    if chosen[0].parameters and not any(row.trains for row in chosen):
        cost.append("a pretrained encoder, which cannot be exported to ONNX")
    reason = f"{'; '.join(scores)}: {told}; {among} ({', '.join(filter(None, cost))})."
    system = next(one for one in _systems(chosen[0]) if one.label == label)
    return Advice(size, label, reason, fit_command_of(system))


def _clips(table: Table) -> int:
    """Training clips of the machine type that has most, of whichever row was measured first."""
    clips = [row.system.records[0].dataset.train_clips for row in table.of("measured") if row.system]
    return max((max(of_row.values(), default=0) for of_row in clips), default=0)


def _on_cpu(table: Table) -> list[Row]:
    rows = [row for row in table.of("measured") if row.rank is not None and row.total_s is not None and row.system]
    return [row for row in rows if row.system and row.system.records[0].environment.device == "cpu"]


def _systems(row: Row) -> list[System]:
    return [row.system, *row.same] if row.system else []
