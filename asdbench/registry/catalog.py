"""All cards, by kind and name."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path

from asdbench.core.errors import UsageError, did_you_mean
from asdbench.registry.cards import KINDS, Card
from asdbench.registry.components import Component
from asdbench.registry.plugins import Source, own_source, third_party_sources
from asdbench.registry.reader import CardError, read_card

# Names with a prefix need no card: a function makes one from the library's own signature.
PREFIXES: Mapping[str, Mapping[str, str]] = {
    "scorers": {
        "pyod": "asdbench.scorers.pyod_detector:card_of",
        "sklearn": "asdbench.scorers.sklearn_detector:card_of",
    }
}


@dataclass(frozen=True)
class Entry:
    """A name in the catalog: its card, and the variant of it that the name stands for."""

    kind: str
    name: str
    card: Card
    origin: str
    path: Path | None = None
    variant: str | None = None

    @property
    def summary(self) -> str:
        """The variant's own summary, or the card's."""
        own = self.card.variants[self.variant].get("summary") if self.variant else None
        return str(own or self.card.summary)

    def defaults(self, profile: str | None = None) -> dict[str, object]:
        """Parameters as the card gives them, with the variant's and then the profile's values laid over."""
        values: dict[str, object] = {name: param.default for name, param in self.card.params.items()}
        variant = self.card.variants.get(self.variant or "", {})
        values |= {name: value for name, value in variant.items() if name != "summary"}
        return values | self.card.profiles.get(profile or "", {})


@dataclass
class Catalog:
    """Entries by kind and name, and the warnings that reading them gave."""

    entries: dict[str, dict[str, Entry]] = field(default_factory=lambda: {kind: {} for kind in KINDS})
    warnings: list[str] = field(default_factory=list)

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
        prefix, colon, rest = name.partition(":")
        if colon and prefix in PREFIXES.get(kind, {}):
            module, _, function = PREFIXES[kind][prefix].partition(":")
            card = getattr(import_module(module), function)(rest)
            return Entry(kind, name, card, prefix)
        hint = did_you_mean(name, self.entries[kind])
        raise UsageError(f"No {kind[:-1]} '{name}'.{hint} See: asdbench list {kind}")

    def find_anywhere(self, name: str) -> list[Entry]:
        """Entries of that name in every kind, at least one.

        Raises:
            UsageError: there is none.
        """
        kinds = [kind for kind in KINDS if name in self.entries[kind]]
        if not kinds and name.partition(":")[0] in PREFIXES["scorers"] and ":" in name:
            kinds = ["scorers"]
        if not kinds:
            hint = did_you_mean(name, (known for kind in KINDS for known in self.entries[kind]))
            raise UsageError(f"Nothing is named '{name}'.{hint} See: asdbench list")
        return [self.find(kind, name) for kind in kinds]

    def component(
        self, kind: str, name: str, values: Mapping[str, object] | None = None, profile: str | None = None
    ) -> Component:
        """The named thing with its parameters settled: card, then variant, then profile, then ``values``.

        Raises:
            UsageError: no such name or parameter, or a value that the parameter does not take.
        """
        entry = self.find(kind, name)
        return Component.settle(kind, name, entry.card, entry.defaults(profile), values or {})

    def add(self, source: Source) -> None:
        """Add a source's cards. A card of asdbench that cannot be read raises; a plugin's is a warning."""
        for kind, path in _card_files(source.folder):
            try:
                card = read_card(path, kind)
            except CardError as error:
                if source.origin == "asdbench":
                    raise
                self.warnings.append(f"{source.origin}: {error}")
                continue
            self._add_entry(Entry(kind, path.stem, card, source.origin, path))
            for variant in card.variants:
                self._add_entry(Entry(kind, variant, card, source.origin, path, variant))

    def _add_entry(self, entry: Entry) -> None:
        known = self.entries[entry.kind].setdefault(entry.name, entry)
        if known is not entry:
            self.warnings.append(
                f"Two {entry.kind} are named '{entry.name}': that of {known.origin} ({known.path}) is used, "
                f"that of {entry.origin} ({entry.path}) is not. Rename one."
            )


def _card_files(folder: Path) -> Iterator[tuple[str, Path]]:
    for kind in KINDS:
        for path in sorted((folder / kind).glob("*.toml")):
            yield kind, path


def load_catalog(plugin_paths: Sequence[Path] = ()) -> Catalog:
    """Read the cards of asdbench, of installed plugins and of the given plugin folders."""
    catalog = Catalog()
    catalog.add(own_source())
    for source in third_party_sources(plugin_paths, catalog.warnings.append):
        catalog.add(source)
    return catalog
