import numpy as np
import pytest

import asdbench
from asdbench.datasets.clips import TrainingClip
from asdbench.scorers.mahalanobis import leave_one_out
from asdbench.scorers.out_of_fold import held_out_scores, scores_for_units


def drawn(count, dim, seed=0):
    return np.random.default_rng(seed).normal(size=(count, dim))


def clips_of(count):
    return [TrainingClip(str(place), "", "00", None, ()) for place in range(count)]


def fitted_by(name):
    def fitted(rows, clips):
        scorer = asdbench.build(name, kind="scorers")
        scorer.seed = 0
        return scorer.fit(rows, clips)

    return fitted


@pytest.mark.parametrize("shape", [(40, 6), (12, 11), (12, 30), (3, 5)])
def test_mahalanobis_left_out_is_that_of_a_fit_to_the_others(shape):
    rows = drawn(*shape)
    fitted = fitted_by("mahalanobis-ml")
    others = [np.delete(rows, place, axis=0) for place in range(len(rows))]
    slow = [fitted(other, None).score(rows[[place]])[0] for place, other in enumerate(others)]
    assert fitted(rows, None).held_out_scores() == pytest.approx(slow, rel=1e-6)


def test_mahalanobis_where_a_clip_spans_a_direction_alone_is_not_left_out_by_a_formula():
    alone = np.append(np.zeros(19), 1.0)
    assert leave_one_out(np.column_stack([drawn(20, 3), alone])) is None
    assert leave_one_out(np.repeat(drawn(6, 20), 2, axis=0)) is None


def test_elliptic_envelope_left_out_is_that_of_the_support_without_the_clip():
    rows = np.concatenate([drawn(60, 3), drawn(6, 3) * 9])
    scorer = fitted_by("elliptic-envelope")(rows, None)
    model, held_out = scorer._model, scorer.held_out_scores()
    support = rows[model.support_]
    scale = np.trace(model.covariance_) / np.trace(np.cov(support.T, bias=True))
    for place in np.flatnonzero(model.support_)[:5]:
        others = support[(support != rows[place]).any(axis=1)]
        offset = rows[place] - others.mean(axis=0)
        squared = offset @ np.linalg.inv(np.cov(others.T, bias=True) * scale) @ offset
        assert held_out[place] == pytest.approx(np.sqrt(squared))
    outside = ~model.support_
    assert held_out[outside] == pytest.approx(scorer.score(rows[outside]))


def test_held_out_clips_score_as_new_ones_do_where_five_folds_flatter_them():
    """70 clips in 100 dimensions: distances grow with every clip."""
    new, held_out, five = [], [], []
    for seed in range(5):
        rows, clips = drawn(70, 100, seed).astype(np.float32), clips_of(70)
        scorer = fitted_by("mahalanobis-domains")(rows, clips)
        new.append(scorer.score(drawn(200, 100, seed + 100)).mean())
        held_out.append(held_out_scores(scorer, rows, clips, fitted_by("mahalanobis-domains")).mean())
        five.append(scores_for_units(scorer, rows, clips, fitted_by("mahalanobis-domains")).mean())
    assert np.mean(held_out) == pytest.approx(np.mean(new), rel=0.06)
    assert np.mean(five) < 0.8 * np.mean(new)


def test_a_scorer_that_takes_no_fewer_clips_says_that_its_threshold_is_too_low():
    rows, clips = drawn(6, 4).astype(np.float32), clips_of(6)
    scorer = asdbench.build("knn-ldn", kind="scorers")

    def refusing(rows, clips):
        from asdbench.scorers.base import ScorerError

        raise ScorerError("too few.")

    scorer.fit(rows, clips)
    scorer.held_out_scores = lambda: None
    assert held_out_scores(scorer, rows, clips, refusing) == pytest.approx(scorer.score(rows))
    assert "too low: too few." in scorer.notes[-1]
