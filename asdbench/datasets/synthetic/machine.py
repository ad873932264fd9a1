"""What a machine model gets and gives."""

from collections.abc import Callable
from dataclasses import dataclass

from asdbench.datasets.synthetic.signals import Signal, Synthesizer


@dataclass(frozen=True)
class Operation:
    """How a machine runs during one clip.

    Attributes:
        speed: speed step; each machine says what it turns into (Hz of a shaft, strokes a second).
        load: from 0 (idle) to 1 (full).
        fault: fault mode, one of the machine's; empty for a healthy machine.
        severity: how far the fault has gone, from 0 (nothing yet) to 1 (plain to hear).
    """

    speed: float
    load: float
    fault: str = ""
    severity: float = 0.0

    def of(self, fault: str) -> float:
        """Severity when this is the fault asked for, else 0."""
        return self.severity if self.fault == fault else 0.0


@dataclass(frozen=True)
class Domain:
    """Operating conditions of one domain; each clip draws one value of each."""

    speeds: tuple[float, ...]
    loads: tuple[float, ...]
    noises: tuple[str, ...]
    microphones: tuple[str, ...]


@dataclass(frozen=True)
class Machine:
    """A machine type: its sound of unit RMS, its fault modes, its operating conditions."""

    name: str
    sound: Callable[[Operation, Synthesizer], Signal]
    faults: tuple[str, ...]
    source: Domain
    target: Domain
    severity: tuple[float, float] = (0.15, 0.8)
    snr_db: tuple[float, float] = (-4.0, 8.0)
