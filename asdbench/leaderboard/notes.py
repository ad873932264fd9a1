"""What a board says about itself in sentences, on every kind of page."""

from asdbench.leaderboard.chance import DRAWINGS
from asdbench.leaderboard.rows import Table
from asdbench.leaderboard.words import formula_of, percent, span, test_clips

_OVER_SEEDS = "The mean over seeds where there are several."
_INTERVAL = (
    "2.5 and 97.5 percentiles over {replicates} resampled test sets, stratified by section, domain and label. "
    "Where a system has several seeds, these are resampled too, so the interval holds both what the choice of "
    "test clips and what the choice of seeds leaves open."
)
_RANK = (
    "From the best downwards a system shares the rank of those above it, unless one of them is significantly "
    "better on the same resampled test sets (paired bootstrap: the 95 % interval of the difference excludes 0); "
    "then it opens the next rank. So no two of one rank are significantly apart, and a lower rank says: worse "
    "than at least one system of the rank above."
)
_LEARNED = (
    "How well the trained network does its own task, in percent, the mean over networks and seeds; in brackets what it "
    "has to exceed: guessing, or the same network untrained, whichever is better; then in how many seeds every network "
    'exceeded both. Where one did not, the row says "did not learn", and its score says little of the method. Named '
    "for each system under Training; – where nothing is trained, or nothing was measured."
)
_SEEDS = "How often the system was trained and scored with another seed, and how far the scores spread."
_MEANS = (
    "AUC and pAUC (false-positive rates up to 0.1, McClish) over all sections, by the same mean as the score's. "
    "Machine columns hold the score's formula over that type alone."
)
_COST = (
    "Trained numbers of the largest network (0 where nothing is trained); seconds of training, and of embedding "
    "and scoring all clips, mean over seeds, on the machine that measured."
)
_PUBLISHED = (
    "Numbers of others, with their source. They carry no interval and no rank, because their scores are not at "
    "hand; they stand where their score belongs. A total with * is computed from the published parts; – beside a "
    "total: its parts were not published."
)
_PARTIAL = "Data that lack something of the challenge's; such rows are not ranked with whole ones."
_MISSING = "A row in which a machine type is missing gets no total and no rank; the reasons are listed."


def summary(table: Table) -> str:
    """What stands on the board."""
    board = table.board
    measured, published = len(table.of("measured")), len(table.of("published"))
    parts = [f"{measured} measured here"] if measured else []
    parts += [f"{published} published"] if published else []
    one = "s" if measured + published != 1 else ""
    clips = f", {test_clips(board):,} test clips" if test_clips(board) else ""
    machines = f"{len(board.machines)} machine type{'s' if len(board.machines) != 1 else ''}"
    return f"{measured + published} system{one} ({', '.join(parts)}) on {machines}{clips}."


def partial_note(table: Table) -> str:
    """A warning where no measured row is of whole data."""
    if not table.partial:
        return ""
    return (
        f"Every measured row is of PARTIAL data ({'; '.join(table.partial)}), so the scores are partial ones, not "
        "official, and not to be put beside others."
    )


def column_notes(table: Table) -> list[tuple[str, str]]:
    """Columns and what they hold, as far as the board has them."""
    protocol = table.board.protocol
    score = f"The official score of {protocol} in percent: {formula_of(protocol)}."
    if table.of("measured"):
        score += f" {_OVER_SEEDS}"
    notes = [("Score", score)]
    if table.of("measured"):
        notes += [
            ("Learned", _LEARNED),
            ("95 % interval", _INTERVAL.format(replicates=f"{table.replicates:,}")),
            ("Rank", _RANK),
            ("Seeds, mean ± SD", _SEEDS),
        ]
    notes.append(("Means", _MEANS))
    if table.of("measured"):
        notes.append(("Cost", _COST))
    notes.append(("Chance", chance_note(table)))
    if table.of("published"):
        notes.append(("Published", _PUBLISHED))
    if any(row.partial for row in table.rows):
        notes.append(("Partial", _PARTIAL))
    if any(cell.value is None for row in table.rows if not row.total_alone for cell in row.machines.values()):
        notes.append(("Missing", _MISSING))
    return notes


def chance_note(table: Table) -> str:
    """Where the row of chance is from."""
    if table.chance is None:
        return "50.00 by definition: no test clips are known here on which random scores could be drawn."
    return (
        f"Random scores on these very test clips, {DRAWINGS:,} drawings: mean {percent(table.chance.total)}, and "
        f"{span(table.chance.range95)} holds 95 % of single drawings. It is what a score has to exceed."
    )
