"""What is to be checked: a name with its parameters, or an object of the author's own."""

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from asdbench.core.errors import UsageError
from asdbench.harness.request import QUICK, Scopes, Stages
from asdbench.harness.spec import RunSpec
from asdbench.registry import Catalog, Component, load_catalog
from asdbench.registry.cards import ExtractorCard
from asdbench.registry.composites import Composite

EPOCHS = 2  # of a training, where nobody asks for others
BEHIND_STEP = "knn"


@dataclass(frozen=True)
class Subject:
    """A component under check."""

    kind: str  # "extractors", "scorers", "steps", "augmentations" or "frontends"
    name: str  # as asked for
    build: Callable[[], Any]  # makes a new object of it
    component: Component | None  # card and parameters; None of an object
    component_of: Callable[[str, str], Component]  # the component of a kind and name that it works with
    frontend: str = "log-mel"  # name of an extractor's
    augmentations: tuple[str, ...] = ()  # names of an extractor's
    fit_on: str = "dataset"  # as the extractor's card says
    shortened: Mapping[str, Any] = field(default_factory=dict)  # parameters that were set so that a training is short
    build_full: Callable[[], Any] = lambda: None  # makes a new object with the card's own parameters in their place


def subject_of_name(
    catalog: Catalog,
    kind: str,
    name: str,
    params: Mapping[str, object],
    frontend: str | None = None,
    augmentations: Sequence[str] | None = None,
) -> Subject:
    """The component of that name.

    Args:
        catalog: where it is looked up.
        kind: of it.
        name: in the catalog.
        params: by ``component.param``, of the component and of what it works with.
        frontend: of an extractor, in place of the card's.
        augmentations: of an extractor, in place of the card's.

    Raises:
        UsageError: no such name or parameter, or a value that it does not take.
    """
    card = catalog.find(kind, name).card
    extractor, feeds, names, fit_on = "raw-mel", "log-mel", augmentations, "dataset"
    if isinstance(card, ExtractorCard):
        extractor, feeds, fit_on = name, card.frontend, card.fit_on
        names = card.augmentations if augmentations is None else augmentations
    feeds = name if kind == "frontends" else frontend or feeds
    altered = (name,) if kind == "augmentations" else tuple(names or ())
    scorer = {"scorers": name, "steps": f"{name}+{BEHIND_STEP}"}.get(kind, BEHIND_STEP)
    stages = Stages(None, extractor, feeds, altered, (scorer,))
    scopes = Scopes(RunSpec(params=dict(params), tracking="none"), catalog, [stages], [])

    def component_of(kind: str, name: str) -> Component:
        return scopes.component(kind, name, stages)

    if kind == "steps":
        chain = component_of("scorers", scorer)
        assert isinstance(chain, Composite)
        step = next(part for part in chain.settled() if part.name == name)
        return Subject(kind, name, chain.build, step, component_of)
    component = full = scopes.component(kind, name, stages, QUICK if kind == "extractors" else None)
    if isinstance(component, Composite) and kind == "extractors":
        raise UsageError(f"'{name}' is an ensemble; check its members one by one: asdbench check NAME")
    shortened: dict[str, Any] = {}
    given = {param for _, owner, param, _ in scopes.given if owner == name}
    if kind == "extractors" and "epochs" in component.params and not given & {"epochs", "steps"}:
        allowed = card.params["epochs"].range or (EPOCHS, EPOCHS)
        shortened = {"epochs": int(min(max(EPOCHS, allowed[0]), allowed[1]))}
        component = component.altered(shortened)
    return Subject(kind, name, component.build, component, component_of, feeds, altered, fit_on, shortened, full.build)


def subject_of(
    kind: str,
    thing: Any,
    params: Mapping[str, object],
    plugin_path: Sequence[str | Path],
    frontend: str | None = None,
    augmentations: Sequence[str] | None = None,
    fit_on: str = "dataset",
) -> Subject:
    """What was given: a name, what ``asdbench.scorer`` or ``asdbench.extractor`` made, a class, or an object.

    Raises:
        UsageError: no such name or parameter, or parameters for an object.
    """
    from asdbench.api.components import Named
    from asdbench.extractors.instances import as_extractor
    from asdbench.scorers.instances import as_scorer

    folders = [Path(folder).expanduser() for folder in plugin_path]
    if isinstance(thing, Named):
        params = {**thing.given, **params}
        folders += thing.plugin_path
        thing = thing.name
    catalog = load_catalog(folders)
    if isinstance(thing, str):
        by_name = {f"{thing}.{key}": value for key, value in params.items()}
        return subject_of_name(catalog, kind, thing, by_name, frontend, augmentations)
    is_class = isinstance(thing, type)
    name = (thing if is_class else type(thing)).__name__
    if params and not is_class:
        raise UsageError(f"Parameters go with a name or a class, not with an object of {name}.")
    adapt: Mapping[str, Callable[[Any], Any]] = {
        "scorers": as_scorer,
        "extractors": as_extractor,
        "steps": lambda step: step.around(catalog.component("scorers", BEHIND_STEP).build),
    }

    def build() -> Any:
        made = thing(**params) if is_class else copy.deepcopy(thing)
        return adapt.get(kind, lambda same: same)(made)

    names = tuple(augmentations or ())
    return Subject(kind, name, build, None, catalog.component, frontend or "log-mel", names, fit_on)
