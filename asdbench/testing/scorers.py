"""What every scorer, and every step with a scorer behind it, is put through."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asdbench.core.errors import AsdbenchError
from asdbench.datasets.clips import TrainingClip
from asdbench.registry.cards import ScorerCard
from asdbench.testing.checks import (
    ELSEWHERE,
    Check,
    Checks,
    random_state,
    require,
    require_all,
    require_array,
    require_close,
)
from asdbench.testing.common import built
from asdbench.testing.subjects import Subject

SOURCE, TARGET, NORMAL, ANOMALOUS = 60, 12, 40, 6  # rows
DIM = 8
ROUNDING = 1e-6  # relative to the largest score
SEED = 5

Rows = NDArray[np.float32]


def made_embeddings(dim: int = DIM) -> tuple[Rows, list[TrainingClip], Rows, Rows]:
    """Training embeddings (n, dim) with their clips, normal ones, and anomalous ones.

    Normal rows lie about a centre along a few directions; anomalous ones lie far off along one of these and at right
    angles to all of them, and are larger in each column: distances, angles and columns all tell them apart.
    """
    rng = np.random.default_rng(0)
    waves = np.cos(np.pi * np.outer(np.arange(1, 5), np.arange(DIM) + 0.5) / DIM)  # at right angles to each other

    def rows(count: int, shift: float = 0.0, off: float = 0.0) -> Rows:
        latent = rng.normal(size=(count, 3)) @ waves[1:]
        made = 4.0 * waves[0] + latent + shift * waves[1] + off * (2.0 + waves[2]) + 0.2 * rng.normal(size=(count, DIM))
        return np.ascontiguousarray(made if dim == DIM else made.mean(axis=1, keepdims=True), np.float32)

    training = np.concatenate([rows(SOURCE), rows(TARGET, 0.5)])
    domains = ["source"] * SOURCE + ["target"] * TARGET
    clips = [
        TrainingClip(f"{number:04d}", "fan", "00", domain, ())  # type: ignore[arg-type]
        for number, domain in enumerate(domains)
    ]
    return training, clips, np.concatenate([rows(NORMAL - 8), rows(8, 0.5)]), rows(ANOMALOUS, off=8.0)


def scorer_checks(subject: Subject) -> list[Check]:
    """Do all checks of a scorer, or of a step with a scorer behind it.

    Raises:
        RequirementError: something that it needs is not installed.
        UsageError: it refuses its parameters.
    """
    checks = Checks()
    if built(checks, subject) is None:
        return checks.done
    training, clips, normal, anomalous = made_embeddings()
    if not _takes(subject, training, clips):  # one that reads an extractor's own score
        single = made_embeddings(1)
        if _takes(subject, single[0], single[1]):
            training, clips, normal, anomalous = single
    test = np.concatenate([normal, anomalous])
    scorer = checks.holds(
        "fit", "a fit to training embeddings float32 (n, dim)", lambda: _fitted(subject, training, clips)
    )
    if scorer is None:
        return checks.done
    scores = checks.holds("scores", f"finite scores float64 ({len(test)},)", lambda: _scores(scorer, test))
    if scores is None:
        return checks.done

    _check_fit(checks, subject, training, clips, test, scorer, scores)
    card = subject.component.card if subject.component else None
    if not (isinstance(card, ScorerCard) and card.chance):
        _check_scores(checks, scorer, test, scores, len(normal))
    return checks.done


def _check_fit(
    checks: Checks,
    subject: Subject,
    training: Rows,
    clips: Sequence[TrainingClip],
    test: Rows,
    scorer: Any,
    scores: NDArray[np.float64],
) -> None:
    def training_scores() -> None:
        found = scorer.training_scores()
        if found is not None:
            require_array(found, np.float64, (len(training),), "training scores")

    changed: list[str] = []

    def seed() -> None:
        with random_state(ELSEWHERE) as found:
            again = _scores(_fitted(subject, training, clips), test)
            changed.append(found())
        require_close(scores, again, 0.0, "scores")

    def inputs() -> None:
        fitted, (given, asked) = subject.build(), (training.copy(), test.copy())
        fitted.seed = SEED
        fitted.fit(given, list(clips))
        fitted.score(asked)
        require(np.array_equal(given, training), "fit has altered the training embeddings")
        require(np.array_equal(asked, test), "score has altered the embeddings")

    def domains() -> None:
        unknown = [replace(clip, domain=None) for clip in clips]
        _scores(_fitted(subject, training, unknown), test)

    expected = "no training scores, or finite ones float64 for each training clip"
    checks.holds("training scores", expected, training_scores)
    checks.holds("seed", "the same scores for the same seed, whatever was drawn elsewhere", seed)
    checks.holds("random state", "the global generators to be left as they are", lambda: require_all(changed))
    checks.holds("inputs", "the arrays that are given to be left as they are", inputs)
    checks.holds("domains", "a fit to clips whose domain is not known", domains)


def _check_scores(checks: Checks, scorer: Any, test: Rows, scores: NDArray[np.float64], normal: int) -> None:
    def by_itself() -> None:
        for place in (0, normal - 1, len(test) - 1):
            alone = _scores(scorer, test[place : place + 1])
            require_close(scores[[place]], alone, _rounding(scores, place), "scores of a clip alone and among others")

    def order() -> None:
        require_close(scores, _scores(scorer, test[::-1].copy())[::-1], ROUNDING, "scores in another order")

    def direction() -> None:
        high, low = scores[normal:].min(), scores[:normal].max()
        require(high > low, f"the lowest anomalous score is {high:.6g}, the highest normal one {low:.6g}")

    checks.holds("blindness", "a clip's score not to depend on the other clips", by_itself)
    checks.holds("order", "a clip's score not to depend on the order of clips", order)
    checks.holds("direction", "a clear anomaly to score higher than every normal clip", direction)


def _rounding(scores: NDArray[np.float64], place: int) -> float:
    """ROUNDING of the largest score, relative to one of them."""
    return ROUNDING * float(np.abs(scores).max()) / max(float(np.abs(scores[place])), 1e-300)


def _takes(subject: Subject, rows: Rows, clips: Sequence[TrainingClip]) -> bool:
    """Whether it can be fitted to these; refusing a number of columns is no fault."""
    try:
        with random_state(0):
            _fitted(subject, rows, clips)
    except AsdbenchError:
        return False
    except (Exception, SystemExit):  # told when it is fitted again
        return True
    return True


def _fitted(subject: Subject, rows: Rows, clips: Sequence[TrainingClip]) -> Any:
    scorer = subject.build()
    scorer.seed = SEED
    scorer.fit(rows.copy(), list(clips))
    return scorer


def _scores(scorer: Any, rows: Rows) -> NDArray[np.float64]:
    scores = scorer.score(rows.copy())
    require_array(scores, np.float64, (len(rows),), "scores")
    found: NDArray[np.float64] = scores
    return found
