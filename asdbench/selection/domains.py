"""How far the normal scores of two domains are apart; and the one choice that looks at labels, of development data."""

from collections.abc import Mapping, Sequence
from typing import TypeVar

import numpy as np

from asdbench.core.threads import one_thread
from asdbench.datasets.clips import TrainingClip
from asdbench.selection.criterion import Embeddings, FitDetector, SelectionError

SPLITS = 10
DOMAINS = ("source", "target")
Name = TypeVar("Name")


def domain_balance(rows: Embeddings, clips: Sequence[TrainingClip], fitted: FitDetector) -> float:
    """Distance between the scores of normal source and target clips, in [0, 1]; smaller is better.

    Mkrtchian (2026, DACo): half of each domain's clips are left out at random, the scorer is fitted to the others, and
    the Kolmogorov-Smirnov distance between the scores of source and of target clips left out is measured; the mean over
    the splits. At 0 one threshold means the same rate of false alarms in both. It says nothing of anomalies: a scorer
    that draws at random is balanced.

    Args:
        rows: embeddings (n, dim) or (n, bands, dim) of the training clips of one machine type or section.
        clips: what is known of them.
        fitted: gives a scorer fitted to some of the rows and their clips.

    Raises:
        SelectionError: fewer than two clips of a domain, or scores that are not finite.
        AsdbenchError: the scorer cannot be fitted to half of the clips.
    """
    from scipy.stats import ks_2samp

    of_domain = [np.flatnonzero([clip.domain == domain for clip in clips]) for domain in DOMAINS]
    if min(map(len, of_domain)) < 2:
        counts = " and ".join(f"{len(places)} {name}" for name, places in zip(DOMAINS, of_domain, strict=True))
        raise SelectionError(
            f"Balance of the domains takes at least 2 training clips of each; there are {counts} clips.\n"
            "Choose by pasted clips: --select normal-only"
        )
    drawn = np.random.default_rng(0)  # the same clips are left out for all that is compared
    distances = []
    with one_thread():
        for _ in range(SPLITS):
            left_out = [np.sort(drawn.permutation(places)[: len(places) // 2]) for places in of_domain]
            seen = np.ones(len(clips), bool)
            seen[np.concatenate(left_out)] = False
            scorer = fitted(rows[seen], [clip for clip, is_seen in zip(clips, seen, strict=True) if is_seen])
            source, target = (scorer.score(rows[places]) for places in left_out)
            if not (np.isfinite(source).all() and np.isfinite(target).all()):
                raise SelectionError("Scores of clips left out are not finite.")
            distances.append(float(ks_2samp(source, target).statistic))
    return float(np.mean(distances))


def vetoed(scores: Mapping[Name, float], points: float) -> dict[Name, float]:
    """How far configurations lie below the best on labelled development data, those that lie too far.

    Mkrtchian (2026, DACo) leaves out such configurations before he takes the one that is balanced best: a scorer that
    draws at random is balanced.

    Args:
        scores: official scores on the development data (fractions), by configuration.
        points: the largest difference (percent points) that is let pass.
    """
    best = max(scores.values(), default=0.0)
    return {name: best - score for name, score in scores.items() if 100 * (best - score) > points + 1e-9}
