"""``asdbench transfer``: what the order of systems on one board is worth on another."""

from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from asdbench.cli.leaderboard import DEFAULT, BoardDir
from asdbench.cli.options import AsJson, Named, Quiet, Replicates, argument, option
from asdbench.cli.output import begin, echo, print_json
from asdbench.core.errors import UsageError

if TYPE_CHECKING:
    from asdbench.leaderboard.transfer import Loss, Transfer

FORMS = (".html", ".md")


def transfer(
    boards: Annotated[
        list[str],
        argument("BOARD BOARD...", "Boards, or tables of scores: FILE.csv, FILE.csv:COLUMN.", Named("boards", "files")),
    ],
    board_dir: BoardDir = DEFAULT,
    page: Annotated[Path | None, option("FILE.html|md", "Write the page with matrix and pictures there.")] = None,
    replicates: Replicates = 10_000,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Say whether the order of systems on one board is their order on another, by the systems that both have.

    Rank correlations (Spearman, Kendall) with 95 % intervals in which families of systems are resampled, since variants
    of one system move together; what choosing by one board costs on the other; pairs that are significantly apart, and
    in the same order. Published rows count too, and are known by the card that runs the same system.

    A table has a column of names and columns of scores; without :COLUMN those that begin with dev_ and eval_ count,
    else all.

    Example: asdbench transfer synthetic dcase2023-dev
    """
    from asdbench.core.files import require_writable, write_text
    from asdbench.leaderboard.transfer import require_transfers
    from asdbench.leaderboard.transfer_page import transfer_pages
    from asdbench.leaderboard.transfer_sides import named_sides

    if page is not None:
        if page.suffix.lower() not in FORMS:
            raise UsageError(f"--page {page}: the ending decides the form.\nAccepted: {', '.join(FORMS)}.")
        require_writable(page.parent, f"--page DIR/{page.name}")
    sides = named_sides(boards, board_dir, replicates, partial(begin, quiet=quiet))
    found = require_transfers(sides)
    if page is not None:
        markdown, html = transfer_pages(sides, found)
        write_text(page, html if page.suffix.lower() == ".html" else markdown)
        echo(f"written: {page}", err=as_json)
    if as_json:
        print_json({"boards": [side.name for side in sides], "transfers": [_as_json(one) for one in found]})
        return
    for one in found:
        _print(one)


def _print(one: "Transfer") -> None:
    from asdbench.leaderboard.transfer import correlation_text, loss_text

    echo(f"{one.first.title} and {one.second.title}: {len(one.systems)} systems of {one.families} families", bold=True)
    echo(f"  Spearman {correlation_text(one.spearman)}, Kendall {correlation_text(one.kendall)}: {one.verdict}")
    echo(f"  {loss_text(one.on_second, one.first, one.second)}")
    echo(f"  {loss_text(one.on_first, one.second, one.first)}")
    if one.agreement is not None:
        echo(f"  pairs significantly apart and in the same order: {one.agreement.same} of {one.agreement.pairs}")


def _as_json(one: "Transfer") -> dict[str, Any]:
    """Scores and losses in the boards' own units: fractions, and of a table what it has."""
    return {
        "first": one.first.name,
        "second": one.second.name,
        "systems": [
            {"system": name, "family": family, "scores": list(one.scores[name])} for name, family in one.systems.items()
        ],
        "families": one.families,
        "spearman": asdict(one.spearman),
        "kendall": asdict(one.kendall),
        "chosen_by_first": _loss(one.on_second),
        "chosen_by_second": _loss(one.on_first),
        "pairs": None if one.agreement is None else {"same": one.agreement.same, "of": one.agreement.pairs},
        "verdict": one.verdict,
    }


def _loss(one: "Loss") -> dict[str, Any]:
    return {"winner": one.winner, "best": one.best, "lost": one.lost, "lost_at_random": one.at_random}
