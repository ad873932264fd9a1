"""Keep one part's failure from stopping the others."""

from collections.abc import Iterator
from contextlib import contextmanager

from asdbench.core.errors import AsdbenchError
from asdbench.core.faults import fault_of
from asdbench.core.locks import BusyError
from asdbench.harness.record import Failure


@contextmanager
def recorded(failures: list[Failure], stage: str, machine: str | None) -> Iterator[None]:
    """Turn an error of the part within into an entry of ``failures``.

    Plugins may raise anything, so anything is kept; what is no message of our own with file and line of the plugin.
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
        fault = fault_of(error)
        failures.append(Failure(stage=stage, machine=machine, reason=fault.reason, detail=fault.detail))
