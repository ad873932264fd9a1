"""What lies in a data set's folder, machine type by machine type, and the table of clips that it becomes."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from asdbench.core.errors import DataError, UsageError, did_you_mean
from asdbench.datasets.clips import Clip, Dataset
from asdbench.datasets.contents import ContentDigests
from asdbench.datasets.layout import (
    SPLIT_FOLDERS,
    MachineFiles,
    MachineFolders,
    list_machine,
    machine_folders,
)
from asdbench.datasets.names import EXAMPLES, printable, require_printable

if TYPE_CHECKING:
    from asdbench.registry.challenge_card import ChallengeCard, ChallengeSplit

LAYOUT_HELP = (
    "Expected: FOLDER/<machine>/train and FOLDER/<machine>/test with .wav or .flac files named like "
    f"{EXAMPLES['dcase2023']} or {EXAMPLES['dcase2020']}."
)


@dataclass(frozen=True)
class Inventory:
    """Recordings that are there, whatever is wrong with them or missing.

    Attributes:
        name: of the data set, with the split of a challenge's ("dcase2023-dev").
        root: folder that holds it.
        machines: what lies there of each machine type.
        wanted: machine types that should be there, of those asked for.
        card: of the challenge; None for a folder.
        split: "dev" or "eval" of a challenge.
    """

    name: str
    root: Path
    machines: dict[str, MachineFiles]
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
        return [machine for machine in self.wanted if machine not in self.machines]

    @property
    def recordings(self) -> list[Clip]:
        """All recordings, by machine type, folder and name."""
        return [one for files in self.machines.values() for one in files.recordings]

    @property
    def layouts(self) -> dict[str, int]:
        """Recordings of each layout; one ``source_test`` folder makes the data set one of 2021."""
        counts = sum((files.layouts for files in self.machines.values()), Counter[tuple[str, str]]())
        # The names of 2021's training clips are those of later years.
        of_2021 = any(layout == "dcase2021" for layout, _ in counts) and ("dcase2023", "test") not in counts
        layouts: Counter[str] = Counter()
        for (layout, _), number in counts.items():
            layouts["dcase2021" if of_2021 and layout == "dcase2023" else layout] += number
        return layouts

    def sections(self) -> Iterator[tuple[str, str, list[Clip]]]:
        """Machine type, section and the recordings of it, of every section that is there or should be."""
        for machine in self.wanted:
            here = self.machines[machine].recordings if machine in self.machines else []
            numbers = set(self.expected.sections_of(machine) if self.expected else ())
            for section in sorted(numbers | {one.section for one in here}):
                yield machine, section, [one for one in here if one.section == section]

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

    def to_dataset(self, digests: ContentDigests | None = None) -> Dataset:
        """The table of all clips; its protocol is the layout's where no card states one.

        Raises:
            DataError: there are problems, or two layouts, or a file cannot be read. All problems of a kind are listed.
        """
        files = self.machines.values()
        problems = [line for one in files for line in one.problems] + [line for one in files for line in one.empty]
        if problems:
            raise DataError(f"{self.root} cannot be used as a data set:", problems, LAYOUT_HELP)
        recordings = self.recordings
        if len(self.layouts) > 1:
            what = " and ".join(f"{number} clips of {layout}" for layout, number in sorted(self.layouts.items()))
            advice = "Keep the years in folders of their own."
            raise DataError(f"{self.root} mixes two layouts: {what}.", advice=advice)
        (layout,) = self.layouts
        try:
            keys = (digests or ContentDigests(None)).of([one.path for one in recordings])
        except OSError as error:
            raise self._unreadable(error) from error
        clips = [replace(one, key=key) for one, key in zip(recordings, keys, strict=True)]
        clips.sort(key=lambda clip: (clip.machine, clip.split, clip.name))
        return Dataset(
            name=self.name,
            layout=layout,
            protocol=self.card.protocol if self.card else layout,
            clips=tuple(clip for clip in clips if clip.split != "supplemental"),
            supplemental=tuple(clip for clip in clips if clip.split == "supplemental"),
        )

    def _unreadable(self, first: OSError) -> DataError:
        """The error that names every recording of which no byte can be read."""
        problems = {str(first.filename): first.strerror}
        for one in self.recordings:
            try:
                one.path.open("rb").close()
            except OSError as error:
                problems[str(one.path)] = error.strerror
        return DataError(
            f"{len(problems)} recording(s) of {self.name} cannot be read:",
            [f"{path}: {reason}" for path, reason in problems.items()],
            "Give yourself the right to read them (chmod u+r), copy them again, or remove them.",
        )


def read_folder(
    root: Path, name: str | None = None, digests: ContentDigests | None = None, machines: Sequence[str] = ()
) -> Dataset:
    """One table of all clips below ``root``.

    Args:
        root: the folder that holds one folder for each machine type, itself or further down.
        name: what the data set is called in records; the folder's name when not given.
        digests: digests of recordings known from before.
        machines: only these machine types; the others are not looked at. Empty is all.

    Raises:
        UsageError: there is no machine type of a name in ``machines``.
        DataError: no machine, a machine without training or test clips, names that fit no layout, files that are
            no recordings, training clips labelled anomalous. All problems of one kind are listed.
    """
    return inventory_of_folder(root, name, machines).to_dataset(digests)


def inventory_of_folder(root: Path, name: str | None = None, machines: Sequence[str] = ()) -> Inventory:
    """What lies in a folder that is one data set.

    Raises:
        UsageError: there is no machine type of a name in ``machines``.
        DataError: there is no such folder, or no machine type in it, or a name that cannot be printed.
    """
    root = root.resolve()
    name = name or root.name
    folders = folders_below(root)
    for machine in machines:
        if machine not in folders:
            accepted = ", ".join(map(printable, folders))
            raise UsageError(
                f"{name} has no machine '{machine}'.{did_you_mean(machine, folders)} Accepted: {accepted}."
            )
    picked = {machine: places for machine, places in sorted(folders.items()) if not machines or machine in machines}
    require_printable(place for places in picked.values() for place in places)
    return Inventory(name, root, {one: list_machine(one, places) for one, places in picked.items()}, tuple(picked))


def folders_below(root: Path) -> MachineFolders:
    """The machine types of a folder that is one data set.

    Raises:
        DataError: there is no such folder, no machine type in it, or it is a machine's own.
    """
    require_printable([root])
    if not root.is_dir():
        raise DataError(f"There is no folder {root}.", advice=LAYOUT_HELP)
    if any((root / name).is_dir() for name in SPLIT_FOLDERS):
        raise DataError(
            f"{root} is the folder of one machine.",
            advice=f"Give the folder above it: --dataset {root.parent} --machine {root.name}",
        )
    folders = machine_folders(root)
    if not folders:
        raise DataError(f"{root} holds no machine.", advice=LAYOUT_HELP)
    return folders
