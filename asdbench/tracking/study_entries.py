"""What MLflow stores of a study and its trials."""

from collections.abc import Mapping
from statistics import fmean

from asdbench.core.digests import digest
from asdbench.pages.markdown import escaped
from asdbench.tracking.entries import Entry, Values, as_metrics, as_params, as_tags, milliseconds, source_tags
from asdbench.tuning.record import StudyRecord, TrialRecord

TERMS = ("official_score", "auc_source", "auc_target", "pauc")
STATUS = {"done": "FINISHED", "pruned": "KILLED", "failed": "FAILED"}
# Not "official_score": the list of runs is sorted by that, and shows runs and studies before any trial.
OBJECTIVES = {"score": "trial_score", "seconds": "seconds", "parameters": "parameters"}


def study_entry(study: StudyRecord, trials: Mapping[str, TrialRecord], complete: str) -> Entry:
    """The study as it stands; its metrics get a point each time that it is sent, at the number of its trials.

    Args:
        study: its record.
        trials: by the digests of their files.
        complete: digest of the files in its folder.
    """
    end_ms = milliseconds(study.updated_at)
    scores: Values = {
        "official_score": study.best.score if study.best else None,
        "default_score": study.default.score if study.default else None,
        "leave_one_out_score": study.leave_one_out.score if study.leave_one_out else None,
        **{f"trials/{state}": float(count) for state, count in study.counts.items()},
        **{f"importance/{name}": value for name, value in study.importances.items()},
    }
    asked = {
        name: ", ".join(map(str, value)) or None if isinstance(value, list) else value
        for name, value in study.asked.items()
        if not isinstance(value, dict)
    }
    tags = {
        **source_tags("asdbench tune", study.git_commit),
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
    seeds = ", ".join(map(str, study.seeds))
    return Entry(
        record=digest([study.name, study.fingerprint, study.id], 32),  # its file changes with every trial
        key="study",
        name=f"study {study.name}",
        status="FINISHED",
        start_ms=min([end_ms, *(milliseconds(trial.started_at) for trial in trials.values())]),
        end_ms=end_ms,
        params=as_params({**asked, "dataset": study.dataset, "protocol": study.protocol, "seeds": seeds}),
        metrics=[*as_metrics(scores, end_ms, sum(study.counts.values()))],
        tags=as_tags(tags),
        complete=complete,
        children=[_trial_entry(study, trial, record) for record, trial in trials.items()],
    )


def _trial_entry(study: StudyRecord, trial: TrialRecord, record: str) -> Entry:
    """One trial: tuned parameters, values of the objectives, and of each machine type the mean over seeds."""
    start_ms = milliseconds(trial.started_at)
    end_ms = start_ms + round(1000 * trial.seconds)
    pairs = zip(study.objectives, trial.values, strict=False)
    values: Values = {"seconds": trial.seconds}
    values |= {OBJECTIVES[objective]: value for objective, value in pairs}
    for machine in study.machines:
        for term in TERMS:
            terms = [getattr(scores[machine], term) for scores in trial.parts.values() if machine in scores]
            values[f"{term}/{machine}"] = fmean(terms) if terms and None not in terms else None
    tags = {
        **source_tags("asdbench tune", study.git_commit),
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
        status=STATUS[trial.state],
        start_ms=start_ms,
        end_ms=end_ms,
        params=as_params({"dataset": study.dataset, **trial.params}),
        metrics=[*as_metrics(values, end_ms)],
        tags=as_tags(tags),
        complete=record,
    )
