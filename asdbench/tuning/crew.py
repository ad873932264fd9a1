"""Several worker processes on one study."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from asdbench.core.progress import Progress
from asdbench.tuning.record import TrialRecord
from asdbench.tuning.study import Tuning

if TYPE_CHECKING:
    from optuna import Study


def work_together(
    tuning: Tuning,
    study: "Study",
    progress: Progress,
    tell: Callable[[TrialRecord], None],
    jobs: int,
    deadline: float | None,
) -> None:
    """Let processes do trials until the study has all of them."""
    raise NotImplementedError
