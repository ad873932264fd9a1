"""Any detector of PyOD as a scorer: ``pyod:IForest``."""

import pkgutil
import sys
from contextlib import redirect_stdout
from importlib import import_module
from typing import Any

import numpy as np

from asdbench.core.errors import RequirementError, UsageError
from asdbench.registry.cards import ScorerCard
from asdbench.registry.libraries import nearest_detector
from asdbench.scorers.base import Scores
from asdbench.scorers.instances import LibraryDetector, card_from_signature

LEAVE_ONE_OUT = {"ABOD", "COF", "KNN", "LOF", "SOD"}


def find_detector(name: str) -> type[Any]:
    """The PyOD class of that name.

    Raises:
        UsageError: PyOD has none.
        RequirementError: it needs a package that is not installed.
    """
    import pyod.models

    modules = {
        module.name.replace("_", ""): module.name
        for module in pkgutil.iter_modules(pyod.models.__path__)
        if not module.name.startswith(("base", "sklearn_base", "gaal_base"))
    }
    wanted = name.casefold().replace("_", "")
    module = modules.get(wanted)
    if module is None:
        hint = nearest_detector(name, ["pyod"])
        raise UsageError(f"PyOD has no detector '{name}'.{hint} Accepted: the class names of pyod.models, as pyod:KNN")
    try:
        with redirect_stdout(sys.stderr):  # some print advice when they are imported
            loaded = import_module(f"pyod.models.{module}")
    except ImportError as error:
        raise RequirementError(f"pyod:{name} needs a package that is not installed: {error}") from error
    for attribute, value in vars(loaded).items():
        if attribute.casefold().replace("_", "") == wanted and isinstance(value, type):
            return value
    raise UsageError(f"PyOD's module {module} holds no class '{name}'")


def card_of(name: str) -> ScorerCard:
    """Card of a PyOD detector, from its signature."""
    detector = find_detector(name)
    target = "asdbench.scorers.pyod_detector:PyODDetector"
    return card_from_signature(detector, target, detector.__name__, ("pyod", "scikit-learn"))  # many wrap the latter


class PyODDetector(LibraryDetector):
    """A PyOD detector; its ``decision_function`` is the anomaly score."""

    library = "pyod"
    find = staticmethod(find_detector)

    def training_scores(self) -> Scores | None:
        """PyOD's own training scores where a clip is not its own neighbour in them; else out of fold."""
        if self._class.__name__ not in LEAVE_ONE_OUT:
            return None
        return np.asarray(self._model.decision_scores_, np.float64).ravel()
