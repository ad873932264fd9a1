"""From the names and ``-p`` values of a command to components with settled parameters."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from asdbench.core.errors import UsageError, did_you_mean
from asdbench.harness.spec import RunSpec
from asdbench.registry import Catalog, Component
from asdbench.registry.cards import ExtractorCard, ScorerCard
from asdbench.registry.composites import Composite
from asdbench.registry.ensembles import AND, pairs_of, tidy
from asdbench.registry.synonyms import nearest_param

QUICK = "quick"
QUICK_BELOW_CLIPS = 500  # training sets smaller than this use the card's quick profile, unless --profile says else


@dataclass(frozen=True)
class Stages:
    """By name: an extractor with what feeds it, and the scorers that follow."""

    system: str | None  # the card that composes them; None when the command named them one by one
    extractor: str
    frontend: str
    augmentations: tuple[str, ...]
    scorers: tuple[str, ...]
    # The system card's values, by component and parameter
    params: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def is_ensemble(self) -> bool:
        """Whether the extractor is several, which have front ends of their own."""
        return AND in self.extractor

    def names(self) -> Mapping[str, tuple[str, ...]]:
        """Names by the word that stands for them in ``-p``."""
        return {
            "extractor": (self.extractor,),
            "scorer": self.scorers,
            "frontend": () if self.is_ensemble else (self.frontend,),
            "augmentation": self.augmentations,
        }


def asked_stages(spec: RunSpec, catalog: Catalog) -> list[Stages]:
    """What the command asks to run: each system, then each extractor with all scorers.

    Raises:
        UsageError: nothing to run, a name given twice, or one that does not exist.
    """
    if not spec.system and not spec.extractor and not spec.scorer:
        raise UsageError(
            "Nothing to run: name a system (--system NAME), or an extractor and a scorer (--extractor NAME --scorer "
            "NAME).\nSee: asdbench list"
        )
    for option, names in (("extractor", spec.extractor), ("scorer", spec.scorer)):
        if not names and (spec.extractor or spec.scorer):
            raise UsageError(f"--{option} is missing: extractors meet scorers. See: asdbench list {option}s")
    extractors = [tidy(name) for name in spec.extractor]
    for option, names in (("system", spec.system), ("extractor", extractors), ("scorer", spec.scorer)):
        if len(set(names)) < len(names):
            raise UsageError(f"--{option} names the same one twice: {', '.join(names)}.")
    wanted = []
    for name in spec.system:
        card = catalog.find("systems", name).system
        params = {tidy(part): values for part, values in card.params.items()}
        extractor = tidy(card.extractor)
        stages = _stages(name, extractor, (card.scorer,), card.frontend, card.augmentations, params, catalog)
        components = [component for names in stages.names().values() for component in names]
        stray = next((component for component in params if component not in components), None)
        if stray:
            raise UsageError(
                f"The card of system '{name}' sets parameters of '{stray}', which is no part of it. "
                f"Its parts: {', '.join(components)}."
            )
        if spec.frontend:
            _refuse_frontend(spec.frontend, stages.extractor)
            stages = replace(stages, frontend=spec.frontend)
        if spec.augmentation is not None and stages.augmentations:
            stages = replace(stages, augmentations=tuple(spec.augmentation))
        wanted.append(stages)
    for name in extractors:
        wanted.append(_stages(None, name, tuple(spec.scorer), spec.frontend, spec.augmentation, {}, catalog))
    if spec.augmentation and not any(stages.augmentations for stages in wanted):
        users = ", ".join(dict.fromkeys(stages.extractor for stages in wanted))
        raise UsageError(f"--augmentation {spec.augmentation[0]}: no extractor here uses augmentations ({users}).")
    return wanted


def _stages(
    system: str | None,
    extractor: str,
    scorers: tuple[str, ...],
    frontend: str | None,
    augmentations: Sequence[str] | None,
    params: Mapping[str, Mapping[str, Any]],
    catalog: Catalog,
) -> Stages:
    """Fill in what the extractor's card says where nothing else is asked for."""
    card = catalog.find("extractors", extractor).card
    assert isinstance(card, ExtractorCard)
    if frontend:
        _refuse_frontend(frontend, extractor)
    alone = pairs_of(extractor) if AND in extractor else [(extractor, scorer) for scorer in scorers]
    for name, scorer in alone:
        scorer_card = catalog.find("scorers", scorer).card
        if isinstance(scorer_card, ScorerCard) and scorer_card.of_members:
            raise UsageError(
                f"The scorer '{scorer}' takes the scores of an ensemble's members, and {name} is none. Name them: "
                f"--extractor {name}:SCORER,EXTRACTOR:SCORER --scorer {scorer}"
            )
    chosen = tuple(card.augmentations if augmentations is None else augmentations) if card.augmentations else ()
    return Stages(system, extractor, frontend or card.frontend, chosen, scorers, params)


def _refuse_frontend(frontend: str, extractor: str) -> None:
    if AND in extractor:
        raise UsageError(f"--frontend {frontend}: members of an ensemble ({extractor}) have front ends of their own.")


class Scopes:
    """Hands the parameters given as ``component.param`` to the components that they name.

    A component is named by its name, also where it is a part of a chain (``whiten+knn``) or of an ensemble, or by its
    kind ("extractor", "scorer", "frontend", "dataset") where the command holds one of that kind only;
    ``system.component.param`` means the component in that system alone.

    Attributes:
        given: system (None for all), component, parameter and value of every parameter given by hand; the last wins.

    Raises:
        UsageError: a parameter names a component that is not part of the command, or a profile does not exist.
    """

    def __init__(self, spec: RunSpec, catalog: Catalog, stages: Sequence[Stages], datasets: Sequence[str]) -> None:
        self._catalog = catalog
        self._profile = spec.profile
        self._stages = stages
        self._datasets = list(datasets)
        cards = [catalog.find("extractors", wanted.extractor).card for wanted in stages]
        offered = {"auto", "full", *(name for card in cards for name in card.profiles)}
        if spec.profile not in offered:
            hint = did_you_mean(spec.profile, offered)
            raise UsageError(f"No profile '{spec.profile}'.{hint} Accepted: {', '.join(sorted(offered))}.")
        self.given = [(*place, value) for key, value in spec.params.items() for place in self._places_of(key)]

    def _places_of(self, key: str, option: str = "-p") -> list[tuple[str | None, str, str]]:
        """System (None for all of them), component and parameter of everything that a key means.

        Of a chain or an ensemble the key names a part (``whiten.variance``), or the whole and its parameter
        (``whiten+knn.whiten.variance``); "frontend" means those of all members that have the parameter.
        """
        scope, _, param = key.rpartition(".")
        system = next((one.system for one in self._stages if one.system and scope.startswith(f"{one.system}.")), None)
        scope = scope.removeprefix(f"{system}.")
        stages = [one for one in self._stages if system in (None, one.system)]
        places: dict[tuple[str, str], None] = {}
        for called, composite in self._composites(stages):
            whole = next((f"{scope}.{param}".removeprefix(f"{name}.") for name in called if scope.startswith(name)), "")
            settings = [whole] if whole in composite.params else composite.keys_of(scope, param)
            places |= dict.fromkeys((composite.name, setting) for setting in settings)
        named: dict[str, list[str]] = {"dataset": self._datasets}
        for one in stages:
            for kind, names in one.names().items():
                named[kind] = list(dict.fromkeys([*named.get(kind, []), *names]))
        if not places or any(scope in names for names in named.values()) or (scope == "frontend" and named[scope]):
            places[self._component_of(scope, key, named, stages, option), param] = None
        return [(system, *place) for place in places]

    def meant(self, key: str, option: str) -> list[tuple[str, str]]:
        """Component and parameter of everything that ``component.param`` means, for an option other than ``-p``."""
        return list(dict.fromkeys((component, param) for _, component, param in self._places_of(key, option)))

    def _component_of(
        self, scope: str, key: str, named: Mapping[str, Sequence[str]], stages: Sequence[Stages], option: str
    ) -> str:
        """The one component that a scope means, by its name or its kind, of those ``named`` by kind."""
        known = [name for names in named.values() for name in names]
        of_kind = named.get(scope, [])
        if scope in known or len(of_kind) == 1:
            return scope if scope in known else of_kind[0]
        param = key.rpartition(".")[2]
        if of_kind:
            raise UsageError(
                f"{option} {key}: this command has several {scope}s. Name one: {option} {of_kind[0]}.{param}=..."
            )
        if scope in [one.system for one in stages]:
            raise UsageError(
                f"{option} {key}: say which part of the system, for example {option} {scope}.extractor.{param}=... "
                f"See: asdbench show {scope}"
            )
        parts = [part for _, composite in self._composites(stages) for part in composite.parts]
        here = list(dict.fromkeys([*known, *(part.name for part in parts)]))
        if scope in here or (scope == "frontend" and parts):
            params = [name for part in parts if scope in (part.name, "frontend") for name in part.card.params]
            hint = nearest_param(param, params)
            raise UsageError(
                f"{option} {key}: '{scope}' has no parameter '{param}' here.{hint} See: asdbench show NAME"
            )
        hint = did_you_mean(scope, [*here, *(kind for kind, names in named.items() if names)])
        raise UsageError(f"{option} {key}: nothing named '{scope}' in this command.{hint} Here: {', '.join(here)}.")

    def _composites(self, stages: Sequence[Stages]) -> Iterator[tuple[list[str], Composite]]:
        """Chains and ensembles, and what each is called: its name, and its kind where there is one of it."""
        for wanted in stages:
            for kind, names in (("extractor", (wanted.extractor,)), ("scorer", wanted.scorers)):
                for name in names:
                    component = self._catalog.component(f"{kind}s", name)
                    if isinstance(component, Composite):
                        yield [name, kind] if len(names) == 1 else [name], component

    def settings_of(self, name: str) -> list[tuple[str, str]]:
        """Component and parameter of everything that a part of a chain or ensemble has."""
        composites = {composite.name: composite for _, composite in self._composites(self._stages)}
        return [(whole, key) for whole, composite in composites.items() for key in composite.keys_of(name)]

    def profile(self, stages: Stages, training_clips: int) -> str | None:
        """The extractor's profile: the one asked for; else "quick" for a small training set.

        A system runs as its card says, on small training sets too, unless a profile is asked for.
        """
        profile = self._profile
        if profile == "auto":
            profile = QUICK if training_clips < QUICK_BELOW_CLIPS and stages.system is None else "full"
        return profile if profile in self._catalog.find("extractors", stages.extractor).card.profiles else None

    def component(self, kind: str, name: str, stages: Stages | None = None, profile: str | None = None) -> Component:
        """The named component: the card's values, then the system's, then the profile's, then those given by hand.

        The profile leaves alone what makes a system's variant one, its backbone for instance.
        """
        component = self._catalog.component(kind, name)
        if stages is not None:
            component = component.altered(stages.params.get(name, {}))
        of_variant = self._catalog.find("systems", stages.system).varied(name) if stages and stages.system else ()
        quicker = component.card.profiles.get(profile or "", {})
        component = component.altered({param: value for param, value in quicker.items() if param not in of_variant})
        systems = (None, stages.system if stages is not None else None)
        by_hand = {param: value for system, one, param, value in self.given if one == name and system in systems}
        return component.altered(by_hand)
