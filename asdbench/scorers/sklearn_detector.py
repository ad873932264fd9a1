"""Any outlier detector of scikit-learn as a scorer: ``sklearn:svm.OneClassSVM``."""

from typing import Any

from asdbench.core.errors import UsageError, did_you_mean
from asdbench.registry.cards import ScorerCard
from asdbench.scorers.library_detector import LibraryDetector, card_from_signature


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
    target = "asdbench.scorers.sklearn_detector:SklearnDetector"
    return card_from_signature(find_detector(name), target, name, ("scikit-learn",))


class SklearnDetector(LibraryDetector):
    """A scikit-learn outlier detector; minus ``score_samples`` is the anomaly score."""

    library = "sklearn"
    find = staticmethod(find_detector)

    def arguments(self) -> dict[str, Any]:
        """As given; LOF is made to score other clips than those of its training."""
        novelty = {"novelty": True} if self._class.__name__ == "LocalOutlierFactor" else {}
        return super().arguments() | novelty
