"""Features of a data set, computed once and cached on disk."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from asdbench.core.digests import digest
from asdbench.core.errors import DataError, UsageError
from asdbench.core.progress import Progress, Stage
from asdbench.datasets.audio import BadRecording, NoSuchChannel, read_header
from asdbench.datasets.clips import OWN, Clip, Dataset, Split
from asdbench.frontends.base import NamedFeatures, Place
from asdbench.frontends.decoding import Features, features_of_all, features_of_several
from asdbench.frontends.pack import FeatureReader, Pack, write_arrays, writing_arrays
from asdbench.registry import Component
from asdbench.registry.cards import FrontendCard

if TYPE_CHECKING:
    from asdbench.frontends.base import Frontend

SPLITS: tuple[Split, ...] = ("train", "test")
Problem = tuple[Path, BadRecording]


class _BadRecordingsError(Exception):
    """Leaves a pack unwritten of which recordings cannot be used."""


class FeatureStore:
    """Stores the features of each machine type and split in one pack, addressed by front end and recordings.

    Features that a front end has by name are addressed by the names too: a clip that is renamed is another one.
    Training and test clips lie in packs of their own, so that a fit can be given the one without the other.

    Args:
        cache: folder of the packs.
        jobs: threads that decode and make features.
        progress: where the work is reported.
    """

    def __init__(self, cache: Path, jobs: int, progress: Progress) -> None:
        self._cache = cache
        self._jobs = jobs
        self._progress = progress

    def read(self, table: Dataset, frontend: Component) -> FeatureReader:
        """Features of every clip of the table; those that are not in the cache are computed.

        Raises:
            DataError: recordings that cannot be used; all of them are listed.
        """
        packs = self._parts(table, frontend)
        missing = [(part, pack) for part, pack in packs if not pack.intact]
        problems: list[Problem] = []
        if missing:
            built = frontend.build()
            _require_card_says(frontend, built)
            if isinstance(built, NamedFeatures):
                note = built.require([_place(clip) for part, _ in packs for clip in part])
                if note:
                    self._progress.note(f"{frontend.name}: {note}")
            with self._progress.stage("features", sum(len(part) for part, _ in missing)) as stage:
                for part, pack in missing:
                    problems += self._compute(part, built, pack, stage)
        if problems:
            raise DataError(
                f"{len(problems)} recording(s) of {table.name} cannot be used:",
                [f"{path}: {reason}" for path, reason in problems],
                _advice([reason for _, reason in problems], frontend.name),
            )
        if missing and table.layout == OWN and not isinstance(built, NamedFeatures):
            self._tell_other_rates([clip for part, _ in missing for clip in part], built.sample_rate_hz)
        return FeatureReader([pack for _, pack in packs])

    def make_together(self, table: Dataset, frontends: Sequence[Component]) -> None:
        """Make what is missing of several front ends; those that take the same samples share what is decoded.

        What cannot be made, because of a recording for instance, is left to ``read``, which says so.
        """
        by_samples: dict[tuple[int, str], list[tuple[Component, Frontend]]] = {}
        for component in frontends:
            if not by_name(component):
                built = component.build()
                by_samples.setdefault((built.sample_rate_hz, built.channel), []).append((component, built))
        work: list[tuple[Dataset, list[tuple[Pack, Frontend]]]] = []
        for sharing in by_samples.values():
            for of_part in zip(*(self._parts(table, component) for component, _ in sharing), strict=True):
                pairs = zip(of_part, sharing, strict=True)
                missing = [(pack, built) for (_, pack), (_, built) in pairs if not pack.intact]
                if len(missing) > 1:
                    work.append((of_part[0][0], sorted(missing, key=lambda one: one[0].path)))
        if work:
            with self._progress.stage("features", sum(len(part) * len(missing) for part, missing in work)) as stage:
                for part, missing in work:
                    with suppress(_BadRecordingsError):
                        self._fill(part, missing, [], stage)

    def _fill(
        self, part: Dataset, missing: list[tuple[Pack, "Frontend"]], open_: list[tuple[Path, "Frontend"]], stage: Stage
    ) -> None:
        """Make packs in one pass: one after the other is locked and opened, then all are written."""
        if missing:
            (pack, frontend), *others = missing
            pack.get_or_make(
                lambda folder: self._fill(part, others, [*open_, (folder, frontend)], stage), self._progress.note
            )
            return
        clips = dict(sorted({clip.content: clip for clip in part}.items()))
        with ExitStack() as stack:
            writers = [stack.enter_context(writing_arrays(folder)) for folder, _ in open_]
            paths, frontends = [clip.path for clip in clips.values()], [frontend for _, frontend in open_]
            for content, made in zip(clips, features_of_several(paths, frontends, self._jobs), strict=True):
                if isinstance(made, BadRecording):
                    raise _BadRecordingsError
                for write, features in zip(writers, made, strict=True):
                    write(content, features)
                stage.advance(len(writers))
        stage.advance((len(part) - len(clips)) * len(open_))  # equal recordings

    def packs(self, table: Dataset, frontend: Component) -> list[Pack]:
        """Where the features of the table lie, or will."""
        return [pack for _, pack in self._parts(table, frontend)]

    def _parts(self, table: Dataset, frontend: Component) -> list[tuple[Dataset, Pack]]:
        parts = [table.select(machines=[machine], split=split) for machine in table.machines for split in SPLITS]
        return [(part, self._pack(part, frontend)) for part in parts if len(part)]

    def _pack(self, table: Dataset, frontend: Component) -> Pack:
        keys = sorted(names_of(table) if by_name(frontend) else {clip.content for clip in table})
        what = f"features ({frontend.name}) of {', '.join(table.machines)}"
        return Pack(self._cache / digest({"frontend": frontend.identity(), "clips": keys}), what)

    def _tell_other_rates(self, clips: Sequence[Clip], rate_hz: int) -> None:
        """Note how many recordings are resampled; those of a challenge have the rate that front ends take."""
        rates = Counter(read_header(clip.path).rate_hz for clip in clips)
        there = rates.pop(rate_hz, 0)
        if rates:
            from_rates = ", ".join(map(str, sorted(rates)))
            counted = f"{rates.total()} of {there + rates.total()} recordings are"
            self._progress.note(f"{counted} resampled to {rate_hz} Hz, from {from_rates} Hz.")

    def _compute(self, table: Dataset, frontend: "Frontend", pack: Pack, stage: Stage) -> list[Problem]:
        """Make a pack, unless another process makes it meanwhile; the recordings that cannot be used."""
        problems: list[Problem] = []
        addresses: list[str] = []
        clips = dict(sorted({_address(clip, frontend): clip for clip in table}.items()))

        def features_by_address() -> Iterator[tuple[str, Features]]:
            made = _features(list(clips.values()), frontend, self._jobs)
            for address, features in zip(clips, made, strict=True):
                stage.advance()
                addresses.append(address)
                if isinstance(features, BadRecording):
                    content = clips[address].content
                    problems.extend((clip.path, features) for clip in table if clip.content == content)
                else:
                    yield address, features
            if problems:
                raise _BadRecordingsError

        with suppress(_BadRecordingsError):
            pack.get_or_make(lambda folder: write_arrays(folder, features_by_address()), self._progress.note)
            stage.advance(len(table) - len(addresses))  # equal recordings, and what another process has made
        return problems


def by_name(frontend: Component) -> bool:
    """Whether a front end looks features up by the clips' names."""
    return isinstance(frontend.card, FrontendCard) and frontend.card.by_name


def names_of(table: Dataset) -> list[list[str]]:
    """What decides which features a clip gets from a front end that looks them up: its key and its name."""
    return [[clip.key, clip.machine, clip.split, clip.name] for clip in table]


def _require_card_says(frontend: Component, built: "Frontend | NamedFeatures") -> None:
    """The cache is addressed by the card, which is read without building the front end."""
    if isinstance(built, NamedFeatures) and not by_name(frontend):
        raise UsageError(
            f"The front end '{frontend.name}' looks features up by name, and its card does not say so, so that what "
            "is cached of it would be given to recordings that have other names.\nAdd to its card: by_name = true"
        )


def _advice(reasons: Sequence[BadRecording], frontend: str) -> str:
    """What to do about recordings that cannot be used."""
    without = sum(isinstance(reason, NoSuchChannel) for reason in reasons)
    channel = f"take a channel that they have: -p {frontend}.channel=0, or {frontend}.channel=mean for the mean of all"
    if without == len(reasons):
        return f"The recordings are sound; {channel}."
    if without:
        return f"Repair or remove them, but for those without the channel, which are sound: {channel}."
    return "Repair or remove them; nothing is left out silently."


def _address(clip: Clip, frontend: "Frontend | NamedFeatures") -> str:
    """Key of a clip's features in a pack; equal recordings have equal ones, unless those belong to a name."""
    return clip.key if isinstance(frontend, NamedFeatures) else clip.content


def _place(clip: Clip) -> Place:
    return Place(clip.machine, clip.split, clip.name, clip.key)


def _features(
    clips: Sequence[Clip], frontend: "Frontend | NamedFeatures", jobs: int
) -> Iterator[Features | BadRecording]:
    if isinstance(frontend, NamedFeatures):
        return (frontend.look_up(_place(clip)) for clip in clips)
    return features_of_all([clip.path for clip in clips], frontend, jobs)
