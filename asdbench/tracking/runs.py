"""A run as MLflow entries: a parent for the whole, a child for each machine type."""

from collections.abc import Iterator, Mapping
from typing import Any

from asdbench.harness.learned import learned, learning_columns
from asdbench.harness.record import RunRecord, TrainedNetwork
from asdbench.harness.store import name_of, result_rows
from asdbench.pages.markdown import escaped
from asdbench.protocols.results import MachineResult
from asdbench.tracking.entry import (
    DatasetInput,
    Entry,
    Point,
    Status,
    as_params,
    as_points,
    as_tags,
    milliseconds,
)

TERMS = ("auc_source", "auc_target", "auc", "pauc", "f1", "official_score")


def run_entries(record: RunRecord) -> tuple[Entry, list[Entry]]:
    """The parent, and its children by machine type."""
    end_ms = milliseconds(record.finished_at)
    start_ms = end_ms - round(1000 * sum(record.seconds.values()))
    params = as_params(_params(record))
    tags = as_tags(_tags(record))
    status: Status = "FINISHED" if record.status == "done" else "FAILED"
    machines = list(record.dataset.test_clips)
    parent = Entry(
        key="",
        name=f"{name_of(record)}, seed {record.asked.seed}",
        status=status,
        start_ms=start_ms,
        end_ms=end_ms,
        params=params,
        points=[
            *as_points(_totals(record), end_ms),
            *_curves(record.training, machines, start_ms, record.seconds.get("fit", 0.0)),
        ],
        tags={**tags, **as_tags({"asdbench.failures": _failures(record, None), "mlflow.note.content": _note(record)})},
        inputs=_inputs(record, machines),
    )
    children = []
    for machine in machines:
        result = _result(record, machine)
        failures = _failures(record, machine)
        children.append(
            Entry(
                key=machine,
                name=f"{machine}: {parent.name}",
                status="FINISHED" if status == "FINISHED" or (result and not failures) else "FAILED",
                start_ms=start_ms,
                end_ms=end_ms,
                params={**params, "machine": machine},
                points=[
                    *as_points(_of_machine(record, machine, result), end_ms),
                    *_curves(record.training, [machine], start_ms, record.seconds.get("fit", 0.0)),
                ],
                tags={**tags, **as_tags({"machine": machine, "asdbench.failures": failures})},
                inputs=_inputs(record, [machine]),
            )
        )
    return parent, children


def _params(record: RunRecord) -> dict[str, Any]:
    """What was chosen, named alike for all systems, so that they stand side by side."""
    asked, own = record.asked, record.environment
    found: dict[str, Any] = {
        "system": name_of(record),
        "extractor": record.extractor.name,
        "scorer": record.scorer.name,
        "frontend": record.frontend.name,
        "augmentations": ", ".join(part.name for part in record.augmentations) or None,
        "dataset": record.dataset.name,
        "split": asked.split,
        "protocol": record.dataset.protocol,
        "seed": asked.seed,
        "profile": asked.profile,
        "device": own.device,
        "threads": own.threads,
    }
    parts = [("extractor", record.extractor), ("frontend", record.frontend), ("scorer", record.scorer)]
    parts += [(f"augmentation.{part.name}", part) for part in record.augmentations]
    for role, part in parts:
        found |= {f"{role}.{name}": value for name, value in part.params.items()}
    return found


def _tags(record: RunRecord) -> dict[str, Any]:
    own = record.environment
    parts = (record.extractor, record.frontend, *record.augmentations, record.scorer)
    return {
        "mlflow.source.name": "asdbench run",
        "mlflow.source.type": "LOCAL",
        "mlflow.source.git.commit": own.git_commit,
        "asdbench.git_commit": own.git_commit,
        "asdbench.git_dirty": own.git_dirty,
        "asdbench.run_id": record.run_id,
        "asdbench.status": record.status,
        "asdbench.notes": "\n".join(record.notes),
        "asdbench.fingerprint": record.dataset.fingerprint,
        "asdbench.partial": "; ".join(record.dataset.lacks),
        "asdbench.learned": found.text if (found := learned(record)) else "",
        "asdbench.platform": own.platform,
        **{f"card.{part.name}": f"version {part.version}" for part in parts},
        "package.python": own.python,
        **{f"package.{name}": version for name, version in own.packages.items()},
    }


def _note(record: RunRecord) -> str:
    """What the UI shows on top of a run: what went wrong, and what to know."""
    lines = [
        f"- **{escaped(failure.machine or 'all')}**, {escaped(failure.stage)}: {escaped(failure.reason)}"
        for failure in record.failures
    ]
    lines += [f"- partial: {escaped(line)}" for line in record.dataset.lacks]
    found = learned(record)
    lines += [f"- {escaped(found.text)}"] if found else []
    lines += [f"- {escaped(note)}" for note in record.notes]
    return "\n".join(lines)


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
    """Of the whole under plain names, of each machine type behind a slash: the UI makes a group of each term."""
    whole = list(result_rows(record))[-1]
    found: dict[str, float | None] = {term: whole[term] for term in TERMS}
    if record.ci95:
        found["official_score_ci_low"], found["official_score_ci_high"] = record.ci95
    for machine in record.dataset.test_clips:
        result = _result(record, machine)
        if result is not None:
            found |= {f"{term}/{machine}": getattr(result, term) for term in TERMS}
    found |= {f"seconds/{stage}": value for stage, value in record.seconds.items()}
    found |= _learning(record, None)
    networks = record.training
    found |= {
        "parameters": max((network.parameters or 0 for network in networks), default=0) or None,
        "macs": max((network.macs or 0 for network in networks), default=0) or None,
    }
    return found


def _of_machine(record: RunRecord, machine: str, result: MachineResult | None) -> dict[str, float | None]:
    if result is None:
        return {}
    found: dict[str, float | None] = {term: getattr(result, term) for term in TERMS}
    found |= _learning(record, machine)
    interval = record.intervals.machines.get(machine, {}).get("official_score") if record.intervals else None
    if interval:
        found["official_score_ci_low"], found["official_score_ci_high"] = interval
    return found


def _learning(record: RunRecord, machine: str | None) -> dict[str, float | None]:
    own = learning_columns(learned(record, machine=machine))
    return {name: own[name] for name in ("learning_value", "learning_chance", "learning_untrained")}


def _curves(training: list[TrainedNetwork], machines: list[str], start_ms: int, fit_s: float) -> Iterator[Point]:
    """By epoch what was measured in training: ``loss`` of the one network, ``loss/fan`` where there are several."""
    networks = [network for network in training if set(network.machines) & set(machines)]
    for network in networks:
        behind = f"/{'+'.join(network.machines)}" if len(networks) > 1 else ""
        for name, values in network.curves.items():
            for epoch, value in enumerate(values, 1):
                at_ms = start_ms + round(1000 * fit_s * epoch / len(values))
                yield from as_points({f"{name}{behind}": value}, at_ms, epoch)


def _inputs(record: RunRecord, machines: list[str]) -> list[DatasetInput]:
    """Training and test clips of the machine types."""
    data = record.dataset
    whole = len(machines) == len(data.test_clips)
    source = {"dataset": record.asked.dataset, "split": record.asked.split, "machines": machines}
    digest = data.fingerprint if whole else data.fingerprints.get(machines[0], data.fingerprint)
    name = data.name if whole else f"{data.name}, {machines[0]}"
    counts: list[tuple[str, Mapping[str, int]]] = [("training", data.train_clips), ("evaluation", data.test_clips)]
    return [
        DatasetInput(
            name=f"{name}: {'train' if context == 'training' else 'test'}",
            digest=digest[:12],  # for the eye; the whole one is a tag
            context=context,
            source=source,
            profile={
                "clips": sum(clips.get(one, 0) for one in machines),
                **{one: clips.get(one, 0) for one in machines},
            },
        )
        for context, clips in counts
    ]
