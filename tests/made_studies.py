"""Studies with their records, made in memory: as a tuner leaves them, without running anything."""

import datetime
import math

import numpy as np

from asdbench.protocols import SectionScores, evaluate, official_terms
from asdbench.tuning import selection
from asdbench.tuning.record import MachineScore, StudyRecord, TrialRecord

START = datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.UTC)


def section(rng, gap, clips=24):
    """Scores of one section; the larger the gap, the better they part."""
    labels = np.tile([0, 1], clips // 2)
    domains = np.repeat(["source", "target"], clips // 2)
    return SectionScores(labels, domains, np.round(rng.normal(size=clips) + gap * labels, 2), None)


def parts_of(protocol, sections):
    """``MachineScore`` by machine type, as a tuner fills it from the evaluation of all sections."""
    machines = evaluate(protocol, sections).machines
    return {
        name: MachineScore(
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
    return MachineScore(official_score=value, terms=[value] * terms, auc_source=value, auc_target=value, pauc=value)


def made_study(trials=(), **more):
    """A study's record: what follows from the trials is worked out, the rest filled in."""
    given = {
        "name": "made",
        "id": "1" * 32,
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
    machines = given["machines"]
    derived = {
        "counts": {state: sum(trial.state == state for trial in trials) for state in ("done", "pruned", "failed")},
        "best": selection.best(trials),
        "default": selection.default(trials, given["defaults"]),
        "leave_one_out": selection.leave_one_out(trials, machines, given["protocol"]) if trials else None,
        "pareto": [],
    }
    return StudyRecord(**{**derived, **given})


SPACE = {
    "scorer": {"choices": ["mahalanobis-ml", "knn"]},
    "simclr.temperature": {"low": 0.02, "high": 0.5, "log": True},
    "simclr.epochs": {"low": 5, "high": 60, "log": False},
    "pitch-shift.max_semitones": {"low": 1.0, "high": 12.0, "log": False},
    "knn.n_neighbors": {"low": 1, "high": 30, "log": False},
}
DEFAULTS = {
    "scorer": "mahalanobis-ml", "simclr.temperature": 0.05, "simclr.epochs": 40, "pitch-shift.max_semitones": 12.0,
    "knn.n_neighbors": 5,
}  # fmt: skip


def distribution(space):
    """Optuna's, of a space of a record."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if "choices" in space:
        return CategoricalDistribution(space["choices"])
    kind = IntDistribution if isinstance(space["low"], int) else FloatDistribution
    return kind(space["low"], space["high"], log=space["log"])


def lived_study(count, *, seed=0, machines=("fan", "gearbox", "valve"), objectives=("score",), ended=True, **more):
    """An Optuna study of ``count`` trials and its records: a tenth failed, a fifth pruned, a scorer to choose."""
    import optuna

    from asdbench.tuning.selection import importances

    rng = np.random.default_rng(seed)
    directions = ["maximize" if objective == "score" else "minimize" for objective in objectives]
    study = optuna.create_study(directions=directions)
    records, clock = [], START.replace(tzinfo=None)
    for number in range(count):
        params = dict(DEFAULTS)
        if number:
            params = {
                "scorer": str(rng.choice(SPACE["scorer"]["choices"])),
                "simclr.temperature": float(np.exp(rng.uniform(np.log(0.02), np.log(0.5)))),
                "simclr.epochs": int(rng.integers(5, 61)),
                "pitch-shift.max_semitones": float(rng.uniform(1, 12)),
                "knn.n_neighbors": int(rng.integers(1, 31)),
            }
        if params["scorer"] != "knn":
            params.pop("knn.n_neighbors")
        good = 0.58 - 0.04 * abs(math.log(params["simclr.temperature"] / 0.1)) + 0.0008 * params["simclr.epochs"]
        scores = {machine: float(np.clip(good + rng.normal(0, 0.05), 0.3, 0.95)) for machine in machines}
        state = "done" if count < 5 or number % 10 not in (3, 6, 9) else ("failed" if number % 10 == 9 else "pruned")
        kept = list(machines)[: {"done": len(machines), "pruned": 2, "failed": 1}[state]]
        parts = {0: {machine: plain_part(scores[machine]) for machine in kept}}
        running = [len(kept[:n]) / sum(1 / scores[m] for m in kept[:n]) for n in range(1, len(kept) + 1)]
        took = 4.0 + params["simclr.epochs"] / 3
        values = {
            "score": running[-1],
            "seconds": took,
            "parameters": 1e6 * (1 + number % 3),
        }
        told = [values[objective] for objective in objectives] if state == "done" else []
        seconds = took * len(kept) / len(machines)
        start, clock = clock, clock + datetime.timedelta(seconds=seconds / (1 + number % 2))
        reason = {"done": "", "pruned": f"After {kept[-1]} it was behind half of the others."}.get(
            state, "fit of gearbox: the loss is no longer finite after epoch 3. A smaller learning rate may help."
        )
        records.append(
            made_trial(number, state, params, told, parts, reason=reason, seconds=seconds, started_at=start.isoformat())
        )
        states = {"done": optuna.trial.TrialState.COMPLETE, "pruned": optuna.trial.TrialState.PRUNED}
        frozen = optuna.trial.create_trial(
            state=states.get(state, optuna.trial.TrialState.FAIL),
            params=params,
            distributions={name: distribution(SPACE[name]) for name in params},
            values=told or None,
            intermediate_values={1000 * n: score for n, score in enumerate(running, 1)} if len(objectives) == 1 else {},
        )
        frozen.datetime_start, frozen.datetime_complete = start, start + datetime.timedelta(seconds=seconds)
        study.add_trial(frozen)
    record = made_study(
        records, machines=list(machines), space=SPACE, defaults=DEFAULTS, objectives=list(objectives),
        importances=importances(study),
        pareto=sorted(trial.number for trial in study.best_trials) if len(objectives) > 1 else [], **more,
    )  # fmt: skip
    return study, record, records


def trials_of(study, out):
    """Records of the trials of a study, as ``tune --json`` shows it, below a folder."""
    folder = out / "runs" / "studies" / study["name"] / "trials"
    return [TrialRecord.model_validate_json(path.read_text()) for path in sorted(folder.glob("*.json"))]
