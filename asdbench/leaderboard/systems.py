"""The seeds of one system, brought together."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from shlex import quote
from typing import Any

from asdbench.core.digests import digest
from asdbench.harness.record import RunRecord
from asdbench.leaderboard.entry import Entry, EntryError, Submitted
from asdbench.leaderboard.labels import short_titles, variant_of

PLUGINS = "PLUGIN_FOLDER"  # where a command needs the folder of a plugin


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
        name: how commands call it: its card, or extractor and scorer.
        title: how pages call it.
        variant: settings in which it differs from others of its name on the same board, and where these read alike the
            beginning of the key; empty where it is the only one.
        key: digest of name and settings; it stays when other rows come or go.
        runs: entries by path, in the order of the seeds.
    """

    name: str
    title: str
    variant: str
    key: str
    runs: Mapping[Path, Entry]

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
    same_name: dict[str, list[dict[str, Any]]] = {}
    for group in groups.values():
        _require_different_seeds(group)
        entry = _first(group)
        if not entry.submitted:
            same_name.setdefault(entry.record.name, []).append(_settings(entry))
    systems = []
    titles = short_titles([_first(group).record.name for group in groups.values()])
    for key, group in groups.items():
        entry = _first(group)
        name = entry.record.name
        if entry.submitted:
            variant = "submitted" if name in same_name else ""
        else:
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
    """No other entry is of the same system and seed.

    Raises:
        BoardError: there is one.
    """
    key, seed = _key(entry), entry.record.asked.seed
    for other, one in others.items():
        if one.record.asked.seed == seed and _key(one) == key:
            _require_different_seeds({other: one, path: entry})


def command_of(system: System) -> str:
    """The command that makes a measured system's runs again, all seeds of it."""
    asked = system.records[0].asked
    named = [("dataset", asked.dataset), ("split", asked.split), ("profile", asked.profile)]
    named += [("machine", machine) for machine in asked.machines or ()]
    threads = system.records[0].environment.threads
    named += [("threshold", asked.threshold), ("threads", None if threads is None else str(threads))]
    named += [("seed", str(record.asked.seed)) for record in system.records]
    return _command("run", system.records[0], named)


def fit_command_of(system: System) -> str:
    """The command that fits a measured system to a folder of somebody's own recordings."""
    record = system.records[0]
    return f"{_command('fit FOLDER', record, [('profile', record.asked.profile)])} --false-alarms 0.05 --to machine.asd"


def _command(verb: str, record: RunRecord, options: Sequence[tuple[str, str | None]]) -> str:
    asked = record.asked
    named: list[tuple[str, str | None]] = [("system", asked.system)]
    if asked.system is None:
        named = [("extractor", asked.extractor), ("scorer", asked.scorer)]
    words = [word for name, value in (*named, *options) if value is not None for word in (f"--{name}", value)]
    for name, setting in asked.params.items():
        words += ["-p", f"{name}={','.join(map(str, setting)) if isinstance(setting, list) else setting}"]
    components = [record.extractor, record.scorer, record.frontend, *record.augmentations]
    if not all(used.target.startswith("asdbench.") for used in components):
        words += ["--plugin-path", PLUGINS]  # a record does not know where the folder lies
    return " ".join([f"asdbench {verb}", *map(quote, words)])


def _first(group: Mapping[Path, Entry]) -> Entry:
    return next(iter(group.values()))


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


def _settings(entry: Entry) -> dict[str, Any]:
    """All that seeds of one system share: parameters, versions, device, threads and data, by "component.parameter".

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
