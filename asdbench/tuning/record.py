"""What a study leaves to read: one file for the study, one for each trial.

``<out>/studies/<study>/study.json`` and ``trials/<number>.json``; the runs of the trials lie in ``runs/`` beside them.
They are written from the Optuna storage, for reports, MLflow and people.
"""

from typing import Any, Literal

from pydantic import Field

from asdbench.core.validation import Model

STUDY_FILE = "study.json"
BEST_FILE = "best.toml"
REPORT_FILE = "report.html"
TRIALS = "trials"
RUNS = "runs"

State = Literal["done", "pruned", "failed"]
Objective = Literal["score", "seconds", "parameters"]


class MachineScore(Model):
    """The result of one machine type with one seed. Fractions; None where the data set has no domains."""

    official_score: float = Field(description="The official score's formula over this machine's terms alone.")
    terms: list[float] = Field(
        description="The terms that it is made of, all sections': protocols.official_terms(machine result)."
    )
    auc_source: float | None
    auc_target: float | None
    pauc: float


class TrialRecord(Model):
    """One trial: one configuration for all machine types."""

    schema_version: Literal[1] = 1
    study: str
    number: int = Field(description="Optuna's number of the trial.")
    state: State
    params: dict[str, Any] = Field(
        description="The tuned ones: 'component.param', value; 'scorer' where it is a choice."
    )
    values: list[float] = Field(description="One for each objective; empty unless the trial is done.")
    parts: dict[int, dict[str, MachineScore]] = Field(
        description="By seed and machine type, what was scored before the trial ended; all of them when it is done."
    )
    runs: list[str] = Field(
        description="Run ids, one for each seed, in the order of the seeds; empty unless it is done."
    )
    reason: str = Field(default="", description="Why it was pruned or failed.")
    retry_of: int | None = Field(default=None, description="Number of the lost trial that this one repeats.")
    worker: str = Field(description="host:process that did it.")
    started_at: str = Field(description="UTC, ISO 8601.")
    seconds: float = Field(description="Wall time of the trial.")


class Selection(Model):
    """A trial that was chosen among the done ones, and its score."""

    score: float
    trial: int


class LeaveOneOut(Model):
    """Each machine type scored by the trial that is best on all others; see ``selection.leave_one_out``."""

    score: float = Field(description="The official score's formula over all machine types, each from its own choice.")
    chosen: dict[str, int] = Field(description="Trial by machine type that was left out.")


class StudyRecord(Model):
    """A study, as it stood when the file was written."""

    schema_version: Literal[1] = 1
    name: str
    id: str = Field(description="Drawn when the study was made, so that another one of the same name has another.")
    asked: dict[str, Any] = Field(description="The run file that trials start from, without what is tuned.")
    dataset: str = Field(description="Name of the data set.")
    fingerprint: str = Field(description="Digest of its recordings.")
    protocol: str
    machines: list[str]
    seeds: list[int]
    objectives: list[Objective]
    sampler: str
    pruner: str
    space: dict[str, dict[str, Any]] = Field(description="By 'component.param': low, high, log, step; or choices.")
    defaults: dict[str, Any] = Field(description="The value that each of them has without tuning.")
    admissible: bool = Field(description="False where parameters were tuned for one machine type of several alone.")
    storage: str = Field(description="Where Optuna stores it, without credentials.")
    git_commit: str | None
    counts: dict[State, int]
    best: Selection | None = Field(description="By the first objective; None while no trial is done.")
    default: Selection | None = Field(description="The default configuration; None where it was not tried.")
    leave_one_out: LeaveOneOut | None = Field(description="None with fewer than two machine types.")
    pareto: list[int] = Field(description="Trials that no other beats in every objective; empty for one objective.")
    importances: dict[str, float] = Field(description="Part of the score's variance that each parameter explains.")
    updated_at: str = Field(description="UTC, ISO 8601.")
