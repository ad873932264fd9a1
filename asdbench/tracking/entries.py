"""What MLflow holds of a run and its machine types, and of a study and its trials."""

import getpass
import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from statistics import fmean
from typing import Any

from mlflow.entities import Dataset, DatasetInput, InputTag, Metric

from asdbench.core.digests import digest
from asdbench.harness.learned import learned, learning_columns
from asdbench.harness.record import RunRecord, TrainedNetwork
from asdbench.harness.store import result_rows
from asdbench.pages.markdown import escaped
from asdbench.protocols.results import MachineResult
from asdbench.tuning.record import StudyRecord, TrialRecord

MAX_PARAM, MAX_TAG, MAX_NAME = 6000, 8000, 250  # characters, MLflow's limits
TERMS = ("auc_source", "auc_target", "auc", "pauc", "f1", "official_score")
TRIAL_TERMS = ("official_score", "auc_source", "auc_target", "pauc")
TRIAL_STATUS = {"done": "FINISHED", "pruned": "KILLED", "failed": "FAILED"}
OBJECTIVES = {"score": "official_score", "seconds": "seconds", "parameters": "parameters"}
COLUMNS = ("machine", "section", "domain", "label", "file")


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
        metrics: what came out.
        tags: everything else.
        inputs: the recordings.
        complete: value of the tag that is set last; it changes with what the entry holds.
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
    inputs: list[DatasetInput] = field(default_factory=list)
    complete: str = "true"
    children: list["Entry"] = field(default_factory=list)


def run_entry(record: RunRecord, identity: str) -> Entry:
    """The run, with a child for each machine type. ``identity``: digest of the record's file."""
    end_ms = _milliseconds(record.finished_at)
    start_ms = end_ms - round(1000 * sum(record.seconds.values()))
    fit_s = record.seconds.get("fit", 0.0)
    params, tags = _run_params(record), _run_tags(record)
    machines = list(record.dataset.test_clips)
    done = record.status == "done"

    def entry(machine: str | None, name: str, values: Mapping[str, float | None], ok: bool, note: str) -> Entry:
        chosen = machines if machine is None else [machine]
        more = {"machine": machine, "asdbench.failures": _failures(record, machine), "mlflow.note.content": note}
        return Entry(
            record=identity,
            key=machine or "run",
            name=name,
            status="FINISHED" if ok else "FAILED",
            start_ms=start_ms,
            end_ms=end_ms,
            params=as_params({**params, "machine": machine}),
            metrics=[*as_metrics(values, end_ms), *_curves(record.training, chosen, start_ms, fit_s)],
            tags=as_tags({**tags, **more}),
            inputs=_inputs(record, chosen),
        )

    name = f"{record.name}, seed {record.asked.seed}"
    parent = entry(None, name, _totals(record), done, _note(record))
    for machine in machines:
        result = _result(record, machine)
        scored = result is not None and not _failures(record, machine)
        values = _of_machine(record, machine, result)
        parent.children.append(entry(machine, f"{machine}: {name}", values, done or scored, ""))
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
    components = [("extractor", record.extractor), ("frontend", record.frontend), ("scorer", record.scorer)]
    components += [(f"augmentation.{component.name}", component) for component in record.augmentations]
    for role, component in components:
        params |= {f"{role}.{name}": value for name, value in component.params.items()}
    return params


def _run_tags(record: RunRecord) -> dict[str, Any]:
    environment, learning = record.environment, learned(record)
    components = (record.extractor, record.frontend, *record.augmentations, record.scorer)
    return {
        **_source_tags("asdbench run", environment.git_commit),
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
    lines = [
        f"- **{escaped(failure.machine or 'all')}**, {escaped(failure.stage)}: {escaped(failure.reason)}"
        for failure in record.failures
    ]
    learning = learned(record)
    more = [f"partial: {line}" for line in record.dataset.lacks] + ([learning.text] if learning else []) + record.notes
    return "\n".join([*lines, *(f"- {escaped(line)}" for line in more)])


def _failures(record: RunRecord, machine: str | None) -> str:
    """The reasons of all failures, or of those that concern a machine type."""
    return "\n".join(
        f"{failure.stage}{f' of {failure.machine}' if failure.machine else ''}: {failure.reason}"
        for failure in record.failures
        if machine is None or failure.machine in (None, machine)
    )


def _result(record: RunRecord, machine: str) -> MachineResult | None:
    return (record.results.machines if record.results else record.salvaged).get(machine)


def _totals(record: RunRecord) -> dict[str, float | None]:
    """The whole under plain names, machine types behind a slash: the UI makes a group of each term."""
    row = list(result_rows(record))[-1]
    values: dict[str, float | None] = {term: row[term] for term in TERMS}
    if record.ci95:
        values["official_score_ci_low"], values["official_score_ci_high"] = record.ci95
    for machine in record.dataset.test_clips:
        result = _result(record, machine)
        if result is not None:
            values |= {f"{term}/{machine}": getattr(result, term) for term in TERMS}
    values |= {f"seconds/{stage}": seconds for stage, seconds in record.seconds.items()}
    values |= _learning(record, None)
    for name in ("parameters", "macs"):
        values[name] = max((getattr(network, name) or 0 for network in record.training), default=0) or None
    return values


def _of_machine(record: RunRecord, machine: str, result: MachineResult | None) -> dict[str, float | None]:
    if result is None:
        return {}
    values: dict[str, float | None] = {term: getattr(result, term) for term in TERMS} | _learning(record, machine)
    interval = record.intervals.machines.get(machine, {}).get("official_score") if record.intervals else None
    if interval:
        values["official_score_ci_low"], values["official_score_ci_high"] = interval
    return values


def _learning(record: RunRecord, machine: str | None) -> dict[str, float | None]:
    columns = learning_columns(learned(record, machine=machine))
    return {name: columns[name] for name in ("learning_value", "learning_chance", "learning_untrained")}


def _curves(training: list[TrainedNetwork], machines: list[str], start_ms: int, fit_s: float) -> Iterator[Metric]:
    """What a training measured by epoch: ``loss`` of the one network, ``loss/fan`` where there are several."""
    networks = [network for network in training if set(network.machines) & set(machines)]
    for network in networks:
        suffix = f"/{'+'.join(network.machines)}" if len(networks) > 1 else ""
        for name, values in network.curves.items():
            for epoch, value in enumerate(values, 1):
                at_ms = start_ms + round(1000 * fit_s * epoch / len(values))
                yield from as_metrics({f"{name}{suffix}": value}, at_ms, epoch)


def _inputs(record: RunRecord, machines: list[str]) -> list[DatasetInput]:
    """Training and test clips of the machine types."""
    data = record.dataset
    whole = len(machines) == len(data.test_clips)
    source = {"dataset": record.asked.dataset, "split": record.asked.split, "machines": machines}
    fingerprint = data.fingerprint if whole else data.fingerprints.get(machines[0], data.fingerprint)
    name = data.name if whole else f"{data.name}, {machines[0]}"
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


def study_entry(study: StudyRecord, trials: Mapping[str, TrialRecord], complete: str) -> Entry:
    """The study as it stands; its metrics get a point each time that it is sent, at the number of its trials.

    Args:
        study: its record.
        trials: by the digests of their files.
        complete: digest of what its folder holds.
    """
    end_ms = _milliseconds(study.updated_at)
    scores = {
        "official_score": study.best.score if study.best else None,
        "default_score": study.default.score if study.default else None,
        "leave_one_out_score": study.leave_one_out.score if study.leave_one_out else None,
        **{f"trials/{state}": float(count) for state, count in study.counts.items()},
        **{f"importance/{name}": value for name, value in study.importances.items()},
    }
    asked = {name: _flat(value) for name, value in study.asked.items() if not isinstance(value, dict)}
    seeds = ", ".join(map(str, study.seeds))
    tags = {
        **_source_tags("asdbench tune", study.git_commit),
        "asdbench.study": study.name,
        "asdbench.fingerprint": study.fingerprint,
        "asdbench.admissible": study.admissible,
        "asdbench.objectives": ", ".join(study.objectives),
        "asdbench.sampler": study.sampler,
        "asdbench.pruner": study.pruner,
        "asdbench.storage": study.storage,
        "asdbench.space": study.space,
        "asdbench.defaults": study.defaults,
        # Here and not on the trials, which are sent once, while the best one changes.
        "asdbench.best_trial": study.best.trial if study.best else None,
        "asdbench.default_trial": study.default.trial if study.default else None,
        "asdbench.pareto": study.pareto or None,
    }
    return Entry(
        record=digest([study.name, study.fingerprint, study.id], 32),  # its file changes with every trial
        key="study",
        name=f"study {study.name}",
        status="FINISHED",
        start_ms=min([end_ms, *(_milliseconds(trial.started_at) for trial in trials.values())]),
        end_ms=end_ms,
        params=as_params({**asked, "dataset": study.dataset, "protocol": study.protocol, "seeds": seeds}),
        metrics=[*as_metrics(scores, end_ms, sum(study.counts.values()))],
        tags=as_tags(tags),
        complete=complete,
        children=[_trial_entry(study, trial, record) for record, trial in trials.items()],
    )


def _trial_entry(study: StudyRecord, trial: TrialRecord, record: str) -> Entry:
    """One trial: tuned parameters, values of the objectives, and of each machine type the mean over seeds."""
    start_ms = _milliseconds(trial.started_at)
    end_ms = start_ms + round(1000 * trial.seconds)
    values: dict[str, float | None] = {
        OBJECTIVES[objective]: value for objective, value in zip(study.objectives, trial.values, strict=False)
    }
    for machine in study.machines:
        for term in TRIAL_TERMS:
            terms = [getattr(parts[machine], term) for parts in trial.parts.values() if machine in parts]
            values[f"{term}/{machine}"] = fmean(terms) if terms and None not in terms else None
    values.setdefault("seconds", trial.seconds)
    tags = {
        **_source_tags("asdbench tune", study.git_commit),
        "mlflow.note.content": escaped(trial.reason),
        "asdbench.study": study.name,
        "asdbench.trial": trial.number,
        "asdbench.state": trial.state,
        "asdbench.reason": trial.reason,
        "asdbench.worker": trial.worker,
        "asdbench.retry_of": trial.retry_of,
        "asdbench.runs": ", ".join(trial.runs),
    }
    return Entry(
        record=record,
        key=f"trial {trial.number}",
        name=f"trial {trial.number}",
        status=TRIAL_STATUS[trial.state],
        start_ms=start_ms,
        end_ms=end_ms,
        params=as_params({"dataset": study.dataset, **trial.params}),
        metrics=[*as_metrics(values, end_ms)],
        tags=as_tags(tags),
        complete=record,
    )


def _source_tags(command: str, git_commit: str | None) -> dict[str, Any]:
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
    """One value each; what is missing or not finite is left out, as databases keep no NaN."""
    for name, value in values.items():
        if value is not None and math.isfinite(value):
            yield Metric(_name(name), float(value), at_ms, step)


def _milliseconds(moment: str) -> int:
    return round(datetime.fromisoformat(moment).timestamp() * 1000)


def _name(name: str) -> str:
    """A name that MLflow takes for a parameter, metric or tag."""
    return re.sub(r"[^\w.\-:/ ]+", "_", name)[:MAX_NAME]


def _text(value: Any, longest: int) -> str:
    """A value as a run file writes it; cut where MLflow would refuse it."""
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= longest else text[: longest - 1] + "…"


def _flat(value: Any) -> Any:
    """A list as text; an empty one is left out."""
    return (", ".join(map(str, value)) or None) if isinstance(value, list) else value
