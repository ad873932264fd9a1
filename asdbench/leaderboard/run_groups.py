"""What is compared: a run, or all seeds of a system, looked up by name."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from asdbench.core.digests import digest
from asdbench.core.errors import AsdbenchError, UsageError, did_you_mean
from asdbench.core.paths import expand_user
from asdbench.harness.record import FILE, RunRecord, load_record
from asdbench.harness.store import Stored, find_run, find_runs


@dataclass(frozen=True)
class Run:
    """A run in a folder."""

    folder: Path
    record: RunRecord


@dataclass(frozen=True)
class RunGroup:
    """One side of a comparison.

    Attributes:
        asked: as the command names it.
        system: how people call what was run.
        runs: by data set; one for each seed, in their order.
        single: whether one run was named, not a system.
        failed: runs of it that have no score and are left out.
        unreadable: folders of records that cannot be read and may be of it, with the reason.
    """

    asked: str
    system: str
    runs: Mapping[str, tuple[Run, ...]]
    single: bool
    failed: tuple[Run, ...] = ()
    unreadable: Mapping[Path, str] = field(default_factory=dict)


def find_run_group(asked: str, out: Path, dataset: str | None = None) -> RunGroup:
    """What a name means: a run's folder or id, else a system, else the beginning of a run's id.

    A system is named by its card, or as ``extractor+scorer`` or ``extractor-scorer``; all seeds of it count. Before
    either, with a slash, may stand another folder than ``out``.

    Args:
        asked: the name.
        out: where the runs' folders lie.
        dataset: only runs on this data set.

    Raises:
        UsageError: there is no such run or system, or it means several.
        RecordError: the record of a run named by itself cannot be read.
        AsdbenchError: what is named failed.
    """
    if (expand_user(asked) / FILE).is_file():
        return _single(asked, expand_user(asked), dataset)
    path = expand_user(asked)
    root, name = (path.parent, path.name) if path.parent != Path() and path.parent.is_dir() else (out, asked)
    if (root / name / FILE).is_file():
        return _single(asked, root / name, dataset)
    if root == out and not out.is_dir():
        raise UsageError(f"There is no run {asked}, and no folder {out} in which a system could be looked for.")
    stored = find_runs(root)
    own = {folder: record for folder, record in stored.runs.items() if _plain(name) in _spellings(record)}
    if own:
        return _system(asked, root, own, stored.damaged, dataset)
    if any(folder.name.startswith(name) for folder in root.glob("*") if (folder / FILE).is_file()):
        return _single(asked, find_run(name, root), dataset)
    raise UsageError(_unknown(name, root, stored))


def run_group_of(records: Mapping[Path, RunRecord]) -> RunGroup:
    """All seeds of one system, whose runs are done, by their folders.

    Raises:
        UsageError: they are of several systems, of other recordings, or a seed stands twice.
    """
    first, *_ = records.values()
    name = first.name
    if len(records) == 1:
        (folder,) = records
        return RunGroup(folder.name, name, {first.dataset.name: (Run(folder, first),)}, single=True)
    return _system(name, next(iter(records)).parent, records, {}, None)


def require_same_data(first: RunGroup, second: RunGroup, dataset: str) -> None:
    """Refuse two whose scores on a data set are not of the same kind.

    Raises:
        UsageError: the protocols, or the recordings, differ.
    """
    one, two = first.runs[dataset][0].record, second.runs[dataset][0].record
    _require_same([(first.asked, one), (second.asked, two)])


def _require_same(named: Sequence[tuple[str, RunRecord]]) -> None:
    (first, one), *others = named
    for second, two in others:
        if one.dataset.protocol != two.dataset.protocol:
            of = f"{one.dataset.protocol} and {two.dataset.protocol}"
            raise UsageError(f"{first} and {second} are not of the same protocol: {of}.")
        if one.dataset.name != two.dataset.name:
            of = f"{one.dataset.name} and {two.dataset.name}"
            raise UsageError(f"{first} and {second} are not of the same data: {of}.")
        apart = _data_apart(one, two)
        if apart:
            raise UsageError(f"{first} and {second} are not of the same data: {apart}.")


def _data_apart(one: RunRecord, two: RunRecord) -> str | None:
    """How the recordings of two runs on a data set differ."""
    name, data, other = one.dataset.name, one.dataset, two.dataset
    machines = sorted(set(data.test_clips) ^ set(other.test_clips))
    if machines:
        return f"only one of them has {', '.join(machines)} of {name}"
    if data.fingerprints and other.fingerprints:
        changed = sorted(
            machine for machine in data.fingerprints if data.fingerprints[machine] != other.fingerprints.get(machine)
        )
        if not changed:
            return None
        return (
            f"{name} ({data.fingerprint[:8]}) and {name} ({other.fingerprint[:8]}) have other recordings of "
            f"{', '.join(changed)}"
        )
    if data.fingerprint == other.fingerprint:
        return None
    return f"{name} ({data.fingerprint[:8]}) and {name} ({other.fingerprint[:8]})"


def _single(asked: str, folder: Path, dataset: str | None) -> RunGroup:
    record = load_record(folder)
    _require_on(dataset, asked, [record.dataset.name])
    if record.status != "done":
        raise AsdbenchError(
            f"{asked} failed, so it has no score: {reason_of(record)}\n"
            "Fix that and run it again: asdbench run ... --retry-failed"
        )
    return RunGroup(asked, record.name, {record.dataset.name: (Run(folder, record),)}, single=True)


def _system(
    asked: str, root: Path, own: Mapping[Path, RunRecord], damaged: Mapping[Path, str], dataset: str | None
) -> RunGroup:
    _require_on(dataset, asked, [record.dataset.name for record in own.values()])
    wanted = [Run(folder, record) for folder, record in own.items() if dataset in (None, record.dataset.name)]
    done = [run for run in wanted if run.record.status == "done"]
    failed = [run for run in wanted if run.record.status != "done"]
    if not done:
        reasons = "; ".join(f"{run.folder.name}: {reason_of(run.record)}" for run in failed)
        raise AsdbenchError(f"All runs of {asked} in {root} failed, so it has no score. {reasons}")
    runs: dict[str, tuple[Run, ...]] = {}
    for name in sorted({run.record.dataset.name for run in done}):
        there = [run for run in done if run.record.dataset.name == name]
        _require_one_system(asked, name, there)
        runs[name] = tuple(sorted(there, key=lambda run: run.record.asked.seed))
    perhaps = {folder: reason for folder, reason in damaged.items() if _may_be_of(folder.name, wanted)}
    return RunGroup(asked, done[0].record.name, runs, single=False, failed=tuple(failed), unreadable=perhaps)


def _may_be_of(folder: str, runs: Sequence[Run]) -> bool:
    """Whether a folder may hold a run of the system; a run's id tells, another name does not."""
    if not re.search(r"-s\d+-[0-9a-f]+$", folder):
        return True
    return any(_beginning(folder) == _beginning(run.record.run_id) for run in runs)


def _beginning(run_id: str) -> str:
    """System and data set of a run's id: all but seed and digest."""
    return run_id.rsplit("-", 2)[0]


def _require_one_system(asked: str, dataset: str, runs: Sequence[Run]) -> None:
    groups: dict[str, list[str]] = {}
    for run in runs:
        groups.setdefault(_settings(run.record), []).append(run.folder.name)
    if len(groups) > 1:
        lines = "".join(f"\n  {', '.join(ids)}" for ids in groups.values())
        raise UsageError(
            f"{asked} on {dataset} means {len(groups)} systems, which differ in parameters or versions:{lines}\n"
            "Name the runs, or keep them in folders of their own: compare OTHER_FOLDER/NAME. "
            "asdbench runs show RUN tells parameters."
        )
    _require_same([(run.folder.name, run.record) for run in runs])
    seeds: dict[int, str] = {}
    for run in runs:
        seed = run.record.asked.seed
        if seed in seeds:
            raise UsageError(f"{asked} on {dataset} has seed {seed} twice: {seeds[seed]} and {run.folder.name}.")
        seeds[seed] = run.folder.name


def _settings(record: RunRecord) -> str:
    """Digest of all that seeds of one system share."""
    parts = [record.extractor, record.scorer, record.frontend, *record.augmentations]
    return digest([part.model_dump(mode="json") for part in parts], 32)


def _spellings(record: RunRecord) -> set[str]:
    if record.asked.system:
        return {_plain(record.asked.system)}
    return {_plain(f"{record.extractor.name}{mark}{record.scorer.name}") for mark in "+-"}


def _plain(name: str) -> str:
    return re.sub(r"\s*\+\s*", "+", name.strip()).casefold()


def _require_on(dataset: str | None, asked: str, names: Iterable[str]) -> None:
    names = sorted(set(names))
    if dataset is not None and dataset not in names:
        hint = did_you_mean(dataset, names)
        raise UsageError(f"--dataset {dataset}: {asked} has no run on it.{hint} It has: {', '.join(names)}.")


def reason_of(record: RunRecord) -> str:
    """Why a run failed: its first failure."""
    if not record.failures:
        return "it does not say why."
    failure = record.failures[0]
    return f"{failure.stage}{f' of {failure.machine}' if failure.machine else ''}: {failure.reason}"


def _unknown(name: str, root: Path, stored: Stored) -> str:
    systems = sorted({record.name for record in stored.runs.values()})
    spelt = {_plain(system): system for system in systems}
    hint = did_you_mean(_plain(name), [*spelt, *(folder.name for folder in stored.runs)])
    for plain, system in spelt.items():
        hint = hint.replace(f"'{plain}'", f"'{system}'")
    unreadable = f"\n{len(stored.unreadable)} records there cannot be read." if stored.unreadable else ""
    return f"No run '{name}' in {root}, and no system.{hint} See: asdbench runs list --out {root}{unreadable}"


def missing_runs(before: RunGroup, now: RunGroup) -> list[str]:
    """What the second has not to show that it should, one line each; empty where it is whole.

    Of a system: runs that failed or cannot be read, and data sets and seeds that the first has. Where a run is named
    by itself, that run was asked for and nothing else, so its seed need not be the other's.
    """
    if now.single:
        return []
    there = {(name, run.record.asked.seed) for name, runs in now.runs.items() for run in runs}
    found = []
    failed = set()
    for run in now.failed:
        place = run.record.dataset.name, run.record.asked.seed
        if place not in there:
            failed.add(place)
            found.append(f"seed {place[1]} on {place[0]} failed ({run.folder.name}): {reason_of(run.record)}")
    found += [f"{folder.name} cannot be read and may be of it" for folder in now.unreadable]
    for name, runs in before.runs.items():
        seeds = [run.record.asked.seed for run in runs]
        own = [seed for seed in seeds if (name, seed) not in there | failed]
        if name not in now.runs:
            if not any(place[0] == name for place in failed):
                found.append(f"no run on {name}, which A has")
        elif own and not before.single:
            numbers = ", ".join(map(str, own))
            found.append(f"no run of seed{'s' if len(own) > 1 else ''} {numbers} on {name}, which A has")
    return found
