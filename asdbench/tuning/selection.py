"""What the trials of a study come to: the best, the default, leave-one-machine-out, the Pareto front.

Pure functions over trial records. Ties go to the trial with the lower number, so that the order in which trials end
decides nothing.
"""

from collections.abc import Collection, Mapping, Sequence
from statistics import fmean
from typing import Any

from asdbench.protocols import DEFINITIONS
from asdbench.tuning.record import LeaveOneOut, Objective, Selection, TrialRecord

BLIND_SAMPLERS = ("random", "grid", "qmc")  # the others propose by the scores that came before


def done(trials: Sequence[TrialRecord]) -> list[TrialRecord]:
    """The trials that have values, by number."""
    return sorted((trial for trial in trials if trial.state == "done"), key=lambda trial: trial.number)


def best(trials: Sequence[TrialRecord], objectives: Sequence[Objective] = ("score",)) -> Selection | None:
    """The trial with the best first objective; None while no trial is done."""
    trial = max(done(trials), key=lambda trial: _upward(trial, objectives)[0], default=None)
    return None if trial is None else Selection(score=trial.values[0], trial=trial.number)


def default(trials: Sequence[TrialRecord], defaults: Mapping[str, Any]) -> Selection | None:
    """The done trial that changed nothing; None where there is none.

    ``defaults`` may have more than a trial: the parameters of a scorer that it did not choose.
    """
    for trial in done(trials):
        if all(key in defaults and _same(value, defaults[key]) for key, value in trial.params.items()):
            return Selection(score=trial.values[0], trial=trial.number)
    return None


def leave_one_out(trials: Sequence[TrialRecord], machines: Sequence[str], protocol: str) -> LeaveOneOut | None:
    """What choosing among the trials is worth on a machine type that had no say in the choice.

    For each machine type the trial with the best official score over all the others is chosen, mean over seeds; its
    terms on the one left out stand for that machine type in the official score over all of them, mean over seeds. The
    machine type had a say in which trials there are, unless ``is_blind``.

    Returns:
        None with fewer than two machine types, or while no trial is done.
    """
    candidates = done(trials)
    if len(machines) < 2 or not candidates:
        return None
    chosen = {
        left_out: max(candidates, key=lambda trial: score_over(trial, set(machines) - {left_out}, protocol))
        for left_out in sorted(machines)
    }
    of_dataset = DEFINITIONS[protocol].of_dataset
    scores = [
        float(of_dataset({machine: trial.parts[seed][machine].terms for machine, trial in chosen.items()}))
        for seed in candidates[0].parts
    ]
    return LeaveOneOut(
        score=sum(scores) / len(scores), chosen={machine: trial.number for machine, trial in chosen.items()}
    )


def is_blind(sampler: str, pruner: str) -> bool:
    """Whether no score decided which trials there are, so that leave-one-out is blind to the machine type left out."""
    return sampler in BLIND_SAMPLERS and pruner == "none"


def score_over(trial: TrialRecord, machines: Collection[str], protocol: str) -> float:
    """The official score of a trial over some machine types, as if the data set had no others; mean over seeds."""
    of_dataset = DEFINITIONS[protocol].of_dataset
    scores = [
        float(of_dataset({machine: scores[machine].terms for machine in sorted(machines)}))
        for scores in trial.parts.values()
    ]
    return sum(scores) / len(scores)


def score_of_machine(trial: TrialRecord, machine: str) -> float | None:
    """The official score of one machine type, mean over the seeds with which it was scored; None where it was not."""
    scores = [scores[machine].official_score for scores in trial.parts.values() if machine in scores]
    return fmean(scores) if scores else None


def optimism(best: Selection | None, left_out: LeaveOneOut | None) -> float | None:
    """By how much the best score flatters: it was chosen on the very machine types that it is reported on."""
    return None if best is None or left_out is None else best.score - left_out.score


def pareto(trials: Sequence[TrialRecord], objectives: Sequence[Objective]) -> list[int]:
    """Numbers of the done trials that no other beats: none is as good in all objectives and better in one.

    Empty for one objective, which has a best trial instead.
    """
    if len(objectives) < 2:
        return []
    points = {trial.number: _upward(trial, objectives) for trial in done(trials)}

    def is_beaten(point: list[float]) -> bool:
        return any(
            other != point and all(theirs >= ours for theirs, ours in zip(other, point, strict=True))
            for other in points.values()
        )

    return [number for number, point in points.items() if not is_beaten(point)]


def _upward(trial: TrialRecord, objectives: Sequence[Objective]) -> list[float]:
    """The values, turned so that more is better: a score as it is, seconds and parameters negated."""
    pairs = zip(trial.values, objectives, strict=True)
    return [value if objective == "score" else -value for value, objective in pairs]


def _same(value: object, other: object) -> bool:
    """Equal, and True is not 1."""
    return value == other and isinstance(value, bool) == isinstance(other, bool)
