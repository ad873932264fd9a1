"""The record of a run: what was asked, what was used, what came out, how long it took.

A run is one (extractor, scorer, data set, seed). Its record lies in ``runs/<run-id>/run.json``.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError

from asdbench.core.errors import AsdbenchError
from asdbench.core.files import write_text
from asdbench.core.store import differing
from asdbench.core.validation import Model, first_error
from asdbench.extractors.learning import Learning
from asdbench.protocols.decisions import Decisions
from asdbench.protocols.results import Evaluation, Interval, Intervals, MachineResult

FILE = "run.json"
TRUTH = "clips.csv"  # beside it where names of test clips do not say domain and label: those that are known
SCHEMA = 6
SEALED = 5  # from which on a record has its own digest
AGAIN = " The same command makes it again."
_BLANK = "0" * 64  # in the place of the record's own digest while that is taken
BOOTSTRAP_OF_VERSION_2 = "bootstrap, stratified by section, domain and label"


class Asked(Model):
    """What the command asked for, as far as it concerns this run."""

    system: str | None = Field(default=None, description="Name of the system card; None without one.")
    extractor: str = Field(description="Name of the extractor.")
    scorer: str = Field(description="Name of the scorer.")
    dataset: str = Field(description="Card's name or folder, as given.")
    split: str | None = Field(default=None, description="dev or eval, as given.")
    machines: list[str] | None = Field(description="Machine types picked; None is all.")
    seed: int = Field(description="Base seed.")
    profile: str | None = Field(description="Profile of the extractor's card that was used.")
    params: dict[str, Any] = Field(description="Parameters given by hand in the command, 'component.param': value.")
    threshold: str | None = Field(
        default=None, description="Rule of the thresholds, 'false-alarms:0.05' for instance; None is gamma:0.9."
    )


class UsedComponent(Model):
    """A component with every parameter settled."""

    name: str = Field(description="Name in the registry.")
    target: str = Field(description="Python object that implements it.")
    version: int = Field(description="Version of the card.")
    params: dict[str, Any] = Field(description="All parameters.")
    files: dict[str, str | list[str]] = Field(
        default_factory=dict, description="Digests of the files that parameters name, by parameter."
    )
    libraries: dict[str, str] = Field(
        default_factory=dict,
        description="Versions of the packages that compute it, where they count; empty where none do, and in records "
        "of schema 4 and older.",
    )


class UsedDataset(Model):
    """The recordings."""

    name: str = Field(description="Name of the data set.")
    layout: str = Field(description="Layout of its file names.")
    protocol: str = Field(description="Whose official score it calls for.")
    fingerprint: str = Field(description="Digest of all recordings and their names.")
    fingerprints: dict[str, str] = Field(
        default_factory=dict, description="The same of each machine type; empty in old records."
    )
    lacks: list[str] = Field(
        default_factory=list,
        description="How it differs from the challenge's split of its name; with any, the score is a partial one.",
    )
    train_clips: dict[str, int] = Field(description="Training clips by machine type.")
    test_clips: dict[str, int] = Field(description="Test clips by machine type.")
    clip_s: dict[str, float] = Field(
        default_factory=dict, description="Mean length of a machine type's test clips (s); empty in old records."
    )


class Environment(Model):
    """The machine and the software."""

    device: str = Field(description="cpu or cuda.")
    threads: int | None = Field(
        default=None, description="Threads of a training on the CPU, which its sums depend on; None: as many as cores."
    )
    python: str = Field(description="Version of Python.")
    platform: str = Field(description="Operating system and processor.")
    packages: dict[str, str] = Field(description="Versions of the packages that decide numbers.")
    git_commit: str | None = Field(description="Commit of asdbench, when run from a checkout.")
    git_dirty: bool | None = Field(description="Whether that checkout had uncommitted changes.")


class UsedThreshold(Model):
    """Decision threshold of one section."""

    value: float = Field(description="Clips that score above it are called anomalous.")
    method: str = Field(description="How it follows from training scores.")


class TrainedNetwork(Model):
    """What a fit left to look at."""

    machines: list[str] = Field(description="Machine types that share it.")
    parameters: int | None = Field(description="Learned numbers, also of a frozen network; None in old records.")
    curves: dict[str, list[float]] = Field(
        description="By epoch: 'loss', and what else was measured; none of a frozen network."
    )
    macs: int | None = Field(default=None, description="Multiply-accumulates of the network for its longest clip.")
    learning: Learning | None = Field(
        default=None,
        description="Whether it learned; None where nothing can be compared with chance, and in old records.",
    )


class Failure(Model):
    """Why a cell has no result."""

    stage: str = Field(description="features, fit, embed or score.")
    machine: str | None = Field(description="Machine type; None when it concerns all.")
    reason: str = Field(description="What the error said.")
    detail: str = Field(default="", description="Traceback, for errors that nobody foresaw.")

    def __str__(self) -> str:
        of = f" of {self.machine}" if self.machine else ""
        return f"{self.stage}{of}: {self.reason}"


class RunRecord(Model):
    """One run."""

    schema_version: Literal[6] = Field(default=6, description="Raised when this schema changes.")
    run_id: str = Field(description="Readable, ends in the digest of all that the run depends on.")
    status: Literal["done", "failed"] = Field(description="done only when every machine type was scored.")
    asked: Asked
    extractor: UsedComponent
    scorer: UsedComponent
    frontend: UsedComponent
    augmentations: list[UsedComponent] = Field(description="Empty for extractors that use none.")
    dataset: UsedDataset
    environment: Environment
    results: Evaluation | None = Field(description="None when the run failed or the test clips carry no labels.")
    salvaged: dict[str, MachineResult] = Field(
        default_factory=dict, description="Of a failed run: the machine types that were scored all the same."
    )
    intervals: Intervals | None = Field(description="95 % bootstrap intervals; None where results are.")
    decisions: Decisions | None = Field(
        default=None, description="What the decisions are worth; None where results are, and in old records."
    )
    thresholds: dict[str, dict[str, UsedThreshold]] = Field(description="By machine type and section.")
    training: list[TrainedNetwork] = Field(description="One for each network; empty when nothing is trained.")
    notes: list[str] = Field(description="What the user should know, a singular covariance for instance.")
    failures: list[Failure] = Field(description="Every failed part, with its reason.")
    seconds: dict[str, float] = Field(
        description="Of fit and embed when they were computed, maybe by an earlier command; of the others now."
    )
    finished_at: str = Field(description="UTC, ISO 8601.")
    digests: dict[str, str] = Field(
        default_factory=dict,
        description="SHA-256 of each file of scores and decisions by its path below the run's folder; empty in old "
        "records. In the file that of run.json as well, taken while 64 zeros stand in its place.",
    )

    @property
    def name(self) -> str:
        """How people call what was run: the system's card, or extractor and scorer."""
        return self.asked.system or f"{self.extractor.name} + {self.scorer.name}"

    @property
    def components(self) -> list[tuple[str, UsedComponent]]:
        """What each component is for, and which it is."""
        others = [("front end", self.frontend), *(("augmentation", used) for used in self.augmentations)]
        return [("extractor", self.extractor), ("scorer", self.scorer), *others]

    @property
    def scored(self) -> Mapping[str, MachineResult]:
        """The machine types that have a result, also of a run that failed elsewhere."""
        return self.results.machines if self.results else self.salvaged

    def intervals_of(self, machine: str) -> Mapping[str, Interval]:
        """The 95 % intervals of a machine type, by column."""
        return self.intervals.machines.get(machine, {}) if self.intervals else {}

    @property
    def ci95(self) -> Interval | None:
        """The 95 % interval of the official score."""
        return self.intervals.official_score if self.intervals else None


def write_record(folder: Path, record: RunRecord) -> Path:
    """Write ``run.json`` whole; it is the last file of a run, so it says that the others are there."""
    path = folder / FILE
    write_text(path, sealed(json.loads(record.model_dump_json())))
    return path


def sealed(content: dict[str, Any]) -> str:
    """The text of a record with its own digest, by which an edit of any letter of it is noticed."""
    content = {**content, "digests": {**content["digests"], FILE: _BLANK}}
    text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    before, _, after = text.rpartition(_BLANK)
    return before + _text_digest(text) + after


def _text_digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


class RecordError(AsdbenchError):
    """A record that cannot be read, or whose files are not those that it was written for."""


class NewerRecordError(RecordError):
    """A record that a newer asdbench wrote."""


def load_record(folder: Path, *, files: bool = True) -> RunRecord:
    """The record in a run's folder, when it and the score files are as the run wrote them.

    Args:
        folder: of the run.
        files: whether to look at the score files as well; where a record travels without them, it is not.

    Raises:
        RecordError: there is none, it or a score file was changed since, or a newer asdbench wrote it.
    """
    path = folder / FILE
    try:
        text = path.read_text(encoding="utf-8")
        content = json.loads(text)
        version = content.get("schema_version") if isinstance(content, dict) else None
        if not isinstance(version, int):
            raise ValueError("it holds no record")
        if version > SCHEMA:
            raise NewerRecordError(
                f"{path} has schema {version}; this asdbench knows {SCHEMA} and older ones. A newer asdbench reads it."
            )
        record = RunRecord.model_validate(migrated(content))
        seal = record.digests.pop(FILE, None)
        before, _, after = text.rpartition(seal or _BLANK)
        if version >= SEALED and seal != _text_digest(before + _BLANK + after):
            raise RecordError(f"{path} is damaged: it was changed after the run.{AGAIN}")
    except OSError as error:
        raise RecordError(f"{path} cannot be read: {error.strerror or error}.") from error
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        reason = first_error(error) if isinstance(error, ValidationError) else str(error).splitlines()[0]
        raise RecordError(f"{path} is damaged: {reason}.{AGAIN}") from error
    fault = differing(folder, record.digests) if files else None
    if fault is not None:
        raise RecordError(f"{folder} is damaged: {fault}.{AGAIN}")
    return record


def read_record(folder: Path) -> RunRecord | None:
    """The record in a run's folder; None when there is none or it cannot be read."""
    try:
        return load_record(folder)
    except RecordError:
        return None


def migrated(content: dict[str, Any]) -> dict[str, Any]:
    """A record of an older schema in today's.

    Version 1 had one loss curve for all machine types; version 2 the interval of the official score alone; version 3
    no digest of each machine type, no threads, and nothing of a failed run; version 4 no digests of score files and
    no figure of what a training learned; version 5 nothing of decisions but the thresholds.
    """
    if content.get("schema_version") == 1:
        loss = content.pop("loss", [])
        network = {"machines": list(content["dataset"]["train_clips"]), "parameters": None, "curves": {"loss": loss}}
        content = {**content, "schema_version": 2, "training": [network] if loss else []}
    if content.get("schema_version") == 2:
        ci95 = content.pop("ci95", None)
        known = {"method": BOOTSTRAP_OF_VERSION_2, "replicates": 1000, "machines": {}, "sections": {}}
        content = {
            **content,
            "schema_version": 3,
            "intervals": {**known, "official_score": ci95} if ci95 else None,
            "dataset": {**content["dataset"], "protocol": content["dataset"]["layout"]},
        }
    if content.get("schema_version") in (3, 4, 5):
        content = {**content, "schema_version": 6}
    return content
