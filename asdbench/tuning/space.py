"""The search space of a study: dimensions by ``component.param``, and names to choose from."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any

from asdbench.harness.request import Stages

if TYPE_CHECKING:
    from optuna import Trial

KINDS = ("system", "extractor", "scorer")  # of which a command may name several to choose from
FRONTEND, FIT, EMBED, SCORER = range(4)  # what a change of a parameter costs, the dearest first


@dataclass(frozen=True)
class Dimension:
    """One parameter and what it is tuned over."""

    component: str  # whose parameter it is
    param: str  # its name
    type: str  # as the card says; values of "strings" are comma-separated texts here
    space: Mapping[str, Any]  # ``{"low", "high", "log"}``, with "step" where there is one; or ``{"choices"}``
    default: Any  # the value that it has without tuning
    rank: int  # FRONTEND, FIT, EMBED or SCORER

    @property
    def name(self) -> str:
        """``component.param``."""
        return f"{self.component}.{self.param}"

    def suggest(self, trial: "Trial") -> Any:
        """A value for a trial."""
        if "choices" in self.space:
            return trial.suggest_categorical(self.name, self.space["choices"])
        suggest = trial.suggest_int if self.type == "int" else trial.suggest_float
        return suggest(self.name, **self.space)

    @property
    def values(self) -> list[Any] | None:
        """Every value, of choices and of a range with steps; None where there is no end of them."""
        if "choices" in self.space:
            return list(self.space["choices"])
        if "step" not in self.space:
            return None
        low, high, step = (self.space[key] for key in ("low", "high", "step"))
        return [low + place * step for place in range(int((high - low) / step + 1e-9) + 1)]

    @property
    def contains_default(self) -> bool:
        """Whether the default lies in the space."""
        default = self.default
        if "choices" in self.space:
            alike = [one for one in self.space["choices"] if isinstance(one, bool) == isinstance(default, bool)]
            return default in alike
        if isinstance(default, bool) or not isinstance(default, int | float):
            return False
        in_range: bool = self.space["low"] <= default <= self.space["high"]
        steps = (default - self.space["low"]) / self.space.get("step", 1)
        return in_range and ("step" not in self.space or math.isclose(steps, round(steps), abs_tol=1e-9))


@dataclass(frozen=True)
class Space:
    """All that is tuned."""

    # Names to choose from, by kind (system, extractor, scorer); only where there are several
    choices: Mapping[str, Sequence[str]]
    dimensions: Mapping[str, Dimension]  # by name
    stages: Sequence[Stages]  # of the command; a parameter is there only where its component was chosen

    def components(self, chosen: Mapping[str, str]) -> set[str]:
        """Names of the components of one choice of each kind."""
        names: set[str] = set()
        for stages in self.stages:
            if chosen.get("system", stages.system) != stages.system:
                continue
            if chosen.get("extractor", stages.extractor) == stages.extractor:
                scorers = (chosen["scorer"],) if "scorer" in chosen else stages.scorers
                names |= {stages.extractor, *stages.names()["frontend"], *stages.augmentations, *scorers}
        return names

    def within(self, chosen: Mapping[str, str]) -> list[Dimension]:
        """The dimensions that one choice of each kind has."""
        components = self.components(chosen)
        return [dimension for dimension in self.dimensions.values() if dimension.component in components]

    def is_complete(self, params: Mapping[str, Any]) -> bool:
        """Whether a trial has all its parameters; not while it draws them."""
        chosen = {kind: params[kind] for kind in self.choices if kind in params}
        return len(chosen) == len(self.choices) and all(one.name in params for one in self.within(chosen))

    def suggest(self, trial: "Trial") -> dict[str, Any]:
        """The parameters of a trial: what was chosen, and ``component.param``."""
        chosen = {kind: str(trial.suggest_categorical(kind, names)) for kind, names in self.choices.items()}
        return chosen | {one.name: one.suggest(trial) for one in self.within(chosen)}

    @property
    def defaults(self) -> dict[str, Any]:
        """The value that each has without tuning; of names to choose from, the first."""
        first = {kind: names[0] for kind, names in self.choices.items()}
        return first | {name: dimension.default for name, dimension in self.dimensions.items()}

    @property
    def default(self) -> dict[str, Any] | None:
        """The configuration that changes nothing; None where it does not lie in the space."""
        first = {kind: names[0] for kind, names in self.choices.items()}
        dimensions = self.within(first)
        if not all(dimension.contains_default for dimension in dimensions):
            return None
        return first | {dimension.name: dimension.default for dimension in dimensions}

    def described(self) -> dict[str, dict[str, Any]]:
        """For the study's record."""
        kinds = {kind: {"choices": list(names)} for kind, names in self.choices.items()}
        return kinds | {name: dict(dimension.space) for name, dimension in self.dimensions.items()}

    def endless(self) -> list[str]:
        """Dimensions that a grid leaves at their default, because they have no end of values."""
        return [name for name, dimension in self.dimensions.items() if dimension.values is None]

    def grid(self) -> "Space":
        """The finite part, which a grid covers."""
        finite = {name: one for name, one in self.dimensions.items() if one.values is not None}
        return Space(self.choices, finite, self.stages)

    def combinations(self) -> Iterator[dict[str, Any]]:
        """Every combination of a grid; neighbours share all but the scorer, and so their trainings."""
        outer = {kind: [(kind, name) for name in names] for kind, names in self.choices.items() if kind != "scorer"}
        scorers = [{"scorer": name} for name in self.choices.get("scorer", ())] or [{}]
        for names in product(*outer.values()):
            shared = [one for one in self.within(dict(names)) if one.rank < SCORER]
            for values in _product(sorted(shared, key=lambda one: one.rank)):
                for scorer in scorers:
                    chosen = dict(names) | scorer
                    for of_scorer in _product([one for one in self.within(chosen) if one.rank == SCORER]):
                        yield chosen | values | of_scorer


def _product(dimensions: Sequence[Dimension]) -> Iterator[dict[str, Any]]:
    """Every combination of their values; the last one changes fastest."""
    names = [one.name for one in dimensions]
    for values in product(*(one.values or () for one in dimensions)):
        yield dict(zip(names, values, strict=True))
