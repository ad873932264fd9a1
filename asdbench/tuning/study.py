"""A study as a command sees it: its open recordings, its space, its name and terms, and how parameters become runs."""

import json
from collections.abc import Collection, Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

from asdbench.core.digests import digest
from asdbench.core.errors import RequirementError, UsageError
from asdbench.core.progress import Progress
from asdbench.datasets.challenge import require_split
from asdbench.harness.data import open_inventory, sort_of
from asdbench.harness.plan import Plan, make_plan
from asdbench.harness.request import Scopes, asked_stages
from asdbench.harness.spec import RunSpec
from asdbench.protocols import DEFINITIONS
from asdbench.registry import load_catalog
from asdbench.tuning.record import RUNS
from asdbench.tuning.space import KINDS, Space
from asdbench.tuning.space_options import make_space
from asdbench.tuning.spec import TuneSpec, name_of_machine, plain_name, require_consistent, require_name

STUDIES = "studies"
TRIALS_UNLESS_ASKED = 50
UNIT = 1000  # Optuna's steps for one machine type with one seed
# Options that are no part of what is tuned.
OF_ONE_COMMAND = ("engine", "jobs", "gpus_per_task", "artifacts", "fresh", "retry_failed", "out", "tracking", "params")


class Tuning:
    """One study as this process sees it: recordings open, storage not yet.

    Args:
        asked: the command.
        progress: where the opening is reported, and what concerns the whole study.

    Raises:
        UsageError: what is asked cannot be.
        RequirementError: data is missing, or carries no labels.
    """

    def __init__(self, asked: TuneSpec, progress: Progress) -> None:
        self.asked = asked
        self.progress = progress
        self.is_grid = asked.sampler == "grid"  # every combination is tried
        # Of a grid every combination is wanted, and a trial that is bad in one objective may be good in another.
        self.pruner = asked.pruner or ("none" if self.is_grid or len(asked.objectives) > 1 else "median")
        require_consistent(asked, self.pruner)
        # What ``run`` knows too; ``out`` is where studies go.
        self.spec = asked.run.model_copy(update={"seed": list(dict.fromkeys(asked.run.seed))})
        self._catalog = load_catalog(self.spec.plugin_path)
        self.plan: Plan = make_plan(self.spec, progress)  # with the default of every parameter
        (self.dataset,) = self.plan.datasets
        self.seeds, self.machines = self.spec.seed, self.dataset.machines
        self.definition: Any = DEFINITIONS[self.dataset.protocol]  # of the official score
        if not self.dataset.labelled:
            raise RequirementError(
                f"The test clips of {self.dataset.name} carry no labels, so trials cannot be compared.\n"
                "Tune on recordings with labels, a development set for instance."
            )
        stages = asked_stages(self.spec, self._catalog)
        self._made_by_card = [name for name in self.spec.dataset if sort_of(name, self._catalog) == "made"]
        scopes = Scopes(self.spec, self._catalog, stages, self._made_by_card)
        clips = len(self.dataset.training_view())
        self.whole_space = make_space(self.spec, scopes, stages, clips, asked.spaces, asked.only)
        self.space: Space = self.whole_space.grid() if self.is_grid else self.whole_space  # what is tuned
        if not (self.space.dimensions or self.space.choices):
            raise UsageError(
                f"--grid: none of {', '.join(self.whole_space.dimensions)} has an end of values.\n"
                "Give steps or choices: --space COMPONENT.PARAM=LOW:HIGH:STEP or COMPONENT.PARAM=A,B,C"
            )
        self._given = [  # by hand: key, system, component and value
            (".".join(filter(None, (system, component, param))), system, component, value)
            for system, component, param, text in scopes.given
            for value in [self._settled(system, component, param, text)]
        ]
        self.trials = asked.trials or TRIALS_UNLESS_ASKED
        if self.is_grid:
            self.trials = min(asked.trials or len(self.combinations), len(self.combinations))
        require_name(self.name)

    @cached_property
    def combinations(self) -> list[dict[str, Any]]:
        """Of a grid, in order."""
        return list(self.space.combinations())

    @property
    def trains_once(self) -> bool:
        """Whether an extractor is trained once over all machine types."""
        return any(cell.fit_on == "dataset" for cell in self.plan.cells)

    @property
    def units(self) -> list[tuple[str, int]]:
        """Machine type and seed of all that a trial is scored on, in order."""
        if self.trains_once:  # seed by seed, as one training serves all machine types
            return [(machine, seed) for seed in self.seeds for machine in self.machines]
        return [(machine, seed) for machine in self.machines for seed in self.seeds]

    @property
    def run_file(self) -> dict[str, Any]:
        """The run file that trials start from."""
        spec = self.spec.model_dump(mode="json").items()
        options = {key: value for key, value in spec if key not in OF_ONE_COMMAND and value not in (None, [])}
        return options | {"params": {key: value for key, _, _, value in self._given}}

    def configured(self, params: Mapping[str, Any]) -> RunSpec:
        """What ``asdbench run`` would be asked for the runs of a trial."""
        chosen = {kind: params[kind] for kind in KINDS if kind in params}
        components = {*self.space.components(chosen), *self._made_by_card}
        systems = [chosen["system"]] if "system" in chosen else self.spec.system
        fixed = {
            key: value
            for key, system, component, value in self._given
            if component in components and (system is None or system in systems)
        }
        tuned = {key: value for key, value in params.items() if key not in chosen}
        update = {kind: [name] for kind, name in chosen.items()} | {"params": fixed | tuned, "out": self.runs}
        return self.spec.model_copy(update={**update, "retry_failed": True, "fresh": False})

    def require_buildable(self) -> None:
        """Build every component of which nothing is tuned, because what it refuses now it refuses in every trial.

        Raises:
            UsageError: one refuses its parameters.
        """
        tuned = {dimension.component for dimension in self.space.dimensions.values()}
        components = {(one.kind, one.name): one for cell in self.plan.cells for one in cell.components}
        for component in components.values():
            if component.name not in tuned:
                component.build()

    @cached_property
    def terms(self) -> dict[str, Any]:
        """All that must be the same for trials of one study."""
        asked, dataset = self.spec, self.dataset
        versions = {}
        for cell in self.plan.cells:
            for component in cell.components:
                identity = component.identity()
                versions[component.name] = {
                    key: identity[key] for key in ("target", "version", "code") if key in identity
                }
        terms = {
            **{key: getattr(asked, key) for key in ("system", "extractor", "scorer", "frontend", "augmentation")},
            "profile": asked.profile,
            "params": self.run_file["params"],
            "space": self.space.described(),
            "recordings": [dataset.name, dataset.protocol, dataset.fingerprint],
            "machines": self.machines,
            "per machine type": self.asked.per_machine,
            "seeds": self.seeds,
            "objectives": list(self.asked.objectives),
            "sampler": [self.asked.sampler, self.asked.sampler_seed],
            "pruner": self.pruner,
            "cards": versions,
        }
        plain: dict[str, Any] = json.loads(json.dumps(terms))
        return plain

    @property
    def name(self) -> str:
        """As asked for; else readable, and ending in the digest of the terms."""
        machines = self.machines if self.asked.per_machine else []
        if self.asked.study is not None:
            return "-".join([self.asked.study, *map(name_of_machine, machines)])
        names = [*self.spec.system, "+".join(self.spec.extractor), "+".join(self.spec.scorer), self.dataset.name]
        readable = plain_name("-".join(filter(None, [*names, *machines]))).lstrip("._+-")[:80]
        return f"{readable}-{digest(self.terms, 8)}"

    @property
    def folder(self) -> Path:
        """What the study leaves."""
        return self.spec.out / STUDIES / self.name

    @property
    def runs(self) -> Path:
        """Where the runs of its trials go."""
        return self.folder / RUNS

    @cached_property
    def is_admissible(self) -> bool:
        """Whether the first-shot rule allows such parameters: they are not those of one machine type of several."""
        alone = len(self.machines) == 1 and bool(self.spec.machine) and len(self._machines_there()) > 1
        return not (self.asked.per_machine or alone)

    def _settled(self, system: str | None, component: str, param: str, text: Any) -> Any:
        """The value that a text given by hand stands for."""
        for cell in self.plan.cells:
            for one in cell.components:
                if one.name == component and system in (None, cell.system):
                    return one.params[param]
        return text

    def _machines_there(self) -> Collection[str]:
        """All machine types of the data set, whatever ``--machine`` says."""
        source = self.dataset.source
        assert source is not None, "a plan's data sets say how they were opened"
        if sort_of(source.name, self._catalog) != "challenge":
            return open_inventory(replace(source, machines=()), self._catalog).wanted
        card = self._catalog.find("datasets", source.name).challenge
        assert card is not None
        return card.splits[require_split(source.name, card, source.split, ())].machines  # type: ignore[index]
