"""What is compared: a run, or all seeds of a system, looked up by name."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from asdbench.core.digests import digest
from asdbench.core.errors import AsdbenchError, UsageError, did_you_mean
from asdbench.core.paths import expand_user
from asdbench.harness.record import FILE, RunRecord, load_record
from asdbench.harness.run_names import find_run, is_of_system
from asdbench.harness.store import find_runs, varied_params, varied_text


@dataclass(frozen=True)
class Run:
    """A run in a folder."""

    folder: Path
    record: RunRecord


@dataclass(frozen=True)
class RunGroup:
    """One side of a comparison."""

    asked: str  # as the command names it
    system: str  # how people call what was run
    runs: Mapping[str, tuple[Run, ...]]  # by data set; one for each seed, in their order
    single: bool  # whether one run was named, not a system
    failed: tuple[Run, ...] = ()  # runs of it that have no score and are left out
    # folders of records that cannot be read and may be of it, with the reason
    unreadable: Mapping[Path, str] = field(default_factory=dict)


def find_run_group(asked: str, out: Path, dataset: str | None = None) -> RunGroup:
    """What a name means: a run's folder or id, else a system, else a run as everywhere.

    A system is named by its card, or as ``extractor+scorer`` or ``extractor-scorer``; all seeds of it count. Before
    either, with a slash, may stand another folder than ``out``.

    Raises:
        UsageError: there is no such run or system, or it means several.
        RecordError: the record of a run named by itself cannot be read.
        AsdbenchError: what is named failed.
    """
    path = expand_user(asked)
    root, name = (path.parent, path.name) if path.parent != Path() and path.parent.is_dir() else (out, asked)
    for folder in (path, root / name):
        if (folder / FILE).is_file():
            return _single(asked, folder, dataset)
    if root == out and not out.is_dir():
        raise UsageError(f"There is no run {asked}, and no folder {out} in which a system could be looked for.")
    stored = find_runs(root)
    of_system = {folder: record for folder, record in stored.runs.items() if is_of_system(record, name)}
    if of_system:
        return _system(asked, root, of_system, stored.damaged, dataset)
    return _single(asked, find_run(name, root), dataset)


def run_group_of(records: Mapping[Path, RunRecord]) -> RunGroup:
    """All seeds of one system, whose runs are done, by their folders.

    Raises:
        UsageError: they are of several systems, of other recordings, or a seed stands twice.
    """
    folder, record = next(iter(records.items()))
    if len(records) == 1:
        return _one_run(folder.name, folder, record)
    return _system(record.name, folder.parent, records, {}, None)


def require_same_data(first: RunGroup, second: RunGroup, dataset: str) -> None:
    """Refuse two whose scores on a data set are not of the same kind.

    Raises:
        UsageError: the protocols, or the recordings, differ.
    """
    _require_same(first.asked, first.runs[dataset][0].record, second.asked, second.runs[dataset][0].record)


def missing_runs(before: RunGroup, now: RunGroup) -> list[str]:
    """What the second does not have and should, one line each: a gate must not pass because seeds have failed.

    Of a system: runs that failed or cannot be read, and data sets and seeds that the first has. Where a run is named
    by itself, that run was asked for and nothing else, so its seed need not be the other's.
    """
    if now.single:
        return []
    there = {(name, run.record.asked.seed) for name, runs in now.runs.items() for run in runs}
    failed = {(run.record.dataset.name, run.record.asked.seed): run for run in now.failed}
    lines = [
        f"seed {seed} on {name} failed ({run.folder.name}): {reason_of(run.record)}"
        for (name, seed), run in failed.items()
        if (name, seed) not in there
    ]
    lines += [f"{folder.name} cannot be read and may be of it" for folder in now.unreadable]
    for name, runs in before.runs.items():
        seeds = [run.record.asked.seed for run in runs]
        missing = [str(seed) for seed in seeds if (name, seed) not in there | failed.keys()]
        if name not in now.runs:
            if not any(dataset == name for dataset, _ in failed):
                lines.append(f"no run on {name}, which A has")
        elif missing and not before.single:
            lines.append(f"no run of seed{'s' if len(missing) > 1 else ''} {', '.join(missing)} on {name}, which A has")
    return lines


def reason_of(record: RunRecord) -> str:
    """Why a run failed: its first failure."""
    return str(record.failures[0]) if record.failures else "it does not say why."


def _single(asked: str, folder: Path, dataset: str | None) -> RunGroup:
    record = load_record(folder)
    _require_on(dataset, asked, [record.dataset.name])
    if record.status != "done":
        raise AsdbenchError(
            f"{asked} failed, so it has no score: {reason_of(record)}\n"
            "Fix that and run it again: asdbench run ... --retry-failed"
        )
    return _one_run(asked, folder, record)


def _one_run(asked: str, folder: Path, record: RunRecord) -> RunGroup:
    return RunGroup(asked, record.name, {record.dataset.name: (Run(folder, record),)}, single=True)


def _system(
    asked: str, root: Path, records: Mapping[Path, RunRecord], damaged: Mapping[Path, str], dataset: str | None
) -> RunGroup:
    _require_on(dataset, asked, [record.dataset.name for record in records.values()])
    runs = [Run(folder, record) for folder, record in records.items() if dataset in (None, record.dataset.name)]
    done = sorted((run for run in runs if run.record.status == "done"), key=lambda run: run.record.asked.seed)
    failed = [run for run in runs if run.record.status != "done"]
    if not done:
        reasons = "; ".join(f"{run.folder.name}: {reason_of(run.record)}" for run in failed)
        raise AsdbenchError(f"All runs of {asked} in {root} failed, so it has no score. {reasons}")
    by_dataset: dict[str, tuple[Run, ...]] = {}
    for name in sorted({run.record.dataset.name for run in done}):
        by_dataset[name] = tuple(run for run in done if run.record.dataset.name == name)
        _require_one_system(asked, name, by_dataset[name])
    unreadable = {folder: reason for folder, reason in damaged.items() if _may_be_of(folder.name, runs)}
    return RunGroup(asked, done[0].record.name, by_dataset, False, tuple(failed), unreadable)


def _require_one_system(asked: str, dataset: str, runs: Sequence[Run]) -> None:
    """Parameters, versions and data are the same, and no seed stands twice."""
    names: dict[str, list[str]] = {}
    texts: dict[str, str] = {}
    for run, varied in zip(runs, varied_params([run.record for run in runs]), strict=True):
        record = run.record
        settings = digest([used.model_dump(mode="json") for _, used in record.components], 32)
        names.setdefault(settings, []).append(run.folder.name)
        texts[settings] = f"{varied_text(varied)}: " if varied else ""
    if len(names) > 1:
        lines = "".join(f"\n  {texts[settings]}{', '.join(ids)}" for settings, ids in names.items())
        raise UsageError(
            f"{asked} on {dataset} means {len(names)} systems, which differ in parameters or versions:{lines}\n"
            "Name the runs, or put them into different folders: compare OTHER_FOLDER/NAME. "
            "asdbench runs show RUN shows all parameters."
        )
    for one, other in pairwise(runs):
        _require_same(runs[0].folder.name, runs[0].record, other.folder.name, other.record)
        seed = other.record.asked.seed
        if one.record.asked.seed == seed:
            names_of_both = f"{one.folder.name} and {other.folder.name}"
            raise UsageError(f"{asked} on {dataset} has seed {seed} twice: {names_of_both}.")


def _require_same(first: str, one: RunRecord, second: str, two: RunRecord) -> None:
    data, other = one.dataset, two.dataset
    problem = ""
    if data.protocol != other.protocol:
        problem = f"protocol: {data.protocol} and {other.protocol}"
    elif data.name != other.name:
        problem = f"data: {data.name} and {other.name}"
    elif machines := sorted(set(data.test_clips) ^ set(other.test_clips)):
        problem = f"data: only one of them has {', '.join(machines)} of {data.name}"
    else:
        versions = f"data: {data.name} ({data.fingerprint[:8]}) and {data.name} ({other.fingerprint[:8]})"
        if data.fingerprints and other.fingerprints:
            changed = sorted({machine for machine, _ in data.fingerprints.items() ^ other.fingerprints.items()})
            problem = f"{versions} have other recordings of {', '.join(changed)}" if changed else ""
        elif data.fingerprint != other.fingerprint:
            problem = versions
    if problem:
        raise UsageError(f"{first} and {second} are not of the same {problem}.")


def _may_be_of(folder: str, runs: Sequence[Run]) -> bool:
    """Whether a folder may hold a run of the system; a run's id states system and data set, another name does not."""
    if not re.search(r"-s\d+-[0-9a-f]+$", folder):
        return True
    return any(folder.rsplit("-", 2)[0] == run.record.run_id.rsplit("-", 2)[0] for run in runs)


def _require_on(dataset: str | None, asked: str, names: Iterable[str]) -> None:
    names = sorted(set(names))
    if dataset is not None and dataset not in names:
        hint = did_you_mean(dataset, names)
        raise UsageError(f"--dataset {dataset}: {asked} has no run on it.{hint} It has: {', '.join(names)}.")
