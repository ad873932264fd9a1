"""What MLflow stores of a run."""

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

MAX_PARAM, MAX_TAG, MAX_NAME = 6000, 8000, 250  # characters, MLflow's limits
TERMS = ("auc_source", "auc_target", "auc", "pauc", "f1", "official_score")
COLUMNS = ("machine", "section", "domain", "label", "file")
Values = dict[str, float | None]


@dataclass(frozen=True)
class Entry:
    """One MLflow run."""

    record: str  # digest that identifies it among the parents of an experiment
    key: str  # "run" or "study"; identifies a child among those of its parent
    name: str  # shown in the UI
    status: str  # FINISHED, FAILED or KILLED
    start_ms: int  # milliseconds since 1970
    end_ms: int  # milliseconds since 1970
    params: dict[str, str]  # what was chosen
    metrics: list[Metric]  # results
    tags: dict[str, str]  # everything else
    inputs: Sequence[DatasetInput] = ()  # the recordings
    complete: str = "true"  # value of the tag that is set last; it changes with the content of the entry
    children: list["Entry"] = field(default_factory=list)  # trials of a study


def run_entry(record: RunRecord, identity: str) -> Entry:
    """The run, with its machine types as metrics, so that a comparison shows them side by side.

    Args:
        record: of the run.
        identity: digest of the record's file.
    """
    end_ms = milliseconds(record.finished_at)
    start_ms = end_ms - round(1000 * sum(record.seconds.values()))
    failures = {"asdbench.failures": "\n".join(map(str, record.failures)), "mlflow.note.content": _note(record)}
    return Entry(
        record=identity,
        key="run",
        name=f"{record.name}, seed {record.asked.seed}",
        status="FINISHED" if record.status == "done" else "FAILED",
        start_ms=start_ms,
        end_ms=end_ms,
        params=as_params(_run_params(record)),
        metrics=[*as_metrics(_totals(record), end_ms), *_curves(record, start_ms)],
        tags=as_tags({**_run_tags(record), **failures}),
        inputs=_inputs(record),
    )


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


def _totals(record: RunRecord) -> Values:
    """The whole under plain names, machine types behind a slash: the UI makes a group of each term."""
    row = list(result_rows(record))[-1]
    values: Values = {term: row[term] for term in TERMS} | _interval(record.ci95) | _learning(record, None)
    for machine, result in record.scored.items():
        of_machine: Values = {term: getattr(result, term) for term in TERMS}
        of_machine |= _interval(record.intervals_of(machine).get("official_score"))
        of_machine |= _learning(record, machine) if len(record.training) > 1 else {}
        values |= {f"{name}/{machine}": value for name, value in of_machine.items()}
    values |= {f"seconds/{stage}": seconds for stage, seconds in record.seconds.items()}
    return values | {name: row[name] or None for name in ("parameters", "macs")}


def _interval(interval: tuple[float, float] | None) -> Values:
    low, high = interval or (None, None)
    return {"official_score_ci_low": low, "official_score_ci_high": high}


def _learning(record: RunRecord, machine: str | None) -> Values:
    columns = learning_columns(learned(record, machine=machine))
    return {name: columns[name] for name in ("learning_value", "learning_chance", "learning_untrained")}


def _curves(record: RunRecord, start_ms: int) -> Iterator[Metric]:
    """What a training measured by epoch: ``loss`` of the one network, ``loss/fan`` where there are several."""
    fit_ms = 1000 * record.seconds.get("fit", 0.0)
    for network in record.training:
        suffix = f"/{'+'.join(network.machines)}" if len(record.training) > 1 else ""
        for name, values in network.curves.items():
            for epoch, value in enumerate(values, 1):
                at_ms = start_ms + round(fit_ms * epoch / len(values))
                yield from as_metrics({f"{name}{suffix}": value}, at_ms, epoch)


def _inputs(record: RunRecord) -> list[DatasetInput]:
    """Training and test clips."""
    data = record.dataset
    source = {"dataset": record.asked.dataset, "split": record.asked.split, "machines": list(data.test_clips)}
    schema = {"mlflow_colspec": [{"type": "string", "name": column, "required": True} for column in COLUMNS]}
    inputs = []
    for context, split, counts in (("training", "train", data.train_clips), ("evaluation", "test", data.test_clips)):
        clips = {machine: counts.get(machine, 0) for machine in data.test_clips}
        dataset = Dataset(
            name=f"{data.name}: {split}"[:500],
            digest=data.fingerprint[:12],  # for the eye; the whole one is a tag
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
    return {mlflow_name(name): _text(value, MAX_PARAM) for name, value in values.items() if value is not None}


def as_tags(values: Mapping[str, Any]) -> dict[str, str]:
    """Tags; those without a value are left out."""
    return {mlflow_name(name): _text(value, MAX_TAG) for name, value in values.items() if value not in (None, "")}


def as_metrics(values: Mapping[str, float | None], at_ms: int, step: int = 0) -> Iterator[Metric]:
    """One value each; what is missing or not finite is left out, as databases store no NaN."""
    for name, value in values.items():
        if value is not None and math.isfinite(value):
            yield Metric(mlflow_name(name), float(value), at_ms, step)


def milliseconds(time: str) -> int:
    """Of an ISO 8601 time, since 1970."""
    return round(datetime.fromisoformat(time).timestamp() * 1000)


def mlflow_name(name: str) -> str:
    """A name that MLflow takes for a parameter, metric or tag."""
    return re.sub(r"[^\w.\-:/ ]+", "_", name)[:MAX_NAME]


def _text(value: Any, longest: int) -> str:
    """A value as a run file writes it; cut where MLflow would refuse it."""
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= longest else text[: longest - 1] + "…"
