"""All cards, by kind and name."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from importlib import import_module
from itertools import chain, count
from pathlib import Path
from typing import TYPE_CHECKING

from asdbench.core.errors import UsageError, did_you_mean
from asdbench.registry.components import Component
from asdbench.registry.composites import PLUS, Chain, Composite, chained_card, names_in_chain
from asdbench.registry.ensembles import AND, Ensemble, ensemble_card, pairs_of
from asdbench.registry.instances import card_of_instance, of_instance
from asdbench.registry.libraries import PREFIXES, nearest_detector
from asdbench.registry.plugins import OWN, Source, own_source, third_party_sources
from asdbench.registry.toml import CardError, read_toml

if TYPE_CHECKING:
    from asdbench.registry.cards import AnyCard, Card
    from asdbench.registry.challenge_card import ChallengeCard
    from asdbench.registry.system_card import SystemCard

KINDS = ("systems", "extractors", "scorers", "steps", "augmentations", "frontends", "datasets")
OF_PLUGIN = "One of a plugin needs --plugin-path FOLDER."


@dataclass(frozen=True)
class Entry:
    """A name in the catalog: where its card is, and the variant of it that the name stands for.

    The card is read and validated when it is first needed, so that names are listed without pydantic. ``made`` is a
    card without a file, ``instance`` an object of the user's own that the name stands for.
    """

    kind: str
    name: str
    summary: str
    origin: str
    label: str = ""
    path: Path | None = None
    variant: str | None = None
    made: "Card | None" = None
    instance: object | None = None

    @cached_property
    def content(self) -> "AnyCard":
        """The validated card, of whatever kind. Raises CardError: it is not a valid card."""
        if self.made is not None:
            return self.made
        from asdbench.registry.reader import read_card

        assert self.path is not None, "an entry has a card or the path of one"
        return read_card(self.path, self.kind)

    @property
    def card(self) -> "Card":
        """The validated card of anything that is built: all but systems and the challenges' data sets.

        Its profiles leave alone what makes the variant one, the backbone for instance.
        """
        from asdbench.registry.cards import Card

        card = self.content
        assert isinstance(card, Card), f"the card of '{self.name}' names no target"
        variant = card.variants.get(self.variant or "", {})
        profiles = {
            name: {key: value for key, value in values.items() if key not in variant}
            for name, values in card.profiles.items()
        }
        return card.model_copy(update={"profiles": profiles}) if variant else card

    @property
    def system(self) -> "SystemCard":
        """The system that this name stands for."""
        from asdbench.registry.system_card import SystemCard

        assert isinstance(self.content, SystemCard), f"a card of the {self.kind} is no system"
        return self.content.variant(self.variant)

    def varied(self, part: str) -> frozenset[str]:
        """Parameters of a part that make the variant of a system one; none of the system itself."""
        from asdbench.registry.system_card import SystemCard

        assert isinstance(self.content, SystemCard), f"a card of the {self.kind} is no system"
        return frozenset(self.content.variants[self.variant].params.get(part, {}) if self.variant else ())

    @property
    def challenge(self) -> "ChallengeCard | None":
        """The card of a challenge's data set; None when the entry is something else."""
        from asdbench.registry.challenge_card import ChallengeCard

        return self.content if self.kind == "datasets" and isinstance(self.content, ChallengeCard) else None

    def defaults(self, profile: str | None = None) -> dict[str, object]:
        """Parameters as the card gives them, with the variant's and then the profile's values laid over."""
        card = self.card
        values: dict[str, object] = {name: param.default for name, param in card.params.items()}
        variant = {name: value for name, value in card.variants.get(self.variant or "", {}).items() if name in values}
        return values | variant | card.profiles.get(profile or "", {})


@dataclass
class Catalog:
    """Entries by kind and name, and the warnings that reading them gave."""

    # By kind and name
    entries: dict[str, dict[str, Entry]] = field(default_factory=lambda: {kind: {} for kind in KINDS})
    warnings: list[str] = field(default_factory=list)  # of plugins and cards that were left out
    # Why a plugin's card cannot be used, by kind and name
    broken: dict[str, dict[str, str]] = field(default_factory=lambda: {kind: {} for kind in KINDS})

    def names(self, kind: str) -> list[str]:
        """Names of one kind, sorted."""
        return sorted(self.entries[kind])

    def find(self, kind: str, name: str) -> Entry:
        """The entry of that name.

        Raises:
            UsageError: there is none; the message names the nearest and the command that lists all.
        """
        if name in self.entries[kind]:
            return self.entries[kind][name]
        if _is_composed(kind, name):
            card = self._composed(kind, name).card
            return Entry(kind, name, card.summary, OWN, made=card)
        prefix, _, rest = name.partition(":")
        if kind == "scorers" and _is_prefixed(name):
            module, _, function = PREFIXES[prefix].partition(":")
            card = getattr(import_module(module), function)(rest)
            return Entry(kind, name, card.summary, prefix, made=card)
        if kind == "extractors" and prefix in self.entries[kind] and rest:
            raise UsageError(
                f"--extractor {name}: an ensemble has two members at least, with a comma between them. For one "
                f"extractor with its scorer: --extractor {prefix} --scorer {rest}"
            )
        if kind == "scorers" and name in self.entries["steps"]:
            raise UsageError(f"'{name}' is a step and stands in front of a scorer: --scorer {name}+SCORER")
        if name in self.broken[kind]:
            raise UsageError(self.broken[kind][name])
        hint = did_you_mean(name, self.entries[kind]) or (nearest_detector(name) if kind == "scorers" else "")
        raise UsageError(f"No {kind[:-1]} '{name}'.{hint} {OF_PLUGIN} See: asdbench list {kind}")

    def find_anywhere(self, name: str) -> list[Entry]:
        """Entries of that name in every kind, at least one. Raises UsageError: there is none."""
        kinds = (
            [kind for kind in KINDS if name in self.entries[kind]]
            or [kind for kind in KINDS if _is_composed(kind, name)]
            or [kind for kind in ("scorers",) if _is_prefixed(name)]
            or [kind for kind in KINDS if name in self.broken[kind]]
        )
        if not kinds:
            hint = did_you_mean(name, (known for kind in KINDS for known in self.entries[kind]))
            hint = hint or nearest_detector(name)
            raise UsageError(f"Nothing is named '{name}'.{hint} {OF_PLUGIN} See: asdbench list")
        return [self.find(kind, name) for kind in kinds]

    def _composed(self, kind: str, name: str) -> Composite:
        """A chain of steps and a scorer, or the members of an ensemble.

        Raises:
            UsageError: a part of it does not exist, or the name is none.
        """
        return self._chain(name) if kind == "scorers" else self._ensemble(name)

    def _chain(self, name: str) -> Composite:
        *steps, scorer = names_in_chain(name)
        if scorer not in self.entries["scorers"] and scorer in self.entries["steps"]:
            order = sorted([*steps, scorer], key=lambda part: part not in self.entries["steps"])
            last = [] if order[-1] in self.entries["scorers"] else ["knn"]
            raise UsageError(f"'{name}' ends in a step; the scorer comes last: {PLUS.join([*order, *last])}")
        parts = [*(self.component("steps", step) for step in steps), self.component("scorers", scorer)]
        return Chain.of("scorers", name, chained_card(parts), parts)

    def _ensemble(self, name: str) -> Composite:
        layout, parts = [], {}
        for extractor, scorer in pairs_of(name):
            card = self.find("extractors", extractor).card
            frontend, augmentations = card.frontend, tuple(card.augmentations)  # type: ignore[attr-defined]
            layout.append((extractor, frontend, augmentations, scorer))
            member = [("extractors", extractor), ("frontends", frontend), ("scorers", scorer)]
            for part in [*member, *(("augmentations", augmentation) for augmentation in augmentations)]:
                parts[part] = self.component(*part)
        names = [part for _, part in parts]
        shared = [part for part in names if names.count(part) > 1]
        if shared:
            raise UsageError(f"--extractor {name}: '{shared[0]}' names parts of two kinds, so -p would be ambiguous.")
        components = list(parts.values())
        return Ensemble.of("extractors", name, ensemble_card(name, components), components, layout=tuple(layout))

    def component(
        self, kind: str, name: str, values: Mapping[str, object] | None = None, profile: str | None = None
    ) -> Component:
        """The named thing with its parameters settled: card, then variant, then profile, then ``values``.

        Raises:
            UsageError: no such name or parameter, or a value that the parameter does not take.
        """
        if name not in self.entries[kind] and _is_composed(kind, name):
            composed = self._composed(kind, name)
            return composed.altered(composed.card.profiles.get(profile or "", {})).altered(values or {})
        entry = self.find(kind, name)
        if entry.challenge is not None:
            raise UsageError(
                f"'{name}' is the data set of a challenge: it is downloaded, not made, and takes no parameters.\n"
                f"See: asdbench data download --help, or asdbench show {name}"
            )
        if entry.instance is not None:
            return of_instance(kind, name, entry.card, entry.instance)
        home = entry.path.parents[2] if entry.path is not None and entry.origin != OWN else None
        return Component(kind, name, entry.card, entry.defaults(profile), home).altered(values or {})

    def add_instance(self, kind: str, instance: object) -> str:
        """Give an object of the user's own a name, that of its class, and return the name."""
        base = type(instance).__name__
        numbered = (f"{base}-{number}" for number in count(2))
        name = next(name for name in chain([base], numbered) if name not in self.entries[kind])
        card = card_of_instance(kind, instance)
        self.entries[kind][name] = Entry(kind, name, card.summary, "object", made=card, instance=instance)
        return name

    def add(self, source: Source, kinds: Sequence[str] = KINDS) -> None:
        """Add a source's cards. A card of asdbench that cannot be read raises; a plugin's is a warning."""
        for kind in kinds:
            for path in sorted((source.folder / kind).glob("*.toml")):
                if source.origin == OWN:
                    state = path.stat()
                    entries = _own_entries(kind, path, state.st_mtime_ns, state.st_size)
                else:
                    entries = self._third_party_entries(kind, path, source.origin)
                for entry in entries:
                    known = self.entries[kind].setdefault(entry.name, entry)
                    if known is not entry:
                        self.warnings.append(
                            f"Two {kind} are named '{entry.name}': that of {known.origin} ({known.path}) is used, "
                            f"that of {entry.origin} ({entry.path}) is not. Rename one."
                        )

    def _third_party_entries(self, kind: str, path: Path, origin: str) -> tuple[Entry, ...]:
        entries: tuple[Entry, ...] = ()
        try:
            entries = _entries(kind, path, origin)
            _ = entries[0].content  # validated at once: the author is to hear of mistakes
        except CardError as error:
            self.warnings.append(f"{origin}: {error}")
            reason = f"The card of '{path.stem}' cannot be used. {origin}: {error}"
            self.broken[kind] |= dict.fromkeys([path.stem, *(entry.name for entry in entries)], reason)
            return ()
        return entries


def _is_composed(kind: str, name: str) -> bool:
    return {"scorers": PLUS, "extractors": AND}.get(kind, "\0") in name


def _is_prefixed(name: str) -> bool:
    return ":" in name and name.partition(":")[0] in PREFIXES


def _entries(kind: str, path: Path, origin: str) -> tuple[Entry, ...]:
    """The entry of a card file and those of its variants."""
    content = read_toml(path)
    summary, variants = str(content.get("summary", "")), content.get("variants", {})
    entries = [Entry(kind, path.stem, summary, origin, str(content.get("label", "")), path)]
    for variant, values in variants.items() if isinstance(variants, dict) else ():
        text, label = summary, ""
        if isinstance(values, dict):
            text, label = values.get("summary", summary), values.get("label", "")
        entries.append(Entry(kind, variant, str(text), origin, str(label), path, variant))
    return tuple(entries)


@cache
def _own_entries(kind: str, path: Path, *_state: int) -> tuple[Entry, ...]:
    """Those of a card of asdbench, read again when its size or time of change differs."""
    return _entries(kind, path, OWN)


def load_catalog(plugin_paths: Sequence[Path] = (), kinds: Sequence[str] = KINDS) -> Catalog:
    """Read the cards of asdbench, of installed plugins and of the given plugin folders; those of some kinds."""
    catalog = Catalog()
    for source in (own_source(), *third_party_sources(plugin_paths, catalog.warnings.append)):
        catalog.add(source, kinds)
    return catalog
