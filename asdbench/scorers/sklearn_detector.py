"""Any outlier detector of scikit-learn as a scorer: ``sklearn:svm.OneClassSVM``."""

from contextlib import suppress
from importlib import import_module
from typing import Any

from asdbench.core.errors import UsageError
from asdbench.registry.cards import ScorerCard
from asdbench.registry.libraries import detectors_of, nearest_detector
from asdbench.scorers.instances import LibraryDetector, card_from_signature


def find_detector(name: str) -> type[Any]:
    """The scikit-learn outlier detector of that name (``module.Class``).

    Raises:
        UsageError: there is none.
    """
    from sklearn.base import OutlierMixin

    def is_detector(estimator: Any) -> bool:
        return (
            isinstance(estimator, type) and issubclass(estimator, OutlierMixin) and hasattr(estimator, "score_samples")
        )

    module, _, class_name = name.partition(".")
    with suppress(ImportError):
        detector: Any = getattr(import_module(f"sklearn.{module}"), class_name, None)
        if is_detector(detector):
            return detector  # type: ignore[no-any-return]
    hint, known = nearest_detector(name, ["sklearn"]), detectors_of("sklearn")
    raise UsageError(f"scikit-learn has no outlier detector '{name}'.{hint} Accepted: {', '.join(known)}")


def card_of(name: str) -> ScorerCard:
    """Card of a scikit-learn detector, from its signature."""
    target = "asdbench.scorers.sklearn_detector:SklearnDetector"
    return card_from_signature(find_detector(name), target, name, ("scikit-learn",))


class SklearnDetector(LibraryDetector):
    """A scikit-learn outlier detector; minus ``score_samples`` is the anomaly score."""

    library = "sklearn"
    find = staticmethod(find_detector)
