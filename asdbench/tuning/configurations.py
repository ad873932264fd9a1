"""What all trials of a study share: the open recordings, the space, and how parameters become runs."""

from collections.abc import Collection, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from asdbench.core.errors import RequirementError, UsageError
from asdbench.core.paths import expand_user
from asdbench.core.progress import Progress
from asdbench.datasets.challenge import require_split
from asdbench.datasets.clips import Source
from asdbench.datasets.inventory import folders_below
from asdbench.harness.plan import Plan, make_plan, replan
from asdbench.harness.request import Scopes, asked_stages
from asdbench.harness.spec import RunSpec
from asdbench.protocols import DEFINITIONS
from asdbench.registry import load_catalog
from asdbench.tuning.space import KINDS, Space, make_space

# No part of what is tuned.
OF_ONE_COMMAND = ("engine", "jobs", "gpus_per_task", "artifacts", "fresh", "retry_failed", "out", "tracking", "params")


class Configurations:
    """The data set of a command, opened once, and its search space.

    Args:
        spec: the command; ``out`` is where studies go.
        spaces: texts of ``--space``.
        only: of ``--only``.
        progress: where the opening is reported.

    Raises:
        UsageError: a name, a parameter or a space that cannot be.
        RequirementError: data is missing, or carries no labels.
    """

    def __init__(self, spec: RunSpec, spaces: Sequence[str], only: Sequence[str], progress: Progress) -> None:
        if len(spec.dataset) > 1:
            raise UsageError(
                f"tune takes one --dataset, not {len(spec.dataset)}: {', '.join(spec.dataset)}.\n"
                "The best configuration runs on others: asdbench run --config best.toml --dataset OTHER"
            )
        if spec.system and (spec.extractor or spec.scorer):
            raise UsageError("tune takes --system, or --extractor and --scorer; not both in one study.")
        self.spec = spec.model_copy(update={"seed": list(dict.fromkeys(spec.seed))})
        self._catalog = load_catalog(spec.plugin_path)
        self.opened: Plan = make_plan(self.spec, progress)
        (self.dataset,) = self.opened.datasets
        if not self.dataset.labelled:
            raise RequirementError(
                f"The test clips of {self.dataset.name} carry no labels, so no trial can be told from another.\n"
                "Tune on recordings with labels, a development set for instance."
            )
        wanted = asked_stages(self.spec, self._catalog)
        scopes = Scopes(self.spec, self._catalog, wanted, self._made)
        clips = len(self.dataset.training_view())
        self.space: Space = make_space(self.spec, scopes, wanted, clips, spaces, only)
        self._fixed = [  # key, system, component, value
            (f"{system}.{component}.{param}" if system else f"{component}.{param}", system, component, value)
            for system, component, param, text in scopes.given
            for value in [self._settled(system, component, param, text)]
        ]

    def _settled(self, system: str | None, component: str, param: str, text: Any) -> Any:
        """The value that a text given by hand stands for."""
        for cell in self.opened.cells:
            for part in cell.components:
                if part.name == component and system in (None, cell.system):
                    return part.params[param]
        return text

    @property
    def _source(self) -> Source:
        assert self.dataset.source is not None, "a plan's data sets say how they were opened"
        return self.dataset.source

    @property
    def _made(self) -> list[str]:
        entry = self._catalog.entries["datasets"].get(self._source.name)
        return [self._source.name] if entry is not None and entry.challenge is None else []

    @cached_property
    def is_one_of_several(self) -> bool:
        """Whether ``--machine`` left one machine type of a data set that has others."""
        return len(self.dataset.machines) == 1 and bool(self.spec.machine) and len(self._machines_there()) > 1

    def _machines_there(self) -> Collection[str]:
        """All machine types of the data set, whatever ``--machine`` says."""
        entry = self._catalog.entries["datasets"].get(self._source.name)
        if entry is None:
            return folders_below(expand_user(self._source.name))
        if entry.challenge is None:
            return folders_below(self.dataset.clips[0].path.parents[2])  # made by a card
        split = require_split(self._source.name, entry.challenge, self._source.split, ())
        return entry.challenge.splits[split].machines  # type: ignore[index]

    @property
    def asked(self) -> dict[str, Any]:
        """The run file that trials start from."""
        found = {
            key: value
            for key, value in self.spec.model_dump(mode="json").items()
            if key not in OF_ONE_COMMAND and value not in (None, [])
        }
        return found | {"params": {key: value for key, _, _, value in self._fixed}}

    def require_buildable(self) -> None:
        """Build every component of which nothing is tuned, because what it refuses now it refuses in every trial.

        Raises:
            UsageError: one refuses its parameters.
        """
        tuned = {dimension.component for dimension in self.space.dimensions.values()}
        parts = {}
        for cell in self.opened.cells:
            for part in cell.components:
                parts[part.kind, part.name] = part
        for part in parts.values():
            if part.name not in tuned:
                part.build()

    @property
    def trains_once(self) -> bool:
        """Whether an extractor is trained once over all machine types."""
        return any(cell.fit_on == "dataset" for cell in self.opened.cells)

    @property
    def versions(self) -> dict[str, Any]:
        """Identity of every component of the command, without parameters."""
        found: dict[str, Any] = {}
        for cell in self.opened.cells:
            for part in cell.components:
                own = part.identity()
                found[part.name] = {key: own[key] for key in ("target", "version", "code") if key in own}
        return found

    @property
    def definition(self) -> Any:
        """Of the official score."""
        return DEFINITIONS[self.dataset.protocol]

    def plan(self, params: Mapping[str, Any], runs: Path) -> Plan:
        """The runs of a trial, one for each seed.

        Args:
            params: of the trial.
            runs: folder that they go to.

        Raises:
            UsageError: a value that a component does not take.
        """
        return replan(self.opened, self.configured(params, runs), self._catalog)

    def configured(self, params: Mapping[str, Any], runs: Path) -> RunSpec:
        """What ``asdbench run`` would be asked for the same runs."""
        chosen = {kind: params[kind] for kind in KINDS if kind in params}
        parts = self.space.parts(chosen) | {self._source.name}
        systems = [chosen["system"]] if "system" in chosen else self.spec.system
        fixed = {
            key: value
            for key, system, component, value in self._fixed
            if component in parts and (system is None or system in systems)
        }
        tuned = {key: value for key, value in params.items() if key not in chosen}
        update: dict[str, Any] = {kind: [name] for kind, name in chosen.items()}
        return self.spec.model_copy(
            update=update | {"params": fixed | tuned, "out": runs, "retry_failed": True, "fresh": False}
        )
