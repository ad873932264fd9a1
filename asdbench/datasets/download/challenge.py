"""Download machine types of a challenge's split: plan, transfer, verify, unpack, remember."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from asdbench.core.errors import UsageError
from asdbench.core.progress import Progress
from asdbench.datasets.arrangements import challenge_folders
from asdbench.datasets.download.ledger import read_ledger
from asdbench.datasets.download.places import Held, Places, Wanted
from asdbench.datasets.download.space import clear_write_errors
from asdbench.datasets.download.work import Work

if TYPE_CHECKING:
    from asdbench.registry.challenge_card import ChallengeCard


def download_challenge(
    name: str,
    card: "ChallengeCard",
    split: str,
    root: Path,
    progress: Progress,
    machines: Sequence[str] = (),
    keep_zips: bool = False,
    accept_new: bool = False,
) -> list[Held]:
    """Bring a split's recordings to ``<root>/<name>/<split>_data/raw/<machine>``; what is there already stays.

    What was done is remembered after each zip, so that the same call goes on after an interruption. Two of them on
    the same folder take turns.

    Args:
        name: of the card.
        card: addresses, and checksums where they were published.
        split: "dev" or "eval".
        root: the data root.
        progress: told what is done.
        machines: all of the split when empty.
        keep_zips: leave the zips in ``<root>/<name>/zips``.
        accept_new: take zips whose checksum differs from what was recorded or published.

    Raises:
        UsageError: a machine type lies elsewhere below the root, or it cannot be written to.
        RequirementError: a zip cannot be had.
        DataError: a zip is not the one expected, or damaged, or holds what it must not.
        DiskFullError: there is not room enough.
    """
    own = card.splits[split]  # type: ignore[index]
    places = Places(root, name, split)
    wanted = places.wanted(own, list(dict.fromkeys(machines or own.machines)))
    with clear_write_errors(places.home), places.locked(progress):
        _refuse_second_copies(wanted, places, card.year)
        work = Work(places, keep_zips, accept_new, progress, read_ledger(places.ledger))
        sizes = work.plan([one for one in wanted if not work.is_held(one)])
        return [work.present(one) if one.url not in sizes else work.bring(one, sizes[one.url]) for one in wanted]


def _refuse_second_copies(wanted: Sequence[Wanted], places: Places, year: int) -> None:
    """Reading would not know which of two places is meant, when both are below a folder of the year's name."""
    found = challenge_folders(places.root, year, places.split, {one.machine for one in wanted}, places.name)
    for machine, folders in found.items():
        for folder in folders:
            parts = folder.relative_to(places.root).parts
            if folder != places.folder(machine) and any(re.match(rf"dcase[-_ ]?{year}", part, re.I) for part in parts):
                raise UsageError(
                    f"{machine} lies in {folder} already; a second copy in {places.folder(machine)} would be "
                    "ambiguous.\nUse it as it is, move it away, or give another place with --data-root DIR."
                )
