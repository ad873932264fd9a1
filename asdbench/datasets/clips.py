"""The table of clips, and the two views of it that extractors and scorers are given.

A view holds what its reader may know and nothing else. A clip is named in it by ``key``, a digest of the
recording's bytes, because the file's name states label and domain; views are ordered by key, because the order of
the files reveals them as well. Where several clips of a table have the same bytes, their keys carry a number behind
the digest: each is a clip of its own, with a row of its own.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from asdbench.core.digests import digest
from asdbench.core.errors import UsageError, did_you_mean

if TYPE_CHECKING:
    import pandas

Domain = Literal["source", "target"]
Split = Literal["train", "test", "supplemental"]

OWN = "own"  # layout of recordings of any names: neither section, domain nor label stands in them
COPY = "#"  # between the digest and the number of a copy


def content_of(key: str) -> str:
    """The digest of the recording's bytes in a clip's key: copies share it."""
    return key.partition(COPY)[0]


@dataclass(frozen=True, slots=True)
class Clip:
    """One recording: where it is and all that its file name, and the attribute file beside it, say.

    Attributes:
        key: digest of the recording's bytes, and a number where several have the same; empty until they were read.
        attributes_from_file: whether ``attributes`` stand in the attribute file, not in the name.
        name: by which score files name the clip; the file's name unless given, which may say folders before it.
    """

    path: Path
    machine: str
    section: str
    domain: Domain | None
    split: Split
    label: int | None
    attributes: tuple[tuple[str, str], ...]
    key: str = ""
    attributes_from_file: bool = False
    name: str = ""

    def __post_init__(self) -> None:
        if not self.name:
            object.__setattr__(self, "name", self.path.name)

    @property
    def stem(self) -> str:
        """The name without its ending."""
        return self.name.rpartition(".")[0]

    @property
    def content(self) -> str:
        """Digest of the recording's bytes."""
        return content_of(self.key)

    def but(self, *, key: str | None = None, name: str | None = None) -> "Clip":
        """The same with another key or name, in a third of the time of ``dataclasses.replace``."""
        return Clip(
            self.path,
            self.machine,
            self.section,
            self.domain,
            self.split,
            self.label,
            self.attributes,
            self.key if key is None else key,
            self.attributes_from_file,
            self.name if name is None else name,
        )


@dataclass(frozen=True, slots=True)
class TrainingClip:
    """What may be known of a training clip. All of them are normal."""

    key: str
    machine: str
    section: str
    domain: Domain | None
    attributes: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class BlindClip:
    """What may be known of a clip that is to be embedded: no label, domain, attribute or file name."""

    key: str
    machine: str
    section: str


@dataclass(frozen=True)
class Source:
    """How a data set was asked for.

    Attributes:
        name: the card's name, or the folder.
        split: of a challenge's data.
        machines: machine types picked; empty is all.
        params: given by hand to the card that makes the recordings.
    """

    name: str
    split: str | None = None
    machines: tuple[str, ...] = ()
    params: tuple[tuple[str, Any], ...] = ()


@dataclass(frozen=True, repr=False)
class Dataset:
    """Clips of one data set, sorted by machine, split and file name.

    Attributes:
        name: of the data set, with the split of a challenge's ("dcase2023-dev").
        layout: year whose file names and folders it has ("dcase2023" stands for 2022 to 2026), or ``OWN``.
        protocol: whose official score its test clips call for.
        clips: training and test clips.
        supplemental: clips of a clean machine or of noise alone (2025 on); neither trained on nor tested by themselves.
        lacks: how the table differs from the challenge's split whose name it has, a line each.
        source: how it was opened, so that it can be opened again.
        notes: what a reader of the results should know of the recordings, a line each.
    """

    name: str
    layout: str
    protocol: str
    clips: tuple[Clip, ...]
    supplemental: tuple[Clip, ...] = ()
    lacks: tuple[str, ...] = ()
    source: Source | None = None
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "clips", _with_unique_keys(self.clips))

    def __repr__(self) -> str:
        machines = ", ".join(self.machines[:5]) + ", ..." * (len(self.machines) > 5)
        return f"<Dataset {self.name}: {len(self)} clips of {machines or 'nothing'}, protocol {self.protocol}>"

    def __len__(self) -> int:
        return len(self.clips)

    def __iter__(self) -> Iterator[Clip]:
        return iter(self.clips)

    @cached_property
    def labelled(self) -> bool:
        """Whether test clips carry labels."""
        return any(clip.label is not None for clip in self.clips if clip.split == "test")

    @property
    def machines(self) -> list[str]:
        """Machine types, sorted."""
        return sorted(self._by_machine[0])

    def select(
        self, *, machines: Iterable[str] | None = None, split: Split | None = None, section: str | None = None
    ) -> "Dataset":
        """The clips that fit, in the same order."""
        clips, supplemental = self.clips, self.supplemental
        if machines is not None:
            wanted = sorted(set(machines))  # as the clips are
            clips, supplemental = (
                tuple(clip for machine in wanted for clip in by_machine.get(machine, ()))
                for by_machine in self._by_machine
            )

        def fits(clip: Clip) -> bool:
            return split in (None, clip.split) and section in (None, clip.section)

        return replace(self, clips=tuple(filter(fits, clips)), supplemental=tuple(filter(fits, supplemental)))

    @cached_property
    def _by_machine(self) -> tuple[Mapping[str, list[Clip]], Mapping[str, list[Clip]]]:
        """Clips and supplemental clips of each machine type: hundreds of types are selected one after the other."""
        return _by_machine(self.clips), _by_machine(self.supplemental)

    @property
    def sections(self) -> list[tuple[str, str]]:
        """(machine, section) pairs, sorted."""
        return sorted({(clip.machine, clip.section) for clip in self.clips})

    def require_machines(self, machines: Iterable[str]) -> None:
        """Check names of machine types. Raises UsageError: there is none of that name."""
        known = self.machines
        for machine in machines:
            if machine not in known:
                hint = did_you_mean(str(machine), known)
                raise UsageError(f"{self.name} has no machine '{machine}'.{hint} Accepted: {', '.join(known)}.")

    def training_view(self) -> list[TrainingClip]:
        """The training clips for fitting, ordered by key."""
        return [
            TrainingClip(clip.key, clip.machine, clip.section, clip.domain, clip.attributes)
            for clip in sorted(self.clips, key=lambda clip: clip.key)
            if clip.split == "train"
        ]

    def blind_view(self) -> list[BlindClip]:
        """All clips for embedding, ordered by key."""
        clips = sorted(self.clips, key=lambda clip: clip.key)
        return [BlindClip(clip.key, clip.machine, clip.section) for clip in clips]

    def training(self, machine: str) -> list[TrainingClip]:
        """The training clips of a machine type, as a fit may see them. Raises UsageError: there is no such type."""
        self.require_machines([machine])
        return self.select(machines=[machine]).training_view()

    def blind(self, machine: str) -> list[BlindClip]:
        """All clips of a machine type, as what embeds and scores them may see them; raises as ``training``."""
        self.require_machines([machine])
        return self.select(machines=[machine]).blind_view()

    def to_frame(self) -> "pandas.DataFrame":
        """One row for each clip: machine, section, split, domain, label, name, path and attributes."""
        import pandas

        rows = [
            {
                "machine": clip.machine,
                "section": clip.section,
                "split": clip.split,
                "domain": clip.domain,
                "label": clip.label,
                "name": clip.name,
                "path": str(clip.path),
                **{f"attribute.{key}": value for key, value in clip.attributes},
            }
            for clip in self.clips
        ]
        return pandas.DataFrame(rows)

    def _repr_html_(self) -> str:
        """For notebooks: how many clips of what there are."""
        counts = self.to_frame().groupby(["machine", "section", "split"], sort=True).size().unstack(fill_value=0)
        head = f"<b>{escape(self.name)}</b>: {len(self)} clips, protocol {escape(self.protocol)}"
        return f"<p>{head}</p>{counts.to_html()}"

    @cached_property
    def fingerprint(self) -> str:
        """Digest of the content: every clip's machine, split, names, attributes and bytes, wherever the folder lies.

        Of own recordings also section, domain and label, which the names of the challenge's hold.
        """
        clips = (*self.clips, *self.supplemental)
        rows: list[Any] = [[clip.machine, clip.split, clip.name, clip.content] for clip in clips]
        if self.layout == OWN:
            rows += [[clip.section, clip.domain, clip.label] for clip in clips]
        # Those that stand in the name are counted already.
        attributes = [[clip.content, clip.attributes] for clip in clips if clip.attributes_from_file]
        return digest([*rows, *([attributes] if attributes else [])], 32)


def _by_machine(clips: Iterable[Clip]) -> Mapping[str, list[Clip]]:
    by_machine = defaultdict(list)
    for clip in clips:
        by_machine[clip.machine].append(clip)
    return by_machine


def _with_unique_keys(clips: tuple[Clip, ...]) -> tuple[Clip, ...]:
    """The clips, those that share a key numbered, so that no two have the same.

    The numbers follow digests of the names, so they tell no more of a clip than chance would, and copies within a
    machine type stand in the same order whichever other machine types there are.
    """
    if len({clip.key for clip in clips}) == len(clips):
        return clips
    places: dict[str, list[int]] = defaultdict(list)
    for place, clip in enumerate(clips):
        places[clip.key].append(place)
    numbered = list(clips)
    for key, copies in places.items():
        copies.sort(key=lambda place: digest([key, clips[place].machine, clips[place].split, clips[place].name], 32))
        for number, place in enumerate(copies, 1) if len(copies) > 1 else ():
            numbered[place] = clips[place].but(key=f"{key}{COPY}{number:06d}")
    return tuple(numbered)
