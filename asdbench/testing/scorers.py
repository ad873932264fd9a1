"""What every scorer, and every step with a scorer behind it, is put through."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asdbench.core.errors import AsdbenchError
from asdbench.datasets.clips import TrainingClip
from asdbench.registry.cards import ScorerCard
from asdbench.testing.checks import Checks, random_state, require, require_array, require_close
from asdbench.testing.sounds import DIM, Array, make_embeddings
from asdbench.testing.subjects import Subject

ROUNDING = 1e-6  # relative to the largest score
SEED = 5


def check_fit_and_scores(checks: Checks, subject: Subject, _: Any) -> None:
    """Do all checks of a scorer, or of a step with a scorer behind it."""
    # One that reads an extractor's own score takes one column only.
    dim = next((dim for dim in (DIM, 1) if _takes(subject, dim)), DIM)
    training, clips, normal, anomalous = make_embeddings(dim)
    test = np.concatenate([normal, anomalous])
    with checks.expect("fit", "a fit to training embeddings float32 (n, dim)", needed=True):
        scorer = _fitted(subject, training.copy(), clips)
    with checks.expect("scores", f"finite scores float64 ({len(test)},)", needed=True):
        scores = _scores(scorer, test)
    with checks.expect("training scores", "no training scores, or finite ones float64 for each training clip"):
        training_scores = scorer.training_scores()
        if training_scores is not None:
            require_array(training_scores, np.float64, (len(training),), "training scores")
    checks.expect_same(
        "the same scores for the same seed, whatever was drawn elsewhere",
        scores,
        lambda: _scores(_fitted(subject, training.copy(), clips), test),
        "scores",
    )
    with checks.expect("inputs", "the arrays that are given to be left as they are"):
        given, asked = training.copy(), test.copy()
        _fitted(subject, given, clips).score(asked)
        require(np.array_equal(given, training), "fit has altered the training embeddings")
        require(np.array_equal(asked, test), "score has altered the embeddings")
    with checks.expect("domains", "a fit to clips whose domain is not known"):
        _scores(_fitted(subject, training.copy(), [replace(clip, domain=None) for clip in clips]), test)
    card = subject.component.card if subject.component else None
    if isinstance(card, ScorerCard) and card.chance:
        return
    with checks.expect("blindness", "a clip's score not to depend on the other clips"):
        for place in (0, len(normal) - 1, len(test) - 1):
            alone = _scores(scorer, test[place : place + 1])
            rounding = ROUNDING * float(np.abs(scores).max()) / max(float(np.abs(scores[place])), 1e-300)
            require_close(scores[[place]], alone, rounding, "scores of a clip alone and among others")
    with checks.expect("order", "a clip's score not to depend on the order of clips"):
        require_close(scores, _scores(scorer, test[::-1])[::-1], ROUNDING, "scores in another order")
    with checks.expect("direction", "a clear anomaly to score higher than every normal clip"):
        high, low = scores[len(normal) :].min(), scores[: len(normal)].max()
        require(high > low, f"the lowest anomalous score is {high:.6g}, the highest normal one {low:.6g}")


def _takes(subject: Subject, dim: int) -> bool:
    """Whether it can be fitted to so many columns; refusing a number of them is no fault."""
    training, clips, *_ = make_embeddings(dim)
    try:
        with random_state(0):
            _fitted(subject, training, clips)
    except AsdbenchError:
        return False
    except (Exception, SystemExit):  # reported when it is fitted again
        return True
    return True


def _fitted(subject: Subject, rows: Array, clips: Sequence[TrainingClip]) -> Any:
    scorer = subject.build()
    scorer.seed = SEED
    scorer.fit(rows, list(clips))
    return scorer


def _scores(scorer: Any, rows: Array) -> NDArray[np.float64]:
    scores: NDArray[np.float64] = scorer.score(rows.copy())
    require_array(scores, np.float64, (len(rows),), "scores")
    return scores
