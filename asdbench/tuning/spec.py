"""What ``asdbench tune`` was asked: options, names of studies, samplers, pruners and objectives."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any, cast, get_args

from asdbench.core.digests import derive_seed, digest
from asdbench.core.errors import UsageError, did_you_mean
from asdbench.harness.spec import RunSpec
from asdbench.tuning.record import Objective
from asdbench.tuning.storage import DEFAULT

if TYPE_CHECKING:
    from optuna.pruners import BasePruner
    from optuna.samplers import BaseSampler

LONGEST_MACHINE = 100  # characters in the name of a study
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,99}")  # a folder's too
SAMPLERS = ("tpe", "random", "grid", "cmaes", "nsga2", "nsga3", "qmc", "gp")
PRUNERS = ("median", "halving", "hyperband", "none")
FIRST_TRIALS = 5  # done ones before any is pruned


@dataclass(frozen=True)
class TuneSpec:
    """What ``asdbench tune`` was asked, besides what ``run`` is asked too."""

    run: RunSpec  # the command; ``machine`` holds one name where ``per_machine``
    spaces: Sequence[str] = ()  # texts of ``--space``
    only: Sequence[str] = ()  # of ``--only``
    trials: int | None = None  # that the study is to have; None is 50, or all of a grid
    objectives: tuple[Objective, ...] = ("score",)  # the official score first
    sampler: str = "tpe"  # of ``SAMPLERS``; "grid" covers every combination of the finite spaces
    pruner: str | None = None  # of ``PRUNERS``; None is what suits the rest
    sampler_seed: int = 0  # of what the sampler draws
    storage: str = DEFAULT  # address
    study: str | None = None  # name; None is made of what is asked
    per_machine: bool = False  # the study is of one machine type alone


def require_name(name: str) -> None:
    """Check the name of a study, which is the name of a folder as well. Raises UsageError: it cannot be."""
    if not NAME.fullmatch(name):
        shown = name if len(name) <= 40 else f"{name[:40]}... ({len(name)} letters)"
        raise UsageError(
            f"--study {shown!r} is no name of a study. Accepted: up to 100 letters, digits and . _ + - that begin "
            "with a letter or a digit."
        )


def name_of_machine(machine: str) -> str:
    """A machine type in the name of a folder; where that cannot hold its name, a digest tells it from others."""
    plain = plain_name(machine)
    return plain if plain == machine and len(plain) <= LONGEST_MACHINE else f"{plain[:40]}.{digest(machine, 8)}"


def plain_name(name: str) -> str:
    """A name in which every letter that no folder's name should have is a dot."""
    return re.sub(r"[^A-Za-z0-9._+-]+", ".", name)


def require_consistent(asked: TuneSpec, pruner: str) -> None:
    """Refuse what can be refused before recordings are opened.

    Raises:
        UsageError: options that do not go together, or a name that cannot be.
    """
    if asked.study is not None:
        require_name(asked.study)
    require_method("--sampler", asked.sampler, SAMPLERS)
    require_method("--pruner", pruner, PRUNERS)
    if len(asked.objectives) > 1 and pruner != "none":
        raise UsageError(
            f"--pruner {pruner} goes with one objective: a trial that is bad in one may be good in the other."
        )
    if len(asked.objectives) > 1 and asked.sampler == "cmaes":
        raise UsageError("--sampler cmaes goes with one objective. Accepted here: tpe, nsga2, nsga3, random, qmc, gp.")
    if len(asked.run.dataset) > 1:
        raise UsageError(
            f"tune takes one --dataset, not {len(asked.run.dataset)}: {', '.join(asked.run.dataset)}.\n"
            "The best configuration runs on others: asdbench run --config best.toml --dataset OTHER"
        )
    if asked.run.system and (asked.run.extractor or asked.run.scorer):
        raise UsageError("tune takes --system, or --extractor and --scorer; not both in one study.")


def require_method(option: str, name: str, accepted: Sequence[str]) -> str:
    """The name, where there is such a sampler, pruner or objective. Raises UsageError: there is none."""
    if name in accepted:
        return name
    raise UsageError(f"{option} {name}: there is none.{did_you_mean(name, accepted)} Accepted: {', '.join(accepted)}.")


def read_objectives(names: Sequence[str]) -> tuple[Objective, ...]:
    """The objectives, the official score first whether it is named or not.

    Raises:
        UsageError: there is none of that name, or it is named twice.
    """
    for name in names:
        require_method("--objective", name, get_args(Objective))
    if len(set(names)) < len(names):
        raise UsageError(f"--objective names the same one twice: {', '.join(names)}.")
    return cast("tuple[Objective, ...]", ("score", *(name for name in names if name != "score")))


def make_sampler(name: str, seed: int, ordinal: int) -> "BaseSampler":
    """The sampler of one trial.

    Each trial has one with a seed of its own, so that its parameters depend on the trials before it alone, and not on
    which process drew those.

    Args:
        name: of ``SAMPLERS``.
        seed: of the study.
        ordinal: place of the trial in the study.
    """
    from optuna import samplers

    if name == "qmc":  # one sequence for all trials
        return samplers.QMCSampler(seed=derive_seed(seed, "sequence"), scramble=True, warn_independent_sampling=False)
    classes: dict[str, Any] = {
        "tpe": samplers.TPESampler,
        "cmaes": samplers.CmaEsSampler,
        "gp": samplers.GPSampler,
        "nsga2": samplers.NSGAIISampler,
        "nsga3": samplers.NSGAIIISampler,
    }
    options = {"warn_independent_sampling": False} if name in ("tpe", "cmaes", "gp") else {}
    sampler: BaseSampler = classes.get(name, samplers.RandomSampler)(
        seed=derive_seed(seed, "sampler", ordinal), **options
    )
    return sampler


def make_pruner(name: str, units: int, unit: int, trains_once: bool) -> "BasePruner":
    """The pruner of a study.

    Args:
        name: of ``PRUNERS``.
        units: machine types times seeds.
        unit: steps of each.
        trains_once: whether one training serves all machine types, so that the first scores come when all is trained.
    """
    from optuna import pruners

    match name:
        case "median":
            return step_median(0 if trains_once or units == 1 else unit * math.ceil(units / 2))
        case "halving":
            return pruners.SuccessiveHalvingPruner(min_resource=unit, reduction_factor=2)
        case "hyperband":
            return pruners.HyperbandPruner(min_resource=unit, max_resource=unit * units, reduction_factor=2)
    return pruners.NopPruner()


def step_median(first_step: int) -> "BasePruner":
    """A pruner that gives up a trial which lies below the median of the done trials at the same step.

    Optuna's own compares a trial's best value up to the step. Here an early value may be of an easy machine type, which
    would save every trial: only values at the same step can be compared.

    Args:
        first_step: nothing is pruned before; half of the machine types, because one alone says little of the rest.
    """
    from optuna.pruners import BasePruner
    from optuna.trial import TrialState

    class StepMedian(BasePruner):
        def prune(self, study: Any, trial: Any) -> bool:
            step = trial.last_step
            if step is None or step < first_step:
                return False
            done = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
            others = [one.intermediate_values[step] for one in done if step in one.intermediate_values]
            value = trial.intermediate_values[step]
            return len(others) >= FIRST_TRIALS and bool(math.isnan(value) or value < median(others))

    return StepMedian()
