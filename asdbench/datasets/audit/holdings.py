"""What lies in a data set's folder, machine type by machine type, and what its card says should."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from asdbench.core.errors import DataError
from asdbench.datasets.challenge import challenge_inventory, require_split
from asdbench.datasets.clips import Dataset
from asdbench.datasets.contents import ContentDigests
from asdbench.datasets.folder import folders_below, make_table, pick
from asdbench.datasets.inventory import Inventory, Recording, take_inventory

if TYPE_CHECKING:
    from asdbench.registry.challenge_card import ChallengeCard, ChallengeSplit


@dataclass(frozen=True)
class Holdings:
    """Recordings that are there, whatever is wrong with them or missing.

    Attributes:
        name: of the data set, with the split of a challenge's ("dcase2023-dev").
        root: folder that holds it.
        parts: what lies there of each machine type.
        wanted: machine types that should be there, of those asked for.
        card: of the challenge; None for a folder.
        split: "dev" or "eval" of a challenge.
    """

    name: str
    root: Path
    parts: dict[str, Inventory]
    wanted: tuple[str, ...]
    card: "ChallengeCard | None" = None
    split: str | None = None

    @property
    def expected(self) -> "ChallengeSplit | None":
        """What the card says of the split."""
        return None if self.card is None else self.card.splits[self.split]  # type: ignore[index]

    @property
    def missing(self) -> list[str]:
        """Machine types of which nothing is there."""
        return [machine for machine in self.wanted if machine not in self.parts]

    @property
    def recordings(self) -> list[Recording]:
        """All recordings, by machine type, folder and name."""
        return [one for part in self.parts.values() for one in part.recordings]

    def sections(self) -> Iterator[tuple[str, str, list[Recording]]]:
        """Machine type, section and the recordings of it, of every section that is there or should be."""
        for machine in self.wanted:
            here = self.parts[machine].recordings if machine in self.parts else []
            numbers = set(self.expected.sections_of(machine) if self.expected else ())
            for section in sorted(numbers | {one.facts.section for one in here}):
                yield machine, section, [one for one in here if one.facts.section == section]

    def relative(self, path: Path | str) -> str:
        """A path as it is below the root."""
        return str(path).removeprefix(f"{self.root}/")

    def download(self, machines: Iterable[str] = ()) -> str:
        """The command that gets some machine types, or all; empty for a folder."""
        if self.card is None:
            return ""
        named = "".join(f" --machine {machine}" for machine in machines)
        name = self.name.removesuffix(f"-{self.split}")
        return f"asdbench data download {name} --split {self.split}{named} --data-root {self.root}"


def holdings_of_folder(root: Path, name: str | None = None, machines: Sequence[str] = ()) -> Holdings:
    """What lies in a folder that is one data set.

    Raises:
        UsageError: there is no machine type of a name in ``machines``.
        DataError: there is no such folder, or no machine type in it.
    """
    root = root.resolve()
    folders = pick(folders_below(root), machines, name or root.name)
    parts = {machine: take_inventory({machine: places}) for machine, places in sorted(folders.items())}
    return Holdings(name or root.name, root, parts, tuple(parts))


def holdings_of_challenge(
    name: str, card: "ChallengeCard", split: str | None, root: Path, machines: Sequence[str] = ()
) -> Holdings:
    """What lies below a folder of a challenge's split.

    Raises:
        UsageError: the challenge has no such split or machine type.
        DataError: there is no such folder, nothing of the split in it, or a machine type in two places.
    """
    split = require_split(name, card, split, machines)
    own = card.splits[split]  # type: ignore[index]
    wanted = tuple(machine for machine in own.machines if not machines or machine in machines)
    folders = challenge_inventory(name, card, split, root, wanted)[1] if root.is_dir() else {}
    parts = {
        machine: take_inventory({machine: folders[machine]}, own.sections_of(machine))
        for machine in wanted
        if machine in folders
    }
    holdings = Holdings(f"{name}-{split}", root, parts, wanted, card, split)
    if not parts:
        why = f"no folder of {', '.join(wanted)}" if root.is_dir() else "there is no such folder"
        raise DataError(
            f"Nothing of {name} {split} lies below {root}: {why}.", advice=f"Get it: {holdings.download(machines)}"
        )
    return holdings


def whole(holdings: Holdings, digests: ContentDigests) -> Dataset:
    """The table of clips that a run would use.

    Raises:
        DataError: something is missing or cannot be used.
    """
    found = Inventory()
    for part in holdings.parts.values():
        found.recordings += part.recordings
        found.problems += part.problems
        found.empty += part.empty
    protocol = holdings.card.protocol if holdings.card else None
    return make_table(holdings.name, holdings.root, found, protocol, digests)
