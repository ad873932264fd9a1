"""Any outlier detector of scikit-learn as a scorer: ``sklearn:svm.OneClassSVM``."""

from typing import Any

from asdbench.core.errors import UsageError, did_you_mean
from asdbench.registry.cards import ScorerCard
from asdbench.scorers.instances import LibraryDetector, card_from_signature


def find_detector(name: str) -> type[Any]:
    """The scikit-learn outlier detector of that name (``module.Class``).

    Raises:
        UsageError: there is none.
    """
    from sklearn.base import OutlierMixin
    from sklearn.utils import all_estimators

    known: dict[str, type[Any]] = {
        f"{estimator.__module__.removeprefix('sklearn.').partition('.')[0]}.{class_name}": estimator
        for class_name, estimator in all_estimators()
        if hasattr(estimator, "score_samples") and issubclass(estimator, OutlierMixin)
    }
    if name not in known:
        hint = did_you_mean(name, known)
        raise UsageError(f"scikit-learn has no outlier detector '{name}'.{hint} Accepted: {', '.join(sorted(known))}")
    return known[name]


def card_of(name: str) -> ScorerCard:
    """Card of a scikit-learn detector, from its signature."""
    target = "asdbench.scorers.sklearn_detector:SklearnDetector"
    return card_from_signature(find_detector(name), target, name, ("scikit-learn",))


class SklearnDetector(LibraryDetector):
    """A scikit-learn outlier detector; minus ``score_samples`` is the anomaly score."""

    library = "sklearn"
    find = staticmethod(find_detector)
