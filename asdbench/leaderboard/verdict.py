"""What pages recommend: a board's page first says what to start with, the index what to use for a new machine."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from asdbench.core.texts import first_of
from asdbench.leaderboard.chance import LEVEL
from asdbench.leaderboard.cost_picture import milliseconds_of_clip
from asdbench.leaderboard.rows import Row, official_scores
from asdbench.leaderboard.systems import System, fit_command_of
from asdbench.leaderboard.table import Table
from asdbench.leaderboard.text import count, percent, seconds, size_text, span, title_of
from asdbench.protocols.resampling import difference

NAMED = 3  # systems that a sentence lists
FEW = 200  # training clips of a machine type; boards with more are another size


def verdict(table: Table) -> str:
    """Up to three sentences made from the table; empty where no row has a score."""
    ranked = [row for row in table.of("measured", "submitted") if row.rank is not None]
    published = [row for row in table.of("published") if row.score.value is not None]
    chance = next(row for row in table.rows if row.kind == "chance")
    if not ranked:
        return _of_published(published, chance)
    best = ranked[0]
    alike = [row for row in ranked if not is_worse(table, row, best)]
    start = _start(alike, best, chance)
    again = start.startswith(f"Start with {best.label}")
    sentences = [start, _best(alike, best, chance, len(ranked), again=again), _doubts(ranked, chance)]
    if published and best.score.value is not None and published[0].score.value is not None:
        ahead = 100 * (published[0].score.value - best.score.value)
        if ahead > 0:
            sentences[1] += f"; {published[0].label} (published) has {ahead:.1f} points more"
    return " ".join(f"{sentence}." for sentence in sentences if sentence)


def _of_published(published: Sequence[Row], chance: Row) -> str:
    if not published:
        return ""
    best = published[0]
    return (
        f"Nothing was measured here or submitted. The best published result is {best.label} with "
        f"{percent(best.score.value)}, {_above(best, chance)}."
    )


def _start(alike: Sequence[Row], best: Row, chance: Row) -> str:
    """The cheapest system that is above chance and not significantly worse than the best."""
    above = [row for row in alike if is_above(row, chance)]
    timed = [row for row in above if row.total_s is not None]
    if not above:
        which = "the best is not"
        if len(alike) > 1:
            which = f"none of the {len(alike)} that are not significantly worse than the best is"
        return f"No system is recommended: {which} shown to be better than chance"
    if not timed:
        return ""
    cheapest = min(timed, key=lambda row: (row.total_s or 0.0, row.label))
    cost = f"{seconds(cheapest.total_s)} s to train and to score all clips"
    cost += f", {count(cheapest.parameters)} parameters" if cheapest.parameters else ", nothing to train"
    if len(alike) == 1:
        score = f"{percent(best.score.value)}, {span(best.interval)}"
        return f"Start with {best.label} ({score}): every other system is significantly worse ({cost})"
    reason = "the best, and" if cheapest is best else "it is"
    score = f"{percent(cheapest.score.value)}, {span(cheapest.interval)}"
    one = len(above) == 1
    which = "the only system that is" if one else f"the cheapest of the {len(above)} systems that are"
    which += " not significantly worse than the best"
    which += f" and {'is' if one else 'are'} shown to be better than chance" if len(above) < len(alike) else ""
    return f"Start with {cheapest.label} ({score}): {reason} {which} ({cost})"


def _best(alike: Sequence[Row], best: Row, chance: Row, ranked: int, *, again: bool) -> str:
    """The best, how far it is from chance, and what is not apart from it; ``again`` where it was just named."""
    text = f"The best is {best.label} with {percent(best.score.value)} ({span(best.interval)}), {_above(best, chance)}"
    if again:
        text = f"It is {_above(best, chance)}"
    others = [row.label for row in alike if row is not best]
    if not others:
        return text
    which = "all others" if len(alike) == ranked else f"{len(others)} other{'s' if len(others) > 1 else ''}"
    return f"{text}; these test clips cannot tell it from {which} ({first_of(others, NAMED)})"


def _doubts(ranked: Sequence[Row], chance: Row) -> str:
    """Systems that may be no better than chance, and those that did not learn."""
    level = chance.score.value
    low = [row for row in ranked if not is_above(row, chance)]
    texts = []
    if low:
        be = "is" if len(low) == 1 else "are"
        texts.append(f"{len(low)} of {len(ranked)} systems {be} not shown to be better than chance ({percent(level)})")
    else:
        texts.append(f"every system's interval lies above chance ({percent(level)})")
    trained = [row for row in ranked if row.learned is not None]
    failed = [row.label for row in trained if row.mark]
    if failed:
        texts.append(
            f"of {len(trained)} trained systems whose learning was measured {len(failed)} did not learn "
            f"({first_of(failed, NAMED)})"
        )
    elif trained:
        texts.append(f"all {len(trained)} trained systems whose learning was measured learned")
    text = "; ".join(texts)
    return text[0].upper() + text[1:]


def _above(row: Row, chance: Row) -> str:
    points = 100 * ((row.score.value or 0.0) - (chance.score.value or LEVEL))
    return f"{abs(points):.1f} points {'above' if points >= 0 else 'below'} chance"


def is_above(row: Row, chance: Row) -> bool:
    """Whether a row's whole interval lies above what random scores come to."""
    return row.interval is not None and row.interval[0] > (chance.score.value or LEVEL)


def is_worse(table: Table, row: Row, best: Row) -> bool:
    """Whether a ranked row's score is significantly lower than that of the best."""
    if row is best:
        return False
    assert row.system is not None
    assert best.system is not None
    one, two = (sum(scores) / len(scores) for scores in map(official_scores, (best.system, row.system)))
    resampled = table.resampled
    return difference(one - two, resampled[best.system.key], resampled[row.system.key]).significant


@dataclass(frozen=True)
class Advice:
    """What to use, for one size of data."""

    size: str  # which it is for
    label: str  # of the system; "no system" where none is above chance
    reason: str  # why, in sentences
    command: str  # that fits it to a folder of recordings; empty where there is none


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
    why = "not significantly worse than the best"
    if fewest:
        why = f"significantly worse than the best on {', '.join(worse[label])}, and no other system on fewer of them"
    among = (
        f"the cheapest of {len(alike)} of which that holds" if len(alike) > 1 else "the only one of which that holds"
    )
    of_clip = max(1.0, *(milliseconds_of_clip(row) or 0.0 for row in chosen))
    cost = [size_text(chosen[0]), f"at most {of_clip:,.0f} ms a clip on the CPU"]
    if any(row.trains for row in chosen):
        cost.insert(1, f"at most {max(row.train_s or 0.0 for row in chosen):.2g} s of training")
    if chosen[0].parameters and not any(row.trains for row in chosen):
        cost.append("a pretrained encoder, which cannot be exported to ONNX")
    reason = f"{'; '.join(scores)}: {why}; {among} ({', '.join(filter(None, cost))})."
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
