"""Keep one part's failure from stopping the others."""

import traceback
from collections.abc import Iterator
from contextlib import contextmanager

from asdbench.core.errors import AsdbenchError
from asdbench.core.locks import BusyError
from asdbench.harness.record import Failure


class Abandoned(BaseException):
    """Who asked for the work wants no more of it; passes through everything that catches what goes wrong."""


@contextmanager
def recorded(failures: list[Failure], stage: str, machine: str | None) -> Iterator[None]:
    """Turn an error of the part within into an entry of ``failures``.

    Plugins may raise anything, so anything is kept, with its traceback where it is not one of our own messages.
    What would meet every part (a wrong parameter, bad recordings, a full disk), and a lock that is held, pass through.
    """
    try:
        yield
    except BusyError:
        raise
    except AsdbenchError as error:
        if error.concerns_all:
            raise
        failures.append(Failure(stage=stage, machine=machine, reason=str(error)))
    except (Exception, SystemExit) as error:  # a plugin that leaves must not take the command along
        detail = "".join(traceback.format_exception(error))
        reason = f"{type(error).__name__}: {error}"
        failures.append(Failure(stage=stage, machine=machine, reason=reason, detail=detail))
