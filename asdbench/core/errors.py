"""Errors that a user can act on. Each says what was asked, what is accepted and what to do next."""

from collections.abc import Iterable
from difflib import get_close_matches


class AsdbenchError(Exception):
    """Something failed in a way that a message explains; shown without a traceback.

    Attributes:
        exit_code: of the command that it ends.
        concerns_all: whether everything else in the command would fail as well, so that going on is in vain.
    """

    exit_code = 1
    concerns_all = False


class UsageError(AsdbenchError):
    """The command names something that does not exist or lies out of range."""

    exit_code = 2
    concerns_all = True


class RequirementError(AsdbenchError):
    """Something that the command needs is not there: data, an extra, a GPU."""

    exit_code = 3
    concerns_all = True


class DiskFullError(AsdbenchError):
    """No room is left to write to."""

    concerns_all = True


class DataError(RequirementError):
    """Recordings that cannot be used; lists every one of them, not only the first.

    Args:
        summary: what is wrong and where, one line.
        problems: one line for each file or folder.
        advice: what to do next, one line.
    """

    def __init__(self, summary: str, problems: Iterable[str] = (), advice: str = "") -> None:
        self.problems = tuple(problems)
        lines = [f"  {problem}" for problem in self.problems]
        super().__init__("\n".join([summary, *lines, *([advice] if advice else [])]))


class TrainingError(AsdbenchError):
    """A training that cannot go on, for example because its loss is no longer finite."""


def did_you_mean(asked: str, known: Iterable[str]) -> str:
    """``" Did you mean 'x'?"`` for the nearest known name, or nothing when none is near."""
    near = nearest(asked, known)
    return f" Did you mean '{near}'?" if near else ""


def nearest(asked: str, known: Iterable[str]) -> str | None:
    """The known name that is most like what was asked, else the first that begins with it; None where none is near."""
    folded = {name.casefold(): name for name in known}
    near = get_close_matches(asked.casefold(), folded, n=1, cutoff=0.6)
    near = near or [name for name in folded if asked and name.startswith(asked.casefold())]
    return folded[near[0]] if near else None
