"""How a search space is written on the command line."""

from typing import Any

from asdbench.core.errors import UsageError
from asdbench.core.numbers import parse_float, parse_int
from asdbench.registry.cards import Param, Tune
from asdbench.registry.components import parse

NUMBERS = ("int", "float", "any")


def read_space(name: str, text: str, param: Param) -> Tune:
    """``1:50``, ``0.02:0.5:log``, ``16:64:16`` (a step), or choices: ``64,128``; lists are parted by ``;``.

    Args:
        name: ``component.param``, for messages.
        text: what stands behind the equals sign.
        param: which says what values may be.

    Raises:
        UsageError: the text is no space, or holds values that the parameter does not take.
    """
    try:
        if ":" in text and param.type in NUMBERS and param.choices is None:
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
        if not 0 < step < float("inf"):
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
    found: list[Any] = []
    for piece in pieces:
        value = param.check(parse(param, piece))
        found.append(",".join(map(str, value)) if isinstance(value, list) else value)
    if len(set(found)) < len(found):
        raise ValueError("the same choice twice")
    return Tune(choices=tuple(found))
