"""What MLflow stores of a run and its machine types."""

import getpass
import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from mlflow.entities import Dataset, DatasetInput, InputTag, Metric

from asdbench.harness.learned import learned, learning_columns
from asdbench.harness.record import RunRecord
from asdbench.harness.store import result_rows
from asdbench.pages.markdown import escaped
from asdbench.protocols.results import MachineResult

MAX_PARAM, MAX_TAG, MAX_NAME = 6000, 8000, 250  # characters, MLflow's limits
TERMS = ("auc_source", "auc_target", "auc", "pauc", "f1", "official_score")
COLUMNS = ("machine", "section", "domain", "label", "file")
Values = dict[str, float | None]


@dataclass(frozen=True)
class Entry:
    """One MLflow run.

    Attributes:
        record: digest that identifies it among the parents of an experiment.
        key: "run" or "study"; identifies a child among those of its parent.
        name: shown in the UI.
        status: FINISHED, FAILED or KILLED.
        start_ms: milliseconds since 1970.
        end_ms: milliseconds since 1970.
        params: what was chosen.
        metrics: results.
        tags: everything else.
        inputs: the recordings.
        complete: value of the tag that is set last; it changes with the content of the entry.
        children: machine types of a run, trials of a study.
    """

    record: str
    key: str
    name: str
    status: str
    start_ms: int
    end_ms: int
    params: dict[str, str]
    metrics: list[Metric]
    tags: dict[str, str]
    inputs: Sequence[DatasetInput] = ()
    complete: str = "true"
    children: list["Entry"] = field(default_factory=list)


def run_entry(record: RunRecord, identity: str) -> Entry:
    """The run, with a child for each machine type. ``identity``: digest of the record's file."""
    end_ms = milliseconds(record.finished_at)
    start_ms = end_ms - round(1000 * sum(record.seconds.values()))
    params, tags = _run_params(record), _run_tags(record)
    machines = list(record.dataset.test_clips)
    results = record.results.machines if record.results else record.salvaged

    def entry(machine: str | None, values: Values, ok: bool) -> Entry:
        chosen = machines if machine is None else [machine]
        name = f"{record.name}, seed {record.asked.seed}"
        of_entry = {"machine": machine, "asdbench.failures": _failures(record, machine)}
        note = {"mlflow.note.content": _note(record) if machine is None else ""}
        return Entry(
            record=identity,
            key=machine or "run",
            name=name if machine is None else f"{machine}: {name}",
            status="FINISHED" if ok else "FAILED",
            start_ms=start_ms,
            end_ms=end_ms,
            params=as_params({**params, "machine": machine}),
            metrics=[*as_metrics(values, end_ms), *_curves(record, chosen, start_ms)],
            tags=as_tags({**tags, **of_entry, **note}),
            inputs=_inputs(record, chosen),
        )

    done = record.status == "done"
    parent = entry(None, _totals(record, results), done)
    for machine in machines:
        scored = machine in results and not _failures(record, machine)
        values = _values_of_machine(record, machine, results[machine]) if machine in results else {}
        parent.children.append(entry(machine, values, done or scored))
    return parent


def _run_params(record: RunRecord) -> dict[str, Any]:
    """What was chosen, named alike for all systems, so that they can be compared."""
    asked, environment = record.asked, record.environment
    params: dict[str, Any] = {
        "system": record.name,
        "extractor": record.extractor.name,
        "scorer": record.scorer.name,
        "frontend": record.frontend.name,
        "augmentations": ", ".join(component.name for component in record.augmentations) or None,
        "dataset": record.dataset.name,
        "split": asked.split,
        "protocol": record.dataset.protocol,
        "seed": asked.seed,
        "profile": asked.profile,
        "device": environment.device,
        "threads": environment.threads,
    }
    components = {"extractor": record.extractor, "frontend": record.frontend, "scorer": record.scorer}
    components |= {f"augmentation.{component.name}": component for component in record.augmentations}
    for role, component in components.items():
        params |= {f"{role}.{name}": value for name, value in component.params.items()}
    return params


def _run_tags(record: RunRecord) -> dict[str, Any]:
    environment, learning = record.environment, learned(record)
    components = (record.extractor, record.frontend, *record.augmentations, record.scorer)
    return {
        **source_tags("asdbench run", environment.git_commit),
        "asdbench.git_dirty": environment.git_dirty,
        "asdbench.run_id": record.run_id,
        "asdbench.status": record.status,
        "asdbench.notes": "\n".join(record.notes),
        "asdbench.fingerprint": record.dataset.fingerprint,
        "asdbench.partial": "; ".join(record.dataset.lacks),
        "asdbench.learned": learning.text if learning else "",
        "asdbench.platform": environment.platform,
        **{f"card.{component.name}": f"version {component.version}" for component in components},
        "package.python": environment.python,
        **{f"package.{name}": version for name, version in environment.packages.items()},
    }


def _note(record: RunRecord) -> str:
    """What the UI shows above a run: what went wrong, and what to know."""
    failures = [
        f"- **{escaped(failure.machine or 'all')}**, {escaped(failure.stage)}: {escaped(failure.reason)}"
        for failure in record.failures
    ]
    learning = learned(record)
    notes = [f"partial: {line}" for line in record.dataset.lacks] + ([learning.text] if learning else []) + record.notes
    return "\n".join([*failures, *(f"- {escaped(line)}" for line in notes)])


def _failures(record: RunRecord, machine: str | None) -> str:
    """The reasons of all failures, or of those that concern a machine type."""
    return "\n".join(
        f"{failure.stage}{f' of {failure.machine}' if failure.machine else ''}: {failure.reason}"
        for failure in record.failures
        if machine is None or failure.machine in (None, machine)
    )


def _totals(record: RunRecord, results: Mapping[str, MachineResult]) -> Values:
    """The whole under plain names, machine types behind a slash: the UI makes a group of each term."""
    row = list(result_rows(record))[-1]
    values: Values = {term: row[term] for term in TERMS} | _interval(record.ci95)
    for machine, result in results.items():
        values |= {f"{term}/{machine}": getattr(result, term) for term in TERMS}
    values |= {f"seconds/{stage}": seconds for stage, seconds in record.seconds.items()}
    return values | _learning(record, None) | {name: row[name] or None for name in ("parameters", "macs")}


def _values_of_machine(record: RunRecord, machine: str, result: MachineResult) -> Values:
    intervals = record.intervals.machines.get(machine, {}) if record.intervals else {}
    values: Values = {term: getattr(result, term) for term in TERMS}
    return values | _interval(intervals.get("official_score")) | _learning(record, machine)


def _interval(interval: tuple[float, float] | None) -> Values:
    low, high = interval or (None, None)
    return {"official_score_ci_low": low, "official_score_ci_high": high}


def _learning(record: RunRecord, machine: str | None) -> Values:
    columns = learning_columns(learned(record, machine=machine))
    return {name: columns[name] for name in ("learning_value", "learning_chance", "learning_untrained")}


def _curves(record: RunRecord, machines: Sequence[str], start_ms: int) -> Iterator[Metric]:
    """What a training measured by epoch: ``loss`` of the one network, ``loss/fan`` where there are several."""
    fit_ms = 1000 * record.seconds.get("fit", 0.0)
    networks = [network for network in record.training if set(network.machines) & set(machines)]
    for network in networks:
        suffix = f"/{'+'.join(network.machines)}" if len(networks) > 1 else ""
        for name, values in network.curves.items():
            for epoch, value in enumerate(values, 1):
                at_ms = start_ms + round(fit_ms * epoch / len(values))
                yield from as_metrics({f"{name}{suffix}": value}, at_ms, epoch)


def _inputs(record: RunRecord, machines: Sequence[str]) -> list[DatasetInput]:
    """Training and test clips of the machine types."""
    data = record.dataset
    is_whole = len(machines) == len(data.test_clips)
    source = {"dataset": record.asked.dataset, "split": record.asked.split, "machines": machines}
    fingerprint = data.fingerprint if is_whole else data.fingerprints.get(machines[0], data.fingerprint)
    name = data.name if is_whole else f"{data.name}, {machines[0]}"
    schema = {"mlflow_colspec": [{"type": "string", "name": column, "required": True} for column in COLUMNS]}
    inputs = []
    for context, split, counts in (("training", "train", data.train_clips), ("evaluation", "test", data.test_clips)):
        clips = {machine: counts.get(machine, 0) for machine in machines}
        dataset = Dataset(
            name=f"{name}: {split}"[:500],
            digest=fingerprint[:12],  # for the eye; the whole one is a tag
            source_type="asdbench",
            source=json.dumps(source),
            schema=json.dumps(schema),
            profile=json.dumps({"clips": sum(clips.values()), **clips}),
        )
        inputs.append(DatasetInput(dataset, [InputTag("mlflow.data.context", context)]))
    return inputs


def source_tags(command: str, git_commit: str | None) -> dict[str, Any]:
    """Who did it, by which command and version."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a process whose user has no name
        user = "unknown"
    return {
        "mlflow.user": user,
        "mlflow.source.name": command,
        "mlflow.source.type": "LOCAL",
        "mlflow.source.git.commit": git_commit,
        "asdbench.git_commit": git_commit,
    }


def as_params(values: Mapping[str, Any]) -> dict[str, str]:
    """Parameters; those without a value are left out."""
    return {_name(name): _text(value, MAX_PARAM) for name, value in values.items() if value is not None}


def as_tags(values: Mapping[str, Any]) -> dict[str, str]:
    """Tags; those without a value are left out."""
    return {_name(name): _text(value, MAX_TAG) for name, value in values.items() if value not in (None, "")}


def as_metrics(values: Mapping[str, float | None], at_ms: int, step: int = 0) -> Iterator[Metric]:
    """One value each; what is missing or not finite is left out, as databases store no NaN."""
    for name, value in values.items():
        if value is not None and math.isfinite(value):
            yield Metric(_name(name), float(value), at_ms, step)


def milliseconds(time: str) -> int:
    """Of an ISO 8601 time, since 1970."""
    return round(datetime.fromisoformat(time).timestamp() * 1000)


def _name(name: str) -> str:
    """A name that MLflow takes for a parameter, metric or tag."""
    return re.sub(r"[^\w.\-:/ ]+", "_", name)[:MAX_NAME]


def _text(value: Any, longest: int) -> str:
    """A value as a run file writes it; cut where MLflow would refuse it."""
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= longest else text[: longest - 1] + "…"
