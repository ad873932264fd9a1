"""What a machine model is asked for."""

from collections.abc import Callable
from dataclasses import dataclass

from asdbench.datasets.synthetic.signals import Rng, Signal


@dataclass(frozen=True)
class Operation:
    """How a machine runs during one clip.

    Attributes:
        samples: length of the clip.
        speed: speed step; each machine says what it turns into (Hz of a shaft, strokes a second).
        load: from 0 (idle) to 1 (full).
    """

    samples: int
    speed: float
    load: float


@dataclass(frozen=True)
class Fault:
    """A fault mode and how far it has gone, from 0 (nothing yet) to 1 (plain to hear)."""

    mode: str
    severity: float

    def of(self, mode: str) -> float:
        """Severity when this is the fault asked for, else 0."""
        return self.severity if self.mode == mode else 0.0


HEALTHY = Fault("none", 0.0)


@dataclass(frozen=True)
class Domain:
    """Operating conditions of one domain; each clip draws one value of each."""

    speeds: tuple[float, ...]
    loads: tuple[float, ...]
    noises: tuple[str, ...]
    microphones: tuple[str, ...]


@dataclass(frozen=True)
class Machine:
    """A machine type: its sound, its fault modes, its operating conditions."""

    name: str
    sound: Callable[[Operation, Fault, Rng], Signal]
    faults: tuple[str, ...]
    source: Domain
    target: Domain
    severity: tuple[float, float]
    snr_db: tuple[float, float]
