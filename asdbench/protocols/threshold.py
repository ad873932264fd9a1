"""Decision thresholds from training scores."""

import warnings
from dataclasses import dataclass

import numpy as np

from asdbench.protocols.metrics import Scores

QUANTILE = 0.9


@dataclass(frozen=True)
class Threshold:
    """A clip is called anomalous when its score lies above ``value``; ``method`` says where that comes from."""

    value: float
    method: str


def fit_threshold(training_scores: Scores, quantile: float = QUANTILE) -> Threshold:
    """The ``quantile`` of a gamma distribution fitted to the training clips' scores (one score a clip).

    The official baselines' rule. Where no gamma distribution fits (constant scores, a fit that is not finite), the
    quantile of the scores themselves is taken, and ``method`` says so.
    """
    from scipy.stats import gamma

    spread = float(np.ptp(training_scores))
    if spread > 1e-9 * max(1.0, float(np.abs(training_scores).max())):
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            try:
                shape, location, scale = gamma.fit(training_scores)
                value = float(gamma.ppf(quantile, shape, loc=location, scale=scale))
            except (ValueError, RuntimeError):  # scipy's FitError is a RuntimeError
                value = float("nan")
        low, high = float(training_scores.min()), float(training_scores.max())
        if np.isfinite(value) and low - spread <= value <= high + spread:
            return Threshold(value, f"gamma, {quantile:g} quantile")
    return Threshold(float(np.quantile(training_scores, quantile)), f"empirical, {quantile:g} quantile")
