"""A study of a command: its name, its terms, and the Optuna study that holds them."""

import json
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asdbench.core.digests import digest
from asdbench.core.errors import UsageError
from asdbench.core.progress import Progress
from asdbench.core.uris import without_credentials
from asdbench.harness.spec import RunSpec
from asdbench.tuning.configurations import Configurations
from asdbench.tuning.identity import give_identity, identity_in, identity_of, require_own
from asdbench.tuning.methods import PRUNERS, SAMPLERS, make_pruner, require_method
from asdbench.tuning.record import RUNS, Objective
from asdbench.tuning.storage import DEFAULT, open_storage, quiet_optuna

if TYPE_CHECKING:
    from optuna import Study

STUDIES = "studies"
TERMS = "asdbench"  # user attribute of the study
TRIALS_UNLESS_ASKED = 50
NOTHING: tuple[Any, ...] = (None, [], {})
UNIT = 1000  # Optuna's steps for one machine type with one seed
Unit = tuple[str, int]  # machine type and seed
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


@dataclass
class Tuning:
    """One study as this process sees it: recordings open, storage not yet.

    Raises:
        UsageError: what is asked cannot be.
        RequirementError: data is missing.
    """

    asked: TuneSpec
    progress: Progress
    configurations: Configurations = field(init=False)
    storage: Any = field(init=False, default=None)

    def __post_init__(self) -> None:
        asked = self.asked
        if asked.study is not None:
            require_name(asked.study)
        require_method("--sampler", asked.sampler, SAMPLERS)
        require_method("--pruner", self.pruner, PRUNERS)
        if len(asked.objectives) > 1 and self.pruner != "none":
            raise UsageError(
                f"--pruner {self.pruner} goes with one objective: a trial that is bad in one may be good in the other."
            )
        if len(asked.objectives) > 1 and asked.sampler == "cmaes":
            raise UsageError(
                "--sampler cmaes goes with one objective. Accepted here: tpe, nsga2, nsga3, random, qmc, gp."
            )
        self.configurations = Configurations(asked.run, asked.spaces, asked.only, self.progress)
        if self.is_grid and not (self.grid_space.dimensions or self.grid_space.choices):
            raise UsageError(
                f"--grid: none of {', '.join(self.configurations.space.dimensions)} has an end of values.\n"
                "Give steps or choices: --space COMPONENT.PARAM=LOW:HIGH:STEP or COMPONENT.PARAM=A,B,C"
            )
        require_name(self.name)

    @property
    def is_grid(self) -> bool:
        """Whether every combination is tried."""
        return self.asked.sampler == "grid"

    @property
    def pruner(self) -> str:
        """Its name. Of a grid every combination is wanted, and with several objectives none can be given up."""
        free = self.asked.sampler == "grid" or len(self.asked.objectives) > 1
        return self.asked.pruner or ("none" if free else "median")

    @property
    def grid_space(self) -> Any:
        """What a grid covers."""
        return self.configurations.space.grid()

    @property
    def space(self) -> Any:
        """What is tuned."""
        return self.grid_space if self.is_grid else self.configurations.space

    @cached_property
    def combinations(self) -> list[dict[str, Any]]:
        """Of a grid, in order."""
        return list(self.grid_space.combinations())

    @property
    def trials(self) -> int:
        """How many the study is to have."""
        if self.is_grid:
            return min(self.asked.trials or len(self.combinations), len(self.combinations))
        return self.asked.trials or TRIALS_UNLESS_ASKED

    def fixed(self, ordinal: int) -> dict[str, Any] | None:
        """The parameters of a trial that are not for the sampler to draw: the default's, and those of a grid."""
        if self.is_grid:
            return self.combinations[ordinal] if ordinal < len(self.combinations) else None
        return self.space.default if ordinal == 0 else None

    @property
    def seeds(self) -> list[int]:
        """Base seeds of the runs."""
        return self.configurations.spec.seed

    @property
    def machines(self) -> list[str]:
        """Machine types."""
        return self.configurations.dataset.machines

    @property
    def order(self) -> list[Unit]:
        """Of the units of every trial."""
        if self.configurations.trains_once:  # seed by seed, as one training serves all machine types
            return [(machine, seed) for seed in self.seeds for machine in self.machines]
        return [(machine, seed) for machine in self.machines for seed in self.seeds]

    @cached_property
    def terms(self) -> dict[str, Any]:
        """All that must be the same for trials of one study."""
        spec, table = self.configurations.spec, self.configurations.dataset
        terms = {
            "system": spec.system,
            "extractor": spec.extractor,
            "scorer": spec.scorer,
            "frontend": spec.frontend,
            "augmentation": spec.augmentation,
            "profile": spec.profile,
            "params": self.configurations.asked["params"],
            "space": self.space.described(),
            "recordings": [table.name, table.protocol, table.fingerprint],
            "machines": self.machines,
            "per machine type": self.asked.per_machine,
            "seeds": self.seeds,
            "objectives": list(self.asked.objectives),
            "sampler": [self.asked.sampler, self.asked.sampler_seed],
            "pruner": self.pruner,
            "cards": self.configurations.versions,
        }
        found: dict[str, Any] = json.loads(json.dumps(terms))
        return found

    @property
    def name(self) -> str:
        """As asked for; else readable, and ending in the digest of the terms."""
        if self.asked.study is not None:
            return "-".join(
                [self.asked.study, *(_machine_in_name(machine) for machine in self.machines if self.asked.per_machine)]
            )
        spec = self.configurations.spec
        parts = [*spec.system, "+".join(spec.extractor), "+".join(spec.scorer), self.configurations.dataset.name]
        parts += self.machines if self.asked.per_machine else []
        readable = _plain("-".join(filter(None, parts))).lstrip("._+-")[:80]
        return f"{readable}-{digest(self.terms, 8)}"

    @property
    def admissible(self) -> bool:
        """Whether the first-shot rule lets such parameters stand: they are those of no machine type alone."""
        return not (self.asked.per_machine or self.configurations.is_one_of_several)

    @property
    def folder(self) -> Path:
        """What the study leaves."""
        return self.configurations.spec.out / STUDIES / self.name

    @property
    def runs(self) -> Path:
        """Where the runs of its trials go."""
        return self.folder / RUNS

    def open(self) -> "Study":
        """The Optuna study, made where it is not there.

        Raises:
            UsageError: a study of that name has other terms, or the folder holds another study.
            StorageError: the storage cannot be reached.
        """
        import optuna

        pruner = make_pruner(self.pruner, len(self.order), UNIT, self.configurations.trains_once)
        way = optuna.study.StudyDirection
        directions = [way.MAXIMIZE if one == "score" else way.MINIMIZE for one in self.asked.objectives]
        with quiet_optuna():
            there = identity_in(self.folder)  # first: what has left a record by now is in its storage by now
            self.storage = storage = open_storage(self.asked.storage)
            known = {one.study_name for one in storage.get_all_studies()}
            if self.name not in known:
                require_own(self.folder, there, None)
                with suppress(optuna.exceptions.DuplicatedStudyError):  # another worker was faster
                    give_identity(optuna.create_study(study_name=self.name, storage=storage, directions=directions))
            study = optuna.load_study(study_name=self.name, storage=storage, pruner=pruner)
            require_own(self.folder, there, identity_of(study))
            before = study.user_attrs.get(TERMS)
            if before is None:
                study.set_user_attr(TERMS, self.terms)
        if before is not None and before != self.terms:
            raise UsageError(self._differs(before))
        return study

    def _differs(self, before: dict[str, Any]) -> str:
        keys = [key for key in (*before, *self.terms) if before.get(key) != self.terms.get(key)]
        differences = "; ".join(f"{key}: {_short(before.get(key), self.terms.get(key))}" for key in dict.fromkeys(keys))
        return (
            f"The study '{self.name}' in {without_credentials(self.asked.storage)} has other terms. {differences}.\n"
            "Ask for the same to go on with it, or give this one another name: --study NAME"
        )


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


def _plain(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9._+-]+", ".", name)


def _machine_in_name(machine: str) -> str:
    """A machine type in the name of a folder; where that cannot hold its name, a digest tells it from others."""
    plain = _plain(machine)
    return plain if plain == machine and len(plain) <= LONGEST_MACHINE else f"{plain[:40]}.{digest(machine, 8)}"


def _short(before: object, now: object) -> str:
    if isinstance(before, dict) and isinstance(now, dict) and not (_is_space(before) or _is_space(now)):
        keys = [key for key in {**before, **now} if before.get(key) != now.get(key)]
        differences = [f"{key} {_short(before.get(key), now.get(key))}" for key in islice(keys, 5)]
        return ", ".join([*differences, *([f"and {len(keys) - 5} more"] if len(keys) > 5 else [])])
    if before in NOTHING or now in NOTHING:
        return "only here" if before in NOTHING else "only there"
    return f"{_word(before)} there, {_word(now)} here"


def _is_space(value: object) -> bool:
    return isinstance(value, dict) and bool({"choices", "low"} & set(value))


def _word(value: object) -> str:
    if isinstance(value, dict) and "choices" in value:
        return "{" + ", ".join(map(str, value["choices"])) + "}"
    if isinstance(value, dict) and "low" in value:
        return f"{value['low']:g}:{value['high']:g}" + (":log" if value.get("log") else "")
    return json.dumps(value)
