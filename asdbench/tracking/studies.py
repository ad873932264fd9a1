"""A study as MLflow entries: a parent for the study, a child for each trial."""

from collections.abc import Mapping
from statistics import fmean
from typing import Any

from asdbench.pages.markdown import escaped
from asdbench.tracking.entry import Entry, Status, as_params, as_points, as_tags, milliseconds
from asdbench.tuning.record import StudyRecord, TrialRecord

STATUS: Mapping[str, Status] = {"done": "FINISHED", "pruned": "KILLED", "failed": "FAILED"}
VALUE = {"score": "official_score", "seconds": "seconds", "parameters": "parameters"}
TERMS = ("official_score", "auc_source", "auc_target", "pauc")


def study_entry(study: StudyRecord, start_ms: int) -> Entry:
    """The study as it stands; its metrics have a point for each time that it was sent, at the number of trials."""
    end_ms = milliseconds(study.updated_at)
    ended = sum(study.counts.values())
    scores = {
        "official_score": study.best.score if study.best else None,
        "default_score": study.default.score if study.default else None,
        "leave_one_out_score": study.leave_one_out.score if study.leave_one_out else None,
        **{f"trials/{state}": float(count) for state, count in study.counts.items()},
        **{f"importance/{name}": value for name, value in study.importances.items()},
    }
    asked = {name: value for name, value in study.asked.items() if not isinstance(value, dict)}
    params = {
        **{name: _one(value) for name, value in asked.items()},
        "dataset": study.dataset,
        "protocol": study.protocol,
        "seeds": ", ".join(map(str, study.seeds)),
    }
    tags = {
        "mlflow.source.name": "asdbench tune",
        "mlflow.source.type": "LOCAL",
        "mlflow.source.git.commit": study.git_commit,
        "asdbench.git_commit": study.git_commit,
        "asdbench.study": study.name,
        "asdbench.fingerprint": study.fingerprint,
        "asdbench.admissible": study.admissible,
        "asdbench.objectives": ", ".join(study.objectives),
        "asdbench.sampler": study.sampler,
        "asdbench.pruner": study.pruner,
        "asdbench.storage": study.storage,
        "asdbench.space": study.space,
        "asdbench.defaults": study.defaults,
        # Here and not on the trials, which are sent once, while the best changes as the study goes on.
        "asdbench.best_trial": study.best.trial if study.best else None,
        "asdbench.default_trial": study.default.trial if study.default else None,
        "asdbench.pareto": study.pareto or None,
    }
    return Entry(
        key="study",
        name=f"study {study.name}",
        status="FINISHED",
        start_ms=min(start_ms, end_ms),
        end_ms=end_ms,
        params=as_params(params),
        points=[*as_points(scores, end_ms, ended)],
        tags=as_tags(tags),
    )


def trial_entry(study: StudyRecord, trial: TrialRecord) -> Entry:
    """One trial: tuned parameters, values of the objectives, and of each machine type the mean over seeds."""
    start_ms = milliseconds(trial.started_at)
    end_ms = start_ms + round(1000 * trial.seconds)
    values: dict[str, float | None] = {
        VALUE[objective]: value for objective, value in zip(study.objectives, trial.values, strict=False)
    }
    for machine in study.machines:
        for term in TERMS:
            found = [getattr(parts[machine], term) for parts in trial.parts.values() if machine in parts]
            values[f"{term}/{machine}"] = fmean(found) if found and None not in found else None
    values.setdefault("seconds", trial.seconds)
    tags = {
        "mlflow.source.name": "asdbench tune",
        "mlflow.source.type": "LOCAL",
        "mlflow.source.git.commit": study.git_commit,
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
        key=f"trial {trial.number}",
        name=f"trial {trial.number}",
        status=STATUS[trial.state],
        start_ms=start_ms,
        end_ms=end_ms,
        params=as_params({"dataset": study.dataset, **trial.params}),
        points=[*as_points(values, end_ms)],
        tags=as_tags(tags),
    )


def _one(value: Any) -> Any:
    """A list of one as what is in it; an empty one as nothing."""
    if isinstance(value, list):
        return (value[0] if len(value) == 1 else ", ".join(map(str, value))) if value else None
    return value
