"""What a study optimises, by name."""

from collections.abc import Sequence
from typing import cast, get_args

from asdbench.core.errors import UsageError, did_you_mean
from asdbench.tuning.record import Objective


def read_objectives(names: Sequence[str]) -> tuple[Objective, ...]:
    """The objectives, the official score first whether it is named or not.

    Raises:
        UsageError: there is none of that name, or it is named twice.
    """
    known = get_args(Objective)
    for name in names:
        if name not in known:
            raise UsageError(
                f"--objective {name}: there is none.{did_you_mean(name, known)} Accepted: {', '.join(known)}."
            )
    if len(set(names)) < len(names):
        raise UsageError(f"--objective names the same one twice: {', '.join(names)}.")
    return cast("tuple[Objective, ...]", ("score", *(name for name in names if name != "score")))
