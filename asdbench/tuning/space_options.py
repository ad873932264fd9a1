"""From the cards, ``--space``, ``--only`` and ``-p`` of a command to its search space."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from asdbench.core.errors import UsageError, did_you_mean
from asdbench.core.numbers import parse_float, parse_int
from asdbench.harness.request import Scopes, Stages
from asdbench.harness.spec import RunSpec
from asdbench.registry import Component
from asdbench.registry.cards import Param, Tune
from asdbench.registry.components import parse
from asdbench.tuning.space import EMBED, FIT, FRONTEND, KINDS, SCORER, Dimension, Space


def make_space(
    spec: RunSpec,
    scopes: Scopes,
    stages: Sequence[Stages],
    training_clips: int,
    spaces: Sequence[str] = (),
    only: Sequence[str] = (),
) -> Space:
    """The space of a command.

    What ``-p`` sets is not tuned. A parameter that another one replaces (``epochs``, where ``steps`` are given) is not
    either, unless it is asked for.

    Args:
        spec: the command.
        scopes: what its names mean.
        stages: of the command.
        training_clips: which decide the profile.
        spaces: texts of ``--space``, ``component.param=space``.
        only: ``component.param`` or a component; nothing else is tuned then.

    Raises:
        UsageError: a name or a space that cannot be, or nothing to tune.
    """
    given = {(component, param) for _, component, param, _ in scopes.given}
    asked = _asked_spaces(spaces, scopes, given)
    every: dict[str, Dimension] = {}
    for component, rank in _components(scopes, stages, training_clips):
        of_component = {param: text for (name, param), text in asked.items() if name == component.name}
        fixed = {param for name, param in given if name == component.name}
        for dimension in _dimensions(component, rank, of_component, fixed):
            every.setdefault(dimension.name, dimension)
    chosen = _only(every, only, scopes, stages)
    for component_name, param in asked:
        name = f"{component_name}.{param}"
        if name not in every:
            raise UsageError(f"--space {name}: recordings are not tuned, only what hears them.")
        if name not in chosen:
            raise UsageError(f"--space {name}: --only names others, so it would not be tuned. Add --only {name}")
    choices = {kind: tuple(getattr(spec, kind)) for kind in KINDS if len(getattr(spec, kind)) > 1}
    if not chosen and not choices:
        names = dict.fromkeys(name for one in stages for group in one.names().values() for name in group)
        raise UsageError(
            f"Nothing to tune: no parameter of {', '.join(names)} has a search space, or -p fixes all that have one.\n"
            "Give one: --space COMPONENT.PARAM=LOW:HIGH, or several names to choose from: --scorer A --scorer B. "
            f"See: asdbench show {stages[0].extractor}"
        )
    return Space(choices, chosen, tuple(stages))


def _asked_spaces(spaces: Sequence[str], scopes: Scopes, given: set[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """The text of each ``--space`` by component and parameter."""
    asked: dict[tuple[str, str], str] = {}
    for text in spaces:
        key, equals, space = text.partition("=")
        key = key.strip()
        if not equals or "." not in key:
            raise UsageError(
                f"--space {text}: expected COMPONENT.PARAM=LOW:HIGH[:log|:STEP] or COMPONENT.PARAM=A,B,C, for example "
                "--space knn.n_neighbors=1:50"
            )
        for place in scopes.meant(key, "--space"):
            if place in given:
                raise UsageError(f"--space {key} and -p {key}: -p fixes what --space tunes. Leave one out.")
            asked[place] = space.strip()
    return asked


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


def _dimensions(component: Component, rank: int, asked: Mapping[str, str], fixed: set[str]) -> Iterator[Dimension]:
    """The dimensions of one component, in the order of its card."""
    params = component.card.params
    unknown = next((name for name in asked if name not in params), None)
    if unknown is not None:
        raise UsageError(
            f"--space {component.name}.{unknown}: '{component.name}' has no parameter '{unknown}'."
            f"{did_you_mean(unknown, params)} See: asdbench show {component.name}"
        )
    replaced = {
        other.replaces
        for key, other in params.items()
        if component.params[key] != other.default or key in asked  # as the profile or the command says
    }
    for name, param in params.items():
        if name in asked:
            tune: Tune | None = read_space(f"{component.name}.{name}", asked[name], param)
        else:
            tune = None if name in replaced else param.tune
        if tune is None or name in fixed:
            continue
        default = component.params[name]
        default = ",".join(map(str, default)) if isinstance(default, list) else default
        kind = _number_type(tune) if param.type == "any" else param.type
        rank_of_param = EMBED if rank == FIT and param.affects == "embed" else rank
        yield Dimension(component.name, name, kind, _described(tune, kind), default, rank_of_param)


def _number_type(tune: Tune) -> str:
    """Of a parameter that takes anything, what its range says."""
    numbers = [value for value in (tune.low, tune.high, tune.step) if value is not None]
    return "int" if all(isinstance(value, int) for value in numbers) else "float"


def _described(tune: Tune, kind: str) -> dict[str, Any]:
    """A space as a dimension and a study's record have it."""
    if tune.choices is not None:
        return {"choices": list(tune.choices)}
    number = int if kind == "int" else float
    assert tune.low is not None
    assert tune.high is not None
    space = {"low": number(tune.low), "high": number(tune.high), "log": tune.log}
    return space if tune.step is None else space | {"step": number(tune.step)}


def _only(
    dimensions: Mapping[str, Dimension], only: Sequence[str], scopes: Scopes, stages: Sequence[Stages]
) -> dict[str, Dimension]:
    """Those named, by ``component.param`` or all of a component; all of them where none is named."""
    chosen: set[str] = set()
    for text in only:
        scope = text.rpartition(".")[0]
        components = {name for one in stages for name in (one.names().get(text) or ([] if scope else [text]))}
        names = {text, *(name for name, one in dimensions.items() if one.component in components)}
        settings = scopes.settings_of(text)
        if scope and not settings:
            settings = scopes.meant(text, "--only")
        names |= {f"{component}.{param}" for component, param in settings}
        if not names & dimensions.keys():
            raise UsageError(
                f"--only {text}: that is not tuned here.{did_you_mean(text, dimensions)} "
                f"Tuned: {', '.join(dimensions) or 'nothing'}."
            )
        chosen |= names
    return {name: one for name, one in dimensions.items() if name in chosen or not only}


def read_space(name: str, text: str, param: Param) -> Tune:
    """``1:50``, ``0.02:0.5:log``, ``16:64:16`` (a step), or choices: ``64,128``; lists are separated by ``;``.

    Args:
        name: ``component.param``, for messages.
        text: what stands behind the equals sign.
        param: which says what values may be.

    Raises:
        UsageError: the text is no space, or holds values that the parameter does not take.
    """
    try:
        if ":" in text and param.type in ("int", "float", "any") and param.choices is None:
            return _range(text, param)
        return _choices(text, param)
    except ValueError as error:
        reason = str(error).splitlines()[0]
        raise UsageError(f"--space {name}={text}: {reason}. See: asdbench show {name.rpartition('.')[0]}") from error


def _range(text: str, param: Param) -> Tune:
    pieces = [piece.strip() for piece in text.split(":")]
    if len(pieces) not in (2, 3) or not all(pieces):
        raise ValueError("expected LOW:HIGH, LOW:HIGH:log or LOW:HIGH:STEP")
    low, high = (_number(piece, param) for piece in pieces[:2])
    log = pieces[2:] == ["log"]
    step = None
    if len(pieces) == 3 and not log:
        try:
            step = parse_int(pieces[2]) if param.type == "int" else parse_float(pieces[2])
        except ValueError:
            raise ValueError(f"'{pieces[2]}' is neither 'log' nor a step") from None
        if step <= 0:
            raise ValueError(f"the step takes a number above 0, not {pieces[2]}")
    if not low < high:
        raise ValueError(f"the lower end {pieces[0]} is not below the upper one {pieces[1]}")
    if log and low <= 0:
        raise ValueError(f"a logarithmic range begins above 0, not at {pieces[0]}")
    return Tune.model_construct(low=low, high=high, log=log, step=step, choices=None)


def _number(piece: str, param: Param) -> float:
    value = param.check(parse(param, piece))
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"'{piece}' is no number")
    return value


def _choices(text: str, param: Param) -> Tune:
    separator = ";" if param.type == "strings" or ";" in text else ","
    pieces = [piece.strip() for piece in text.split(separator)]
    if not all(pieces):
        raise ValueError("an empty choice")
    values = [param.check(parse(param, piece)) for piece in pieces]
    choices: list[Any] = [",".join(map(str, value)) if isinstance(value, list) else value for value in values]
    if len(set(choices)) < len(choices):
        raise ValueError("the same choice twice")
    return Tune(choices=tuple(choices))
