"""The search space of a command: what the cards say of their parameters, narrowed or widened on the command line."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any

from asdbench.core.errors import UsageError, did_you_mean
from asdbench.harness.request import Scopes, Stages
from asdbench.harness.spec import RunSpec
from asdbench.registry import Component
from asdbench.registry.cards import Param, Tune
from asdbench.tuning.spelling import read_space

if TYPE_CHECKING:
    from optuna import Trial

KINDS = ("system", "extractor", "scorer")  # of which a command may name several to choose from


@dataclass(frozen=True)
class Dimension:
    """One parameter and what it is tuned over.

    Attributes:
        component: whose parameter it is.
        param: its name.
        type: as the card says; values of "strings" are comma-separated texts here.
        tune: range or choices.
        default: the value that it has without tuning.
        rank: place in a grid; what is cheap to change comes last, so that neighbours share fits.
    """

    component: str
    param: str
    type: str
    tune: Tune
    default: Any
    rank: int

    @property
    def name(self) -> str:
        """``component.param``."""
        return f"{self.component}.{self.param}"

    def suggest(self, trial: "Trial") -> Any:
        """A value for a trial."""
        tune = self.tune
        if tune.choices is not None:
            return trial.suggest_categorical(self.name, tune.choices)
        assert tune.low is not None
        assert tune.high is not None
        if self.type == "int":
            low, high, step = int(tune.low), int(tune.high), int(tune.step or 1)
            return trial.suggest_int(self.name, low, high, step=step, log=tune.log)
        return trial.suggest_float(self.name, tune.low, tune.high, step=tune.step, log=tune.log)

    @property
    def holds_default(self) -> bool:
        """Whether the default lies in the space."""
        tune, default = self.tune, self.default
        if tune.choices is not None:
            return any(
                choice == default and isinstance(choice, bool) == isinstance(default, bool) for choice in tune.choices
            )
        if isinstance(default, bool) or not isinstance(default, int | float):
            return False
        assert tune.low is not None
        assert tune.high is not None
        steps = (default - tune.low) / tune.step if tune.step else 0.0
        return tune.low <= default <= tune.high and abs(steps - round(steps)) < 1e-8

    @property
    def finite(self) -> tuple[Any, ...] | None:
        """Every value, of choices and of a range with steps; None where there is no end of them."""
        if self.tune.choices is not None:
            return self.tune.choices
        if self.tune.step is None:
            return None
        assert self.tune.low is not None
        assert self.tune.high is not None
        count = int((self.tune.high - self.tune.low) / self.tune.step + 1e-9) + 1
        values = [self.tune.low + place * self.tune.step for place in range(count)]
        return tuple(int(value) for value in values) if self.type == "int" else tuple(values)

    def described(self) -> dict[str, Any]:
        """For the study's record: low, high, log, step; or choices."""
        if self.tune.choices is not None:
            return {"choices": list(self.tune.choices)}
        whole = int if self.type == "int" else float
        assert self.tune.low is not None
        assert self.tune.high is not None
        found: dict[str, Any] = {"low": whole(self.tune.low), "high": whole(self.tune.high), "log": self.tune.log}
        return found | ({"step": whole(self.tune.step)} if self.tune.step is not None else {})


@dataclass(frozen=True)
class Space:
    """All that is tuned.

    Attributes:
        choices: names to choose from, by kind (system, extractor, scorer); only where there are several.
        dimensions: by name.
        stages: of the command; a parameter is there only where its component is part of what was chosen.
    """

    choices: Mapping[str, tuple[str, ...]]
    dimensions: Mapping[str, Dimension]
    stages: tuple[Stages, ...]

    def parts(self, chosen: Mapping[str, str]) -> set[str]:
        """Names of the components of one choice of each kind."""
        found = set()
        for stages in self.stages:
            if chosen.get("system", stages.system) != stages.system:
                continue
            if chosen.get("extractor", stages.extractor) == stages.extractor:
                scorers = (chosen["scorer"],) if "scorer" in chosen else stages.scorers
                found |= {stages.extractor, *stages.parts()["frontend"], *stages.augmentations, *scorers}
        return found

    def within(self, chosen: Mapping[str, str]) -> list[Dimension]:
        """The dimensions that one choice of each kind has."""
        parts = self.parts(chosen)
        return [dimension for dimension in self.dimensions.values() if dimension.component in parts]

    def is_whole(self, params: Mapping[str, Any]) -> bool:
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
        own = self.within(first)
        if not all(dimension.holds_default for dimension in own):
            return None
        return first | {dimension.name: dimension.default for dimension in own}

    def described(self) -> dict[str, dict[str, Any]]:
        """For the study's record."""
        kinds = {kind: {"choices": list(names)} for kind, names in self.choices.items()}
        return kinds | {name: dimension.described() for name, dimension in self.dimensions.items()}

    def unlisted(self) -> list[str]:
        """Dimensions that a grid leaves at their default, because they have no end of values."""
        return [name for name, dimension in self.dimensions.items() if dimension.finite is None]

    def grid(self) -> "Space":
        """The finite part, which a grid covers."""
        finite = {name: one for name, one in self.dimensions.items() if one.finite is not None}
        return Space(self.choices, finite, self.stages)

    def combinations(self) -> Iterator[dict[str, Any]]:
        """Every combination of the finite values, neighbours as alike as can be up to the scorer."""
        kinds = [kind for kind in KINDS if kind in self.choices and kind != "scorer"]
        scorers = self.choices.get("scorer", (None,))
        for names in product(*(self.choices[kind] for kind in kinds)):
            outer = dict(zip(kinds, names, strict=True))
            every = [{**outer, **({"scorer": one} if one else {})} for one in scorers]
            of_scorers = [[one for one in self.within(chosen) if one.rank == SCORER] for chosen in every]
            shared = sorted((one for one in self.within(every[0]) if one.rank < SCORER), key=lambda one: one.rank)
            for values in product(*(one.finite or () for one in shared)):
                fixed = {one.name: value for one, value in zip(shared, values, strict=True)}
                for chosen, own in zip(every, of_scorers, strict=True):
                    for last in product(*(one.finite or () for one in own)):
                        yield chosen | fixed | {one.name: value for one, value in zip(own, last, strict=True)}


FRONTEND, FIT, EMBED, SCORER = range(4)


def make_space(
    spec: RunSpec,
    scopes: Scopes,
    stages: Sequence[Stages],
    training_clips: int,
    asked: Sequence[str] = (),
    only: Sequence[str] = (),
) -> Space:
    """The space of a command.

    What ``-p`` sets is not tuned. A parameter that another one takes the place of (``epochs``, where ``steps`` are
    given) is not either, unless it is asked for.

    Args:
        spec: the command.
        scopes: what its names mean.
        stages: of the command.
        training_clips: which decide the profile.
        asked: texts of ``--space``, ``component.param=space``.
        only: ``component.param`` or a component; nothing else is tuned then.

    Raises:
        UsageError: a name or a space that cannot be, or nothing to tune.
    """
    given = {(component, param) for _, component, param, _ in scopes.given}
    by_hand: dict[tuple[str, str], str] = {}
    for text in asked:
        key, equals, given_space = text.partition("=")
        scope, _, _ = key.strip().rpartition(".")
        if not equals or not scope:
            raise UsageError(
                f"--space {text}: expected COMPONENT.PARAM=LOW:HIGH[:log|:STEP] or COMPONENT.PARAM=A,B,C, for example "
                "--space knn.n_neighbors=1:50"
            )
        for place in scopes.meant(key.strip(), "--space"):
            if place in given:
                raise UsageError(f"--space {key} and -p {key}: -p fixes what --space tunes. Leave one out.")
            by_hand[place] = given_space.strip()
    dimensions: dict[str, Dimension] = {}
    for component, rank in _components(scopes, stages, training_clips):
        own = {param: given_space for (name, param), given_space in by_hand.items() if name == component.name}
        for dimension in _dimensions(component, rank, own, {param for name, param in given if name == component.name}):
            dimensions.setdefault(dimension.name, dimension)
    choices = {kind: tuple(getattr(spec, kind)) for kind in KINDS if len(getattr(spec, kind)) > 1}
    space = Space(choices, _only(dimensions, only, scopes, stages), tuple(stages))
    lost = next((f"{name}.{param}" for name, param in by_hand if f"{name}.{param}" not in space.dimensions), None)
    if lost is not None and lost not in dimensions:
        raise UsageError(f"--space {lost}: recordings are not tuned, only what hears them.")
    if lost is not None:
        raise UsageError(f"--space {lost}: --only names others, so it would not be tuned. Add --only {lost}")
    if not space.dimensions and not space.choices:
        names = ", ".join(dict.fromkeys(name for one in stages for group in one.parts().values() for name in group))
        raise UsageError(
            f"Nothing to tune: no parameter of {names} has a search space, or -p fixes all that have one.\n"
            "Give one: --space COMPONENT.PARAM=LOW:HIGH, or several names to choose from: --scorer A --scorer B. "
            f"See: asdbench show {stages[0].extractor}"
        )
    return space


def _components(scopes: Scopes, stages: Sequence[Stages], training_clips: int) -> Iterator[tuple[Component, int]]:
    for one in stages:
        profile = scopes.profile(one, training_clips)
        if not one.is_ensemble:
            yield scopes.component("frontends", one.frontend, one), FRONTEND
        yield scopes.component("extractors", one.extractor, one, profile), FIT
        for name in one.augmentations:
            yield scopes.component("augmentations", name, one), FIT
        for name in one.scorers:
            yield scopes.component("scorers", name, one), SCORER


def _dimensions(component: Component, rank: int, asked: Mapping[str, str], given: set[str]) -> Iterator[Dimension]:
    """The dimensions of one component, those of its card in the card's order."""
    params = component.card.params
    unknown = next((name for name in asked if name not in params), None)
    if unknown is not None:
        hint = did_you_mean(unknown, params)
        raise UsageError(
            f"--space {component.name}.{unknown}: '{component.name}' has no parameter '{unknown}'.{hint} "
            f"See: asdbench show {component.name}"
        )
    for name, param in params.items():
        if name in given or (name not in asked and (param.tune is None or _is_replaced(component, name, asked))):
            continue
        tune = read_space(f"{component.name}.{name}", asked[name], param) if name in asked else param.tune
        assert tune is not None
        own = EMBED if rank == FIT and param.affects == "embed" else rank
        default = component.params[name]
        default = ",".join(map(str, default)) if isinstance(default, list) else default
        yield Dimension(component.name, name, _type(param, tune), tune, default, own)


def _is_replaced(component: Component, name: str, asked: Mapping[str, str]) -> bool:
    """Whether another parameter takes its place, as the profile or the command says."""
    return any(
        other.replaces == name and (component.params[key] != other.default or key in asked)
        for key, other in component.card.params.items()
    )


def _type(param: Param, tune: Tune) -> str:
    """Of a parameter that takes anything, what the range says."""
    if param.type == "any" and tune.choices is None:
        whole = all(isinstance(value, int) for value in (tune.low, tune.high, *([tune.step] if tune.step else [])))
        return "int" if whole else "float"
    return param.type


def _only(
    dimensions: Mapping[str, Dimension], only: Sequence[str], scopes: Scopes, stages: Sequence[Stages]
) -> dict[str, Dimension]:
    """Those named, by ``component.param`` or all of a component."""
    if not only:
        return dict(dimensions)
    chosen: dict[str, Dimension] = {}
    for text in only:
        names = {text}
        scope, _, _ = text.rpartition(".")
        owners = {name for one in stages for name in (one.parts().get(text) or ([text] if not scope else []))}
        names |= {name for name, one in dimensions.items() if one.component in owners}
        parts = scopes.settings_of(text)
        if scope and not parts:
            parts = scopes.meant(text, "--only")
        names |= {f"{component}.{param}" for component, param in parts}
        found = {name: dimensions[name] for name in names if name in dimensions}
        if not found:
            hint = did_you_mean(text, dimensions)
            raise UsageError(
                f"--only {text}: that is not tuned here.{hint} Tuned: {', '.join(dimensions) or 'nothing'}."
            )
        chosen |= found
    return {name: one for name, one in dimensions.items() if name in chosen}
