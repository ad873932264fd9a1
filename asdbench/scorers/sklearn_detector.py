"""Any outlier detector of scikit-learn as a scorer: ``sklearn:svm.OneClassSVM``."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from asdbench.core.errors import UsageError, did_you_mean
from asdbench.datasets.clips import TrainingClip
from asdbench.registry.cards import ScorerCard
from asdbench.scorers.base import Embeddings, FittedScorer, ScorerError, Scores
from asdbench.scorers.signatures import card_from_signature, given_arguments


def find_detector(name: str) -> type[Any]:
    """The scikit-learn outlier detector of that name (``module.Class``).

    Raises:
        UsageError: there is none.
    """
    from sklearn.base import OutlierMixin
    from sklearn.utils import all_estimators

    known = {
        f"{found.__module__.removeprefix('sklearn.').partition('.')[0]}.{class_name}": found
        for class_name, found in all_estimators()
        if hasattr(found, "score_samples") and issubclass(found, OutlierMixin)
    }
    if name not in known:
        hint = did_you_mean(name, known)
        raise UsageError(f"scikit-learn has no outlier detector '{name}'.{hint} Accepted: {', '.join(sorted(known))}")
    found: type[Any] = known[name]
    return found


def card_of(name: str) -> ScorerCard:
    """Card of a scikit-learn detector, from its signature."""
    return card_from_signature(find_detector(name), "asdbench.scorers.sklearn_detector:SklearnDetector", name)


class SklearnDetector(FittedScorer):
    """A scikit-learn outlier detector; minus ``score_samples`` is the anomaly score."""

    def __init__(self, *, detector: str, **params: Any) -> None:
        super().__init__()
        self._class = find_detector(detector)
        self._params = params

    def fit(self, embeddings: Embeddings, clips: Sequence[TrainingClip]) -> None:
        """Fit the detector.

        Raises:
            ScorerError: the detector refuses the embeddings or its parameters.
        """
        arguments = given_arguments(self._class, self._params, self.seed)
        if self._class.__name__ == "LocalOutlierFactor":
            arguments["novelty"] = True  # else it scores nothing but its training clips
        try:
            self._model = self._class(**arguments).fit(np.asarray(embeddings, float))
        except (ValueError, TypeError) as error:
            raise ScorerError(
                f"sklearn:{self._class.__name__} failed on {embeddings.shape} embeddings: {error}"
            ) from error

    def score(self, embeddings: Embeddings) -> Scores:
        """Minus ``score_samples`` of each row, float64 (n,)."""
        return np.asarray(-self._model.score_samples(np.asarray(embeddings, float)), np.float64)
