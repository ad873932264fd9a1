"""The seeds of one system, brought together, and how pages call it: by its card's label, else by its components."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from asdbench.core.commands import command
from asdbench.core.digests import digest
from asdbench.core.texts import value_text
from asdbench.harness.record import RunRecord
from asdbench.leaderboard.entry import Entry, EntryError, Submitted
from asdbench.registry import load_catalog

PLUGINS = "PLUGIN_FOLDER"  # where a command needs the folder of a plugin
Settings = Mapping[str, Any]  # by "component.parameter" and the like


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
    """Runs that differ in nothing but the seed."""

    name: str  # how commands call it: its card, or extractor and scorer
    title: str  # how pages call it
    # settings in which it differs from others of its name on the same board, and where these read alike the beginning
    # of the key; empty where it is the only one
    variant: str
    key: str  # digest of name and settings; it stays when other rows come or go
    runs: Mapping[Path, Entry]  # entries by path, in the order of the seeds

    @property
    def label(self) -> str:
        """Title and variant; no other row of the board has it."""
        return f"{self.title} ({self.variant})" if self.variant else self.title

    @property
    def records(self) -> list[RunRecord]:
        """Of the runs."""
        return [entry.record for entry in self.runs.values()]

    @property
    def submitted(self) -> Submitted | None:
        """Where it is from, of a submitted system; None for one that was measured here."""
        return next(iter(self.runs.values())).submitted

    @property
    def lacks(self) -> tuple[str, ...]:
        """What its data lack of the challenge's split."""
        return tuple(self.records[0].dataset.lacks)


def systems_of(entries: Mapping[Path, Entry]) -> list[System]:
    """Entries of one board by system, sorted by label.

    Raises:
        BoardError: two entries are of the same system and seed.
    """
    groups: dict[str, dict[Path, Entry]] = {}
    for path, entry in entries.items():
        groups.setdefault(_key(entry), {})[path] = entry
    firsts = {key: next(iter(group.values())) for key, group in groups.items()}
    titles = short_titles([entry.record.name for entry in firsts.values()])
    same_name: dict[str, list[Settings]] = {}
    for entry in firsts.values():
        if not entry.submitted:
            same_name.setdefault(entry.record.name, []).append(_settings(entry))
    systems = []
    for key, group in groups.items():
        _require_different_seeds(group)
        entry, name = firsts[key], firsts[key].record.name
        variant = "submitted" if name in same_name else ""
        if not entry.submitted:
            variant = variant_of(_settings(entry), same_name[name])
        runs = dict(sorted(group.items(), key=lambda item: (item[1].record.asked.seed, item[0].name)))
        systems.append(System(name, titles[name], variant, key, runs))
    times = Counter(system.label for system in systems)
    systems = [
        # Variants of 1 and "1", for instance, read alike.
        replace(system, variant=", ".join(filter(None, [system.variant, system.key[:8]])))
        if times[system.label] > 1
        else system
        for system in systems
    ]
    return sorted(systems, key=lambda system: system.label)


def require_new_seed(path: Path, entry: Entry, others: Mapping[Path, Entry]) -> None:
    """No other entry is of the same system and seed. Raises BoardError: there is one."""
    key, seed = _key(entry), entry.record.asked.seed
    for other, one in others.items():
        if one.record.asked.seed == seed and _key(one) == key:
            _require_different_seeds({other: one, path: entry})


def command_of(system: System) -> str:
    """The command that makes a measured system's runs again, all seeds of it."""
    record = system.records[0]
    asked = record.asked
    return command(
        "run",
        **_named(record),
        dataset=asked.dataset,
        split=asked.split,
        profile=asked.profile,
        machine=asked.machines,
        threshold=asked.threshold,
        threads=record.environment.threads,
        seed=[one.asked.seed for one in system.records],
        **_given(record),
    )


def fit_command_of(system: System) -> str:
    """The command that fits a measured system to a folder of somebody's own recordings."""
    record = system.records[0]
    fit = command("fit", "FOLDER", **_named(record), profile=record.asked.profile, **_given(record))
    return f"{fit} --false-alarms 0.05 --to machine.asd"


def _named(record: RunRecord) -> dict[str, Any]:
    asked = record.asked
    return {"system": asked.system} if asked.system else {"extractor": asked.extractor, "scorer": asked.scorer}


def _given(record: RunRecord) -> dict[str, Any]:
    """Parameters, and the folder of plugins, which a record does not know."""
    is_own = all(used.target.startswith("asdbench.") for _, used in record.components)
    params = record.asked.params.items()
    return {"p": [f"{key}={value_text(value)}" for key, value in params], "plugin_path": None if is_own else PLUGINS}


def _require_different_seeds(group: Mapping[Path, Entry]) -> None:
    paths: dict[int, Path] = {}
    for path, entry in group.items():
        seed = entry.record.asked.seed
        first = paths.setdefault(seed, path)
        if first != path:
            raise BoardError(
                f"{first} and {path} are the same system with the same seed {seed}; it would count twice.", first, path
            )


def _key(entry: Entry) -> str:
    return digest([entry.record.name, _settings(entry)], 32)


def _settings(entry: Entry) -> Settings:
    """All that seeds of one system share: parameters, versions, device, threads and data.

    Of a submitted system nothing is known but its name.
    """
    record = entry.record
    if entry.submitted:
        return {"origin": "submitted"}
    components = {"extractor": record.extractor, "scorer": record.scorer, "frontend": record.frontend}
    components |= {f"augmentation {number}": used for number, used in enumerate(record.augmentations, 1)}
    settings: dict[str, Any] = {}
    for role, used in components.items():
        settings[role] = used.name
        settings[f"{used.name} version"] = used.version
        # A file counts by its content, wherever it lies.
        settings |= {f"{used.name}.{name}": used.files.get(name, value) for name, value in used.params.items()}
    settings["device"] = record.environment.device
    settings["threads"] = record.environment.threads  # the sums of a training depend on it
    settings["trained on"] = sorted(record.dataset.train_clips)
    if record.dataset.lacks:  # partial data are rows of their own
        settings["data"] = record.dataset.fingerprint[:8]
    return settings


def title_of_system(name: str) -> str:
    """The label in the card of that name, else the name itself, an ensemble's by what its members share."""
    return _card_labels().get(name) or readable(name)


def short_titles(names: Sequence[str]) -> dict[str, str]:
    """Titles of one board's systems by name; an ensemble is named by its size where no other reads alike."""
    titles = {name: title_of_system(name) for name in names}
    sizes = {name: f"ensemble of {len(_members(name))}" for name in titles if len(_members(name)) > 1}
    times = Counter(sizes.values())
    return titles | {name: size for name, size in sizes.items() if times[size] == 1 and name not in _card_labels()}


def readable(name: str) -> str:
    """A system's name as pages show it: an ensemble by what its members share, instead of the same scorer each time."""
    members, scorer = [member.partition(":") for member in _members(name)], name.rpartition(" + ")[2]
    scorers = {part[2] for part in members}
    if len(members) < 2 or len(scorers) > 1 or not all(part[0] and part[2] for part in members):
        return name
    return f"{scorer} of {', '.join(part[0] for part in members)} ({scorers.pop()})"


def variant_of(settings: Settings, same_name: Sequence[Settings]) -> str:
    """The settings in which systems of one name differ, as text.

    Versions and threads are named only where nothing else tells a system from the others, machine types only where
    others have more.
    """
    keys = {key: None for other in same_name for key in other}
    differing = [key for key in keys if any(other.get(key) != settings.get(key) for other in same_name)]
    if set(settings["trained on"]) == {machine for other in same_name for machine in other["trained on"]}:
        differing = [key for key in differing if key != "trained on"]
    telling = [key for key in differing if key != "threads" and not key.endswith(" version")]
    alike = [other for other in same_name if all(other.get(key) == settings.get(key) for key in telling)]
    chosen = [key for key in (telling if len(alike) == 1 else differing) if key in settings]
    ends = Counter(key.rpartition(".")[2] for key in chosen)
    texts = {key: setting(settings[key]) for key in chosen}
    if settings["threads"] is None and "threads" in texts:
        texts["threads"] = "as many as cores"
    short = {key: end if ends[end := key.rpartition(".")[2]] == 1 else key for key in chosen}
    return ", ".join(f"{short[key]} {text}" for key, text in texts.items())


def setting(value: Any) -> str:
    """The value of a parameter as text."""
    if isinstance(value, list):
        return "+".join(map(setting, value)) or "none"
    return str(value)  # of a float every digit, so that no two look alike


def _members(name: str) -> list[str]:
    """What an ensemble is of, a:knn and b:knn in "a:knn,b:knn + ensemble"; nothing for other systems."""
    members, mark, _ = name.rpartition(" + ")
    return members.split(",") if mark and ":" in members else []


@cache
def _card_labels() -> dict[str, str]:
    entries = load_catalog(kinds=("systems",)).entries["systems"]
    return {name: entry.label for name, entry in entries.items() if entry.label}
