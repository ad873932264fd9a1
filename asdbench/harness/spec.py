"""What was asked: the command line and a run file, in one checked object."""

import os
from collections.abc import Iterator, Mapping
from itertools import product
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, Field, ValidationError, field_validator

from asdbench.core.errors import UsageError, did_you_mean
from asdbench.core.numbers import parse_float
from asdbench.core.paths import user_path
from asdbench.protocols.threshold import ThresholdRule
from asdbench.registry.toml import CardError, read_toml

TRACKING_VARIABLE = "ASDBENCH_TRACKING"
MOST_AT_ONCE = 4096  # processes or threads
Place = Annotated[Path, AfterValidator(user_path)]


Seed = Annotated[int, Field(ge=0, lt=2**63, strict=True)]  # strict: "seed = true" is not 1


class RunSpec(BaseModel, extra="forbid", allow_inf_nan=False):
    """What ``asdbench run`` can be asked; the keys of a run file."""

    system: list[str] = Field(default_factory=list)
    extractor: list[str] = Field(default_factory=list)
    scorer: list[str] = Field(default_factory=list)
    dataset: list[str] = Field(default_factory=lambda: ["synthetic"], min_length=1)
    split: Literal["dev", "eval"] | None = None
    data_root: Place | None = None
    seed: list[Seed] = Field(default_factory=lambda: [0], min_length=1)
    machine: list[str] = Field(default_factory=list)
    frontend: str | None = None
    augmentation: list[str] | None = None
    params: dict[str, Any] = Field(default_factory=dict)
    vary: dict[str, list[Any]] = Field(default_factory=dict)
    profile: str = "auto"
    device: Literal["auto", "cpu", "cuda"] = "auto"
    engine: Literal["local", "ray"] = "local"
    jobs: int = Field(
        default_factory=lambda asked: int(asked.get("engine") != "ray"), ge=0, le=MOST_AT_ONCE, strict=True
    )
    artifacts: str | None = None
    gpus_per_task: float = Field(default=1.0, gt=0, strict=True)
    threads: int = Field(default=1, ge=1, le=MOST_AT_ONCE, strict=True)
    out: Place = Path("runs")
    plugin_path: list[Place] = Field(default_factory=list)
    fresh: bool = False
    retry_failed: bool = False
    select: Literal["normal-only", "domain-balance"] | None = None
    veto: str | None = None
    threshold: str | float | None = None
    false_alarms: float | None = None
    per_domain: bool = False
    tracking: Literal["mlflow", "none"] = "mlflow"

    @property
    def rule(self) -> ThresholdRule:
        """How thresholds follow from training scores."""
        return ThresholdRule.asked(self.threshold, self.false_alarms, self.per_domain)

    @property
    def combinations(self) -> list["RunSpec"]:
        """One for each combination of the values in ``vary``."""
        combined = [dict(zip(self.vary, values, strict=True)) for values in product(*self.vary.values())]
        return [self.model_copy(update={"params": self.params | values}) for values in combined]

    @property
    def development(self) -> tuple[str, float] | None:
        """Data set whose labels may veto a choice, and how many points below its best; None where none may.

        Raises:
            UsageError: it is not DATASET=POINTS, or names a data set that is no part of the command.
        """
        if self.veto is None:
            return None
        name, _, points = self.veto.rpartition("=")
        try:
            number = parse_float(points)
        except ValueError:
            number = -1.0
        if name not in self.dataset or number < 0:
            raise UsageError(
                f"--veto {self.veto}: expected DATASET=POINTS with one of this command's data sets, for example "
                f"--veto {self.dataset[0]}=3"
            )
        if self.select is None:
            raise UsageError("--veto goes with --select domain-balance or normal-only: it restricts that choice.")
        return name, number

    @field_validator("dataset", mode="before")
    @classmethod
    def _one_or_several(cls, value: object) -> object:
        return [value] if isinstance(value, str) else value


def read_spec(config: Path | None, given: dict[str, Any]) -> RunSpec:
    """Lay what the command line gives over a run file and check it all.

    ``params`` of the file are tables by component (``[params.simclr] epochs = 3``); those of the command line are
    texts ``"component.param=value"``.

    Raises:
        UsageError: the file cannot be read, or holds an unknown key or a value of the wrong kind.
    """
    data: dict[str, Any] = {}
    if config is not None:
        if not config.exists():
            raise UsageError(f"--config {config}: no such file.")
        try:
            data = read_toml(config)
        except CardError as error:
            raise UsageError(f"--config {error}") from error
    data = {key: [value] if key in LISTS and not isinstance(value, list) else value for key, value in data.items()}
    params = _table_of(config, data, "params")
    for key, value in (_split_assignment(text) for text in given.pop("params", [])):
        params.pop(key, None)  # so that it comes last
        params[key] = value
    vary = _table_of(config, data, "vary")
    vary |= {key: _values(text) for key, text in (_split_assignment(text) for text in given.pop("vary", []))}
    twice = next((key for key in vary if key in params), None)
    if twice:
        raise UsageError(f"--vary {twice} and -p {twice}: -p fixes what --vary changes. Leave one out.")
    if not given.get("tracking") and "tracking" not in data:
        given["tracking"] = tracking_by_default()
    merged = data | {key: value for key, value in given.items() if value is not None} | {"params": params, "vary": vary}
    try:
        return _consistent(RunSpec.model_validate(merged))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = str(first["loc"][0])
        if first["type"] == "extra_forbidden":
            hint = did_you_mean(key, RunSpec.model_fields)
            raise UsageError(
                f"--config {config}: unknown key '{key}'.{hint} Accepted: {', '.join(RunSpec.model_fields)}."
            ) from error
        option = f"--{key.replace('_', '-')}"
        where = option if given.get(key) is not None else f"--config {config}: {key}"
        reason = first["msg"].removeprefix("Value error, ")
        raise UsageError(f"{where}: {reason}, not {first['input']!r}. See: asdbench run --help") from error


def _consistent(spec: RunSpec) -> RunSpec:
    _ = spec.rule, spec.development  # refuse what is none
    if spec.artifacts is not None and spec.engine != "ray":
        raise UsageError("--artifacts goes with --engine ray: processes of one machine share its cache.")
    if spec.gpus_per_task > 1 and spec.gpus_per_task % 1:
        raise UsageError(f"--gpus-per-task {spec.gpus_per_task:g}: a part of one GPU (0.25), or whole ones.")
    return spec


def tracking_by_default() -> str:
    """What ``ASDBENCH_TRACKING`` says, else mlflow. Raises UsageError: it says something else than mlflow or none."""
    value = os.environ.get(TRACKING_VARIABLE, "").strip() or "mlflow"
    if value not in ("mlflow", "none"):
        raise UsageError(f"{TRACKING_VARIABLE}={value}: accepted are mlflow and none.")
    return value


def _table_of(config: Path | None, data: dict[str, Any], key: str) -> dict[str, Any]:
    """``component.param`` and value of a run file's ``params`` or ``vary``, which is taken out of it."""
    tables = data.pop(key, {})
    if not isinstance(tables, dict) or not all(isinstance(table, dict) for table in tables.values()):
        example = "[params.simclr] epochs = 3" if key == "params" else "[vary.simclr] epochs = [3, 10]"
        raise UsageError(f"--config {config}: {key} takes tables by component: {example}")
    return dict(flat(tables))


def _values(text: str) -> list[str]:
    """The values of ``--vary``; semicolons stand between those that hold commas."""
    return [value.strip() for value in text.split(";" if ";" in text else ",")]


def flat(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Keys and values of nested tables, ``outer.inner`` and value."""
    for key, value in table.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


LISTS = ("system", "extractor", "scorer", "dataset", "seed", "machine", "augmentation", "plugin_path")


def _split_assignment(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals or "." not in key.strip("."):
        raise UsageError(f"-p {text}: expected COMPONENT.PARAM=VALUE, for example -p extractor.epochs=20")
    return key.strip(), value.strip()
