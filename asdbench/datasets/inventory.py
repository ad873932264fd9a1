"""What lies in a data set's folder, machine type by machine type, and the table of clips that it becomes."""

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from asdbench.core.errors import DataError, UsageError, did_you_mean
from asdbench.datasets import clip_table
from asdbench.datasets.clips import OWN, Clip, Dataset
from asdbench.datasets.contents import ContentDigests
from asdbench.datasets.layout import ENDINGS, SPLIT_FOLDERS, MachineFiles, list_machine, machine_folders
from asdbench.datasets.names import EXAMPLES, attribute_files, printable, require_printable
from asdbench.datasets.own_folder import BY_TABLE, OTHER_AUDIO, OWN_HELP, left_aside, list_own_machine, own_machines

if TYPE_CHECKING:
    from asdbench.registry.challenge_card import ChallengeCard, ChallengeSplit

LAYOUT_HELP = (
    "Expected, as some names here are those of the challenge: <machine>/train and <machine>/test with .wav or .flac "
    f"files named like {EXAMPLES['dcase2023']} or {EXAMPLES['dcase2020']};\n{BY_TABLE}"
)
SHOWN = 3  # names of what is left aside, in a line


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
        ignored: what lies there and is not used, a line each, besides what ``machines`` name.
    """

    name: str
    root: Path
    machines: dict[str, MachineFiles]
    wanted: tuple[str, ...]
    card: "ChallengeCard | None" = None
    split: str | None = None
    ignored: tuple[str, ...] = ()

    @property
    def challenge(self) -> str:
        """Name of the challenge's data, without the split."""
        return self.name.removesuffix(f"-{self.split}")

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
            numbers = self.expected.sections_of(machine) if self.expected else ()
            by_section: dict[str, list[Clip]] = {section: [] for section in numbers}
            for one in self.machines[machine].recordings if machine in self.machines else ():
                by_section.setdefault(one.section, []).append(one)
            for section, here in sorted(by_section.items()):
                yield machine, section, here

    @property
    def left_aside(self) -> list[str]:
        """What lies there and is not used, a line each; of a challenge's data that is an error instead."""
        return [*self.ignored, *(line for files in self.machines.values() for line in files.ignored)]

    def relative(self, path: Path | str) -> str:
        """A path as it is below the root."""
        return str(path).removeprefix(f"{self.root}/")

    def download(self, machines: Iterable[str] = ()) -> str:
        """The command that gets some machine types, or all; empty for a folder."""
        if self.card is None:
            return ""
        named = "".join(f" --machine {machine}" for machine in machines)
        return f"asdbench data download {self.challenge} --split {self.split}{named} --data-root {self.root}"

    def to_dataset(self, digests: ContentDigests | None = None) -> Dataset:
        """The table of all clips; where no card states one, its protocol is what layout and domains call for.

        Raises:
            DataError: there are problems, or two layouts, or a file cannot be read. All problems of a kind are listed.
        """
        files = self.machines.values()
        problems = [line for one in files for line in one.problems]
        # A challenge's split has test clips; a folder needs none until something is scored.
        problems += [line for one in files for split, line in one.empty.items() if split == "train" or self.card]
        recordings = self.recordings
        if problems or not recordings:
            advice = LAYOUT_HELP if set(self.layouts) - {OWN} else OWN_HELP
            raise DataError(f"{self.root} cannot be used as a data set:", problems or ["no recordings"], advice)
        if len(self.layouts) > 1:
            what = " and ".join(f"{number} clips of {layout}" for layout, number in sorted(self.layouts.items()))
            advice = "Keep the years in folders of their own."
            raise DataError(f"{self.root} mixes two layouts: {what}.", advice=advice)
        (layout,) = self.layouts
        try:
            keys = (digests or ContentDigests(None)).of([one.path for one in recordings])
        except OSError as error:
            raise self._unreadable(error) from error
        clips = [one.but(key=key) for one, key in zip(recordings, keys, strict=True)]
        clips.sort(key=lambda clip: (clip.machine, clip.split, clip.name))
        protocol, notes = (self.card.protocol, []) if self.card else protocol_of(layout, clips)
        if aside := self.left_aside:
            shown = ", ".join(self.relative(line.partition(": ")[0]) for line in aside[:SHOWN])
            notes.append(f"left aside: {shown}{f' and {len(aside) - SHOWN} more' if len(aside) > SHOWN else ''}")
        return Dataset(
            name=self.name,
            layout=layout,
            protocol=protocol,
            notes=tuple(notes),
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


def protocol_of(layout: str, clips: Sequence[Clip]) -> tuple[str, list[str]]:
    """By which definition test clips are scored where no challenge says it, and why not that of two domains.

    AUC and pAUC of 2020 take no account of domains; the later scores need normal test clips of both in each section.
    """
    test = [clip for clip in clips if clip.split == "test"]
    domains = {clip.domain for clip in test}
    labelled = any(clip.label is not None for clip in test)
    if layout != OWN and not (layout == "dcase2023" and labelled and len(domains) == 1):
        return layout, []
    of_normals: dict[tuple[str, str], set[str | None]] = {}
    for clip in test:
        if clip.label != 1:
            of_normals.setdefault((clip.machine, clip.section), set()).add(clip.domain)
    if test and None not in domains and all(len(known) == 2 for known in of_normals.values()):
        return "dcase2023", []
    if not labelled:
        return "dcase2020", []
    if domains == {None}:
        why = "no domains of test clips are known"
    elif len(domains) == 1:
        why = f"all test clips are of the {next(iter(domains))} domain; with some of the other, AUC of each is given"
    else:
        why = "not every test clip has a domain, or not every section normal ones of both"
    return "dcase2020", [f"AUC and pAUC over all test clips, as DCASE 2020 defines them: {why}"]


def read_folder(
    root: Path, name: str | None = None, digests: ContentDigests | None = None, machines: Sequence[str] = ()
) -> Dataset:
    """One table of all clips in a folder, or of those that a table names.

    Args:
        root: the folder, or a table of clips (``.csv``, ``.parquet``).
        name: what the data set is called in records; the folder's name when not given.
        digests: digests of recordings known from before.
        machines: only these machine types; the others are not looked at. Empty is all.

    Raises:
        UsageError: there is no machine type of a name in ``machines``.
        DataError: no recordings, a machine without training clips, names of the challenge that fit no layout, training
            clips labelled anomalous, rows of a table that are not understood. All problems of one kind are listed.
    """
    return inventory_of(root, name, machines).to_dataset(digests)


def inventory_of(root: Path, name: str | None = None, machines: Sequence[str] = ()) -> Inventory:
    """What lies in a folder that is one data set, or what a table names.

    Names of the challenge come first: a folder with some of them must have no others. See ``own_folder`` for the rest.

    Raises:
        UsageError: there is no machine type of a name in ``machines``.
        DataError: there is no such folder or table, no recording in it, or a name that cannot be printed.
    """
    given = Path(os.path.abspath(root)).name  # noqa: PTH100  # of a link its own, not that of where it leads
    root = root.resolve()
    require_printable([root])
    if root.is_file():
        frame = clip_table.read_table(root)
        files, ignored = clip_table.list_table(frame, root.parent, name or root.stem, machines)
        return Inventory(name or root.stem, root.parent, files, tuple(files), ignored=tuple(ignored))
    name = name or root.name
    if not root.is_dir():
        raise DataError(f"There is no folder {root}.", advice=OWN_HELP)
    folders = machine_folders(root)
    own = {} if folders else own_machines(root, given)
    known = folders or own
    if not known:
        raise DataError(f"{root} holds no recordings of a machine.", _elsewhere(root), OWN_HELP)
    for machine in machines:
        if machine not in known:
            accepted = ", ".join(map(printable, known))
            raise UsageError(f"{name} has no machine '{machine}'.{did_you_mean(machine, known)} Accepted: {accepted}.")
    picked = [machine for machine in sorted(known) if not machines or machine in machines]
    if folders:
        require_printable(place for machine in picked for place in folders[machine])
        files = {machine: list_machine(machine, folders[machine]) for machine in picked}
        for machine, place in [(name, place) for name in picked for place in folders[name]]:
            with suppress(OSError):  # that it cannot be read is a problem of its own
                read = [*(place / split for split in SPLIT_FOLDERS), *attribute_files(place)]
                files[machine].ignored += left_aside(place, read)
        return Inventory(name, root, files, tuple(picked))
    require_printable(own[machine] for machine in picked)
    files = {machine: list_own_machine(machine, own[machine]) for machine in picked}
    aside = [] if root in own.values() else left_aside(root, own.values())
    return Inventory(name, root, files, tuple(picked), ignored=tuple(aside))


def _elsewhere(root: Path) -> list[str]:
    """A folder further down that does hold recordings, or such that are not read, as one line where there is one."""
    for folder, names, files in os.walk(root):
        names[:] = sorted(name for name in names if not name.startswith("."))
        if any(name.lower().endswith(ENDINGS) for name in files):
            return [f"recordings lie deeper, in {printable(folder)}: give the folder above that one, or a table"]
        if others := [name for name in files if name.lower().endswith(OTHER_AUDIO)]:
            return [f"{printable(str(Path(folder, others[0])))}: not read; convert it to WAV, with ffmpeg for instance"]
    return []
