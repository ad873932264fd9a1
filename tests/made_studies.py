"""Studies with their records, made in memory: as a tuner leaves them, without running anything."""

import datetime

import numpy as np

from asdbench.protocols import SectionScores, evaluate, official_terms
from asdbench.tuning import selection
from asdbench.tuning.record import Part, StudyRecord, TrialRecord

START = datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.UTC)


def section(rng, gap, clips=24):
    """Scores of one section; the larger the gap, the better they part."""
    labels = np.tile([0, 1], clips // 2)
    domains = np.repeat(["source", "target"], clips // 2)
    return SectionScores(labels, domains, np.round(rng.normal(size=clips) + gap * labels, 2), None)


def parts_of(protocol, sections):
    """``Part`` by machine type, as a tuner fills it from the evaluation of all sections."""
    machines = evaluate(protocol, sections).machines
    return {
        name: Part(
            official_score=found.official_score,
            terms=official_terms(found),
            auc_source=found.auc_source,
            auc_target=found.auc_target,
            pauc=found.pauc,
        )
        for name, found in machines.items()
    }


def made_trial(number, state="done", params=None, values=(), parts=None, **more):
    """A trial's record with what a test does not care for filled in."""
    defaults = {"runs": [], "worker": "host:1", "started_at": START.isoformat(), "seconds": 1.0}
    return TrialRecord(
        study="made", number=number, state=state, params=params or {}, values=list(values), parts=parts or {},
        **{**defaults, **more},
    )  # fmt: skip


def plain_part(value, terms=3):
    """A machine type on which every term is the same."""
    return Part(official_score=value, terms=[value] * terms, auc_source=value, auc_target=value, pauc=value)


def made_study(trials=(), **more):
    """A study's record: what follows from the trials is worked out, the rest filled in."""
    given = {
        "name": "made",
        "asked": {"extractor": ["raw-mel"], "scorer": ["knn"], "dataset": ["synthetic"], "profile": "auto"},
        "dataset": "synthetic",
        "fingerprint": "0" * 16,
        "protocol": "dcase2023",
        "machines": ["fan", "gearbox", "valve"],
        "seeds": [0],
        "objectives": ["score"],
        "sampler": "tpe",
        "pruner": "median",
        "space": {},
        "defaults": {},
        "admissible": True,
        "storage": "sqlite:///optuna.db",
        "git_commit": None,
        "importances": {},
        "updated_at": START.isoformat(),
        **more,
    }
    machines, objectives = given["machines"], given["objectives"]
    derived = {
        "counts": {state: sum(trial.state == state for trial in trials) for state in ("done", "pruned", "failed")},
        "best": selection.best(trials, objectives),
        "default": selection.default(trials, given["defaults"]),
        "leave_one_out": selection.leave_one_out(trials, machines, given["protocol"]) if trials else None,
        "pareto": selection.pareto(trials, objectives),
    }
    return StudyRecord(**{**derived, **given})
