"""What a board's page says first: what to start with and why, the best, and what no score here can tell."""

from collections.abc import Sequence

from asdbench.leaderboard.chance import LEVEL
from asdbench.leaderboard.rows import Row, official_scores
from asdbench.leaderboard.table import Table
from asdbench.leaderboard.text import count, percent, seconds, span
from asdbench.protocols.resampling import difference

NAMED = 3  # systems that a sentence lists


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
    """The best, how far it is from chance, and what cannot be told from it; ``again`` where it was just named."""
    text = f"The best is {best.label} with {percent(best.score.value)} ({span(best.interval)}), {_above(best, chance)}"
    if again:
        text = f"It is {_above(best, chance)}"
    others = [row.label for row in alike if row is not best]
    if not others:
        return text
    named = ", ".join(others[:NAMED]) + (f" and {len(others) - NAMED} more" if len(others) > NAMED else "")
    which = "all others" if len(alike) == ranked else f"{len(others)} other{'s' if len(others) > 1 else ''}"
    return f"{text}; these test clips cannot tell it from {which} ({named})"


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
        named = ", ".join(failed[:NAMED]) + (f" and {len(failed) - NAMED} more" if len(failed) > NAMED else "")
        texts.append(
            f"of {len(trained)} trained systems whose learning was measured {len(failed)} did not learn ({named})"
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
