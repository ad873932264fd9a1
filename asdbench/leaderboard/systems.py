"""The seeds of one system, brought together; and what tells two systems of one name apart."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from asdbench.core.digests import digest
from asdbench.harness.record import RunRecord, UsedComponent
from asdbench.leaderboard.entry import Entry, EntryError

Settings = dict[str, Any]


class BoardError(EntryError):
    """Results that cannot stand on one board.

    Attributes:
        paths: of those that cannot stand together.
    """

    def __init__(self, message: str, *paths: Path) -> None:
        super().__init__(message)
        self.paths = paths


@dataclass(frozen=True)
class System:
    """Runs that differ in nothing but the seed.

    Attributes:
        name: how people call it.
        variant: settings in which it differs from others of its name on the same board, and where these read alike the
            beginning of the key; empty where it is the only one.
        settings: all of them, "component.parameter" -> value.
        key: digest of name and settings; it stays when other rows come or go.
        runs: entries by path, in the order of the seeds.
    """

    name: str
    variant: str
    settings: Settings
    key: str
    runs: Mapping[Path, Entry]

    @property
    def label(self) -> str:
        """Name and variant; no other row of the board has it."""
        return f"{self.name} ({self.variant})" if self.variant else self.name

    @property
    def records(self) -> list[RunRecord]:
        """Of the runs."""
        return [entry.record for entry in self.runs.values()]

    @property
    def lacks(self) -> tuple[str, ...]:
        """What its data lack of the challenge's split."""
        return tuple(self.records[0].dataset.lacks)


def systems_of(entries: Mapping[Path, Entry]) -> list[System]:
    """Entries of one board by system, sorted by label.

    Raises:
        BoardError: two entries are of the same system and seed.
    """
    groups = _groups(entries)
    for group in groups.values():
        _require_own_seeds(group)
    found = [_first(group) for group in groups.values()]
    systems = []
    for (key, group), record in zip(groups.items(), found, strict=True):
        alike = [_settings(other) for other in found if other.name == record.name]
        own = _settings(record)
        runs = dict(sorted(group.items(), key=lambda item: (item[1].record.asked.seed, item[0].name)))
        systems.append(System(record.name, _variant(own, alike), own, key, runs))
    return sorted(_told_apart(systems), key=lambda one: one.label)


def _told_apart(systems: Sequence[System]) -> list[System]:
    """Labels that collide all the same, of 1 and "1" for instance, end in the beginning of the key."""
    times = Counter(system.label for system in systems)
    return [
        replace(system, variant=", ".join(filter(None, [system.variant, system.key[:8]])))
        if times[system.label] > 1
        else system
        for system in systems
    ]


def require_own_seed(path: Path, entry: Entry, others: Mapping[Path, Entry]) -> None:
    """No other entry is of the same system and seed.

    Raises:
        BoardError: there is one.
    """
    name, seed = entry.record.name, entry.record.asked.seed
    alike = {other: one for other, one in others.items() if one.record.asked.seed == seed and one.record.name == name}
    for group in _groups({**alike, path: entry}).values():
        if path in group:
            _require_own_seeds(group)


def _groups(entries: Mapping[Path, Entry]) -> dict[str, dict[Path, Entry]]:
    groups: dict[str, dict[Path, Entry]] = {}
    for path, entry in entries.items():
        groups.setdefault(digest(_identity(entry.record), 32), {})[path] = entry
    return groups


def _first(group: Mapping[Path, Entry]) -> RunRecord:
    return next(iter(group.values())).record


def _require_own_seeds(group: Mapping[Path, Entry]) -> None:
    seeds: dict[int, Path] = {}
    for path, entry in group.items():
        seed = entry.record.asked.seed
        if seed in seeds:
            raise BoardError(
                f"{seeds[seed]} and {path} are the same system with the same seed {seed}; it would count twice.",
                seeds[seed],
                path,
            )
        seeds[seed] = path


def _identity(record: RunRecord) -> list[Any]:
    """All that seeds of one system share."""
    return [record.name, _settings(record)]


def _settings(record: RunRecord) -> Settings:
    """Parameters, versions, device, threads and data of a run, "component.parameter" -> value."""
    settings: Settings = {}
    parts: Sequence[tuple[str, UsedComponent]] = [
        ("extractor", record.extractor),
        ("scorer", record.scorer),
        ("frontend", record.frontend),
        *[(f"augmentation {number}", part) for number, part in enumerate(record.augmentations, 1)],
    ]
    for role, part in parts:
        settings[role] = part.name
        settings[f"{part.name} version"] = part.version
        # A file counts by its content, wherever it lies.
        settings.update({f"{part.name}.{name}": part.files.get(name, value) for name, value in part.params.items()})
    settings["device"] = record.environment.device
    settings["threads"] = record.environment.threads  # the sums of a training depend on it
    settings["trained on"] = sorted(record.dataset.train_clips)
    if record.dataset.lacks:  # partial data are rows of their own
        settings["data"] = record.dataset.fingerprint[:8]
    return settings


def _variant(own: Settings, alike: Sequence[Settings]) -> str:
    """The settings in which systems of one name differ, as text; machine types only where others have more."""
    differing = [key for key in own if any(other.get(key) != own[key] for other in alike)]
    if set(own["trained on"]) == {machine for other in alike for machine in other["trained on"]}:
        differing = [key for key in differing if key != "trained on"]
    return ", ".join(f"{key} {_told(key, own[key])}" for key in differing)


def _told(key: str, value: Any) -> str:
    return "as many as cores" if key == "threads" and value is None else setting(value)


def setting(value: Any) -> str:
    """The value of a parameter as text."""
    if isinstance(value, list):
        return "+".join(map(setting, value)) or "none"
    return str(value)  # of a float every digit, so that no two look alike
