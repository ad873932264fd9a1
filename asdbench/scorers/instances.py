"""Objects of the user's own as scorers."""

import inspect
from collections.abc import Callable, Sequence
from typing import Any, Self

import numpy as np

from asdbench.core.errors import UsageError
from asdbench.datasets.clips import TrainingClip
from asdbench.scorers.base import Embeddings, Scorer, Scores
from asdbench.scorers.library_detector import global_seed


def as_scorer(instance: Any) -> Scorer:
    """The object as a scorer; one of asdbench's own is taken as it is.

    Detectors of scikit-learn (a higher ``score_samples`` or ``decision_function`` is more normal) and of PyOD (a higher
    ``decision_function`` is more anomalous) are known by their class. Of any other object ``score(embeddings)`` gives n
    values, higher is more anomalous.

    Raises:
        UsageError: it has no ``fit``, or nothing that scores.
    """
    if isinstance(instance, Scorer):
        return instance
    if not callable(getattr(instance, "fit", None)):
        raise _unusable(instance, "it has no method fit")
    return InstanceScorer(instance, _scoring(instance))


class InstanceScorer(Scorer):
    """Calls an object's ``fit`` and the function that scores by it."""

    def __init__(self, instance: Any, scoring: Callable[[Embeddings], Any]) -> None:
        super().__init__()
        self._instance = instance
        self._scoring = scoring

    def fit(self, embeddings: Embeddings, clips: Sequence[TrainingClip] | None = None) -> Self:
        """Fit the object to training embeddings (n, dim); ``clips`` are passed where its ``fit`` takes them."""
        with global_seed(self.seed):  # from which detectors draw that are given no random_state
            if _takes_clips(self._instance.fit):
                self._instance.fit(embeddings, clips=clips)
            else:
                self._instance.fit(embeddings)
        return self

    def score(self, embeddings: Embeddings) -> Scores:
        """Anomaly score of each row, float64 (n,)."""
        with global_seed(self.seed):
            return np.asarray(self._scoring(embeddings), np.float64)


def _scoring(instance: Any) -> Callable[[Embeddings], Any]:
    if _is_of(instance, "pyod.models.base", "BaseDetector"):
        found: Callable[[Embeddings], Any] = instance.decision_function
        return found
    if _is_of(instance, "sklearn.base", "BaseEstimator"):
        if type(instance).__name__ == "LocalOutlierFactor":
            instance.set_params(novelty=True)  # which scores clips other than those of its training
        for name in ("score_samples", "decision_function"):
            if callable(getattr(instance, name, None)):
                return Negated(getattr(instance, name))
        raise _unusable(instance, "scikit-learn gives it neither score_samples nor decision_function")
    if not callable(getattr(instance, "score", None)):
        raise _unusable(instance, "it has no method score")
    score: Callable[[Embeddings], Any] = instance.score
    return score


class Negated:
    """Minus what a function gives: higher is more anomalous."""

    def __init__(self, function: Callable[[Embeddings], Any]) -> None:
        self._function = function

    def __call__(self, embeddings: Embeddings) -> Any:
        """Minus the value of each row."""
        return -np.asarray(self._function(embeddings), np.float64)


def _is_of(instance: Any, module: str, name: str) -> bool:
    """Whether a class of that module and name is among the object's, without importing the library."""
    return any(one.__module__ == module and one.__name__ == name for one in type(instance).__mro__)


def _takes_clips(fit: Callable[..., Any]) -> bool:
    try:
        known = inspect.signature(fit).parameters
    except (TypeError, ValueError):  # of a C extension
        return False
    return "clips" in known


def _unusable(instance: Any, reason: str) -> UsageError:
    return UsageError(
        f"An object of the class {type(instance).__name__} is no scorer: {reason}.\n"
        "Accepted: a name, an object with fit(embeddings) and score(embeddings), a detector of scikit-learn or PyOD."
    )
