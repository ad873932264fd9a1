"""What ``asdbench tune`` was asked, and the names of studies."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from asdbench.core.digests import digest
from asdbench.core.errors import UsageError
from asdbench.harness.spec import RunSpec
from asdbench.tuning.methods import PRUNERS, SAMPLERS, require_method
from asdbench.tuning.record import Objective
from asdbench.tuning.storage import DEFAULT

LONGEST_MACHINE = 100  # characters in the name of a study
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,99}")  # a folder's too


@dataclass(frozen=True)
class TuneSpec:
    """What ``asdbench tune`` was asked, besides what ``run`` is asked too.

    Attributes:
        run: the command; ``machine`` holds one name where ``per_machine``.
        spaces: texts of ``--space``.
        only: of ``--only``.
        trials: that the study is to have; None is 50, or all of a grid.
        objectives: the official score first.
        sampler: of ``SAMPLERS``; "grid" covers every combination of the finite spaces.
        pruner: of ``PRUNERS``; None is what suits the rest.
        sampler_seed: of what the sampler draws.
        storage: address.
        study: name; None is made of what is asked.
        per_machine: the study is of one machine type alone.
    """

    run: RunSpec
    spaces: Sequence[str] = ()
    only: Sequence[str] = ()
    trials: int | None = None
    objectives: tuple[Objective, ...] = ("score",)
    sampler: str = "tpe"
    pruner: str | None = None
    sampler_seed: int = 0
    storage: str = DEFAULT
    study: str | None = None
    per_machine: bool = False


def require_name(name: str) -> None:
    """Check the name of a study, which is the name of a folder as well.

    Raises:
        UsageError: it cannot be.
    """
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
