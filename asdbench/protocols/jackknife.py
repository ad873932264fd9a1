"""The interval that the official evaluators of 2022 on print, here to compare with their output.

It is a jackknife of AUC and of pAUC on the scores of all machine types thrown together, not of the official score;
and its variance lacks a factor (N - 1)^2, so it comes out near 1e-5 where a correct one is some hundredths.
"""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from asdbench.protocols.definitions import SectionScores
from asdbench.protocols.evaluation import evaluate
from asdbench.protocols.metrics import Labels, Scores, resampled_auc, resampled_pauc
from asdbench.protocols.results import Intervals

CHUNK = 256  # clips left out at a time
METHOD = (
    "the official evaluators' jackknife: AUC and pAUC of the scores of all machine types thrown together; its width "
    "lacks a factor N - 1, so it says nothing about the official score"
)


def official_jackknife(protocol: str, sections: Mapping[tuple[str, str], SectionScores]) -> Intervals:
    """The official score with the half-width that the official evaluators print beside it.

    The half-width is the mean of those of AUC and pAUC, each t(N - 1) * sqrt(sum (theta_i - mean)^2 / (N (N - 1)))
    with theta_i the value without clip i (``jackknife_estimate`` of the evaluators of 2022 to 2024).
    """
    rows = [sections[key] for key in sorted(sections)]
    labels = np.concatenate([part.labels for part in rows])
    scores = np.concatenate([part.scores for part in rows])
    half = float(np.mean([half_width(metric, labels, scores) for metric in (resampled_auc, resampled_pauc)]))
    score = evaluate(protocol, sections).official_score
    return Intervals(method=METHOD, replicates=0, official_score=(score - half, score + half), machines={}, sections={})


def half_width(
    metric: Callable[[Labels, Scores, NDArray[np.float64]], NDArray[np.float64]], labels: Labels, scores: Scores
) -> float:
    """Half of the evaluators' 95 % interval of a metric."""
    from scipy.stats import t

    clips = len(labels)
    values = []
    for start in range(0, clips, CHUNK):
        left_out = np.arange(start, min(start + CHUNK, clips))
        weights = np.ones((len(left_out), clips))
        weights[np.arange(len(left_out)), left_out] = 0.0
        values.append(metric(labels, scores, weights))
    without = np.concatenate(values)
    sigma = np.sqrt(np.sum((without - without.mean()) ** 2) / (clips * (clips - 1)))
    return float(abs(t.ppf(0.025, clips - 1)) * sigma)
