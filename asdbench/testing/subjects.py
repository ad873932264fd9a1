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

EPOCHS = 2  # of a training, where nobody says else
BEHIND_STEP = "knn"


@dataclass(frozen=True)
class Subject:
    """A component under check.

    Attributes:
        kind: "extractors", "scorers", "steps", "augmentations" or "frontends".
        name: as asked for.
        build: a new object of it.
        component: card and parameters; None of an object.
        frontend: name of an extractor's.
        augmentations: names of an extractor's.
        fit_on: as the extractor's card says.
        part: the component of that kind and name that it works with.
        shortened: parameters that were set so that a training is short.
        build_whole: a new object with the card's own parameters in their place.
    """

    kind: str
    name: str
    build: Callable[[], Any]
    component: Component | None
    part: Callable[[str, str], Component]
    frontend: str = "log-mel"
    augmentations: tuple[str, ...] = ()
    fit_on: str = "dataset"
    shortened: Mapping[str, Any] = field(default_factory=dict)
    build_whole: Callable[[], Any] | None = None


def subject_of_name(
    catalog: Catalog,
    kind: str,
    name: str,
    params: Mapping[str, object],
    frontend: str | None = None,
    augmentations: Sequence[str] | None = None,
) -> Subject:
    """What has that name.

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
    own = isinstance(card, ExtractorCard)
    extractor = name if own else "raw-mel"
    feeds = frontend or (card.frontend if isinstance(card, ExtractorCard) else "log-mel")
    altered = (
        tuple(card.augmentations if isinstance(card, ExtractorCard) else ()) if augmentations is None else augmentations
    )
    scorer = {"scorers": name, "steps": f"{name}+{BEHIND_STEP}"}.get(kind, BEHIND_STEP)
    if kind == "frontends":
        feeds = name
    if kind == "augmentations":
        altered = (name,)
    stages = Stages(None, extractor, feeds, tuple(altered), (scorer,))
    scopes = Scopes(RunSpec(params=dict(params), tracking="none"), catalog, [stages], [])

    def part(kind: str, name: str) -> Component:
        return scopes.component(kind, name, stages)

    shortened: dict[str, Any] = {}
    if kind == "steps":
        component = part("scorers", scorer)
        assert isinstance(component, Composite)
        step = next(one for one in component.settled() if one.name == name)
        return Subject(kind, name, component.build, step, part)
    component = whole = scopes.component(kind, name, stages, QUICK if own and QUICK in card.profiles else None)
    if isinstance(component, Composite) and own:
        raise UsageError(f"'{name}' is an ensemble; check its members one by one: asdbench check NAME")
    given = {param for _, place, param, _ in scopes.given if place == name}
    if own and "epochs" in component.params and not given & {"epochs", "steps"}:
        allowed = card.params["epochs"].range or (EPOCHS, EPOCHS)
        shortened = {"epochs": int(min(max(EPOCHS, allowed[0]), allowed[1]))}
        component = component.altered(shortened)
    fit_on = card.fit_on if isinstance(card, ExtractorCard) else "dataset"
    names = tuple(altered)
    return Subject(kind, name, component.build, component, part, feeds, names, fit_on, shortened, whole.build)


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

    folders = [Path(folder).expanduser() for folder in plugin_path]
    if isinstance(thing, Named):
        params = {**thing.given, **params}
        folders += thing.plugin_path
        thing = thing.name
    catalog = load_catalog(folders)
    if isinstance(thing, str):
        own = {f"{thing}.{key}": value for key, value in params.items()}
        return subject_of_name(catalog, kind, thing, own, frontend, augmentations)
    if params and not isinstance(thing, type):
        raise UsageError(f"Parameters go with a name or a class, not with an object of {type(thing).__name__}.")
    name = thing.__name__ if isinstance(thing, type) else type(thing).__name__

    def build() -> Any:
        made = thing(**params) if isinstance(thing, type) else copy.deepcopy(thing)
        if kind == "scorers":
            from asdbench.scorers.instances import as_scorer

            return as_scorer(made)
        if kind == "extractors":
            from asdbench.extractors.instances import as_extractor

            return as_extractor(made)
        if kind == "steps":
            return made.around(catalog.component("scorers", BEHIND_STEP).build)
        return made

    return Subject(
        kind, name, build, None, catalog.component, frontend or "log-mel", tuple(augmentations or ()), fit_on
    )
