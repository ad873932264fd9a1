from itertools import pairwise

import numpy as np
import pytest
from sklearn.metrics import f1_score, roc_curve

from asdbench.protocols import SectionScores, decisions
from asdbench.protocols.decisions import decision_measures, detection_at, f1_ev


def expected_f1(labels, scores):
    """The paper's definition, threshold by threshold."""
    thresholds = sorted(set(scores))
    total = 0.0
    for low, high in pairwise(thresholds):
        total += f1_score(labels, scores > low) * (high - low) / (thresholds[-1] - thresholds[0])
    return total


@pytest.fixture(params=[0, 1, 2])
def drawn(request):
    rng = np.random.default_rng(request.param)
    labels = (np.arange(30) >= 18).astype(int)
    scores = rng.normal(labels, 1.0).round(1)  # with ties
    weights = rng.multinomial(18, np.full(18, 1 / 18), 5), rng.multinomial(12, np.full(12, 1 / 12), 5)
    return labels, scores, np.concatenate(weights, axis=1).astype(float)


def test_f1_ev_is_the_papers_sum_also_of_resampled_clips(drawn):
    labels, scores, weights = drawn
    for one, value in zip(weights.astype(int), f1_ev(labels, scores, weights), strict=True):
        assert value == pytest.approx(expected_f1(np.repeat(labels, one), np.repeat(scores, one)))


@pytest.mark.parametrize("at_once", [1, 111, 333, 999])
def test_measures_do_not_depend_on_how_many_replicates_are_made_at_once(monkeypatch, at_once):
    rng = np.random.default_rng(4)
    domains = np.where(rng.random(60) < 0.5, "source", "target")
    scores = rng.normal(size=60).round(1)
    rows = SectionScores(np.arange(60) % 2, domains, scores, (scores > 1).astype(int))
    whole = decision_measures({("fan", "00"): rows}, 10.0)
    monkeypatch.setattr(decisions, "DRAWS", 60 * at_once)
    assert decision_measures({("fan", "00"): rows}, 10.0) == whole


def test_f1_ev_of_scores_far_apart_is_one_and_of_equal_scores_zero():
    labels = np.array([0, 0, 1, 1])
    scores = np.array([[0, 0, 5, 5], [3, 3, 3, 3]], float)
    assert [f1_ev(labels, row, np.ones((1, 4)))[0] for row in scores] == [1.0, 0.0]


@pytest.mark.parametrize("rate", [0.01, 0.1, 0.3])
def test_detection_rate_is_the_highest_of_the_roc_curve_up_to_the_rate(drawn, rate):
    labels, scores, weights = drawn
    for one, value in zip(weights, detection_at(rate, labels, scores, weights), strict=True):
        false, true, _ = roc_curve(labels, scores, sample_weight=one, drop_intermediate=False)
        assert value == pytest.approx(true[false <= rate + 1e-12].max())


def rows(labels, scores, limit, domains=None):
    labels, scores = np.array(labels), np.array(scores, float)
    domains = np.array([""] * len(labels) if domains is None else domains)
    return SectionScores(labels, domains, scores, None if limit is None else (scores > limit).astype(int))


def test_rates_are_of_the_decisions_and_hours_of_the_clips_length():
    sections = {("fan", "00"): rows([0, 0, 0, 0, 1, 1], [1, 2, 3, 9, 5, 1], 4)}
    measures = decision_measures(sections, clip_s=10.0).machines["fan"]
    assert measures.false_alarm_rate.value == 0.25
    assert measures.false_alarms_per_hour.value == 90.0
    assert measures.detection_rate.value == 0.5
    low, high = measures.false_alarm_rate.ci95
    assert low == 0.0
    assert high >= 0.5
    assert set(measures.detection_at) == {"0.01", "0.05", "0.1"}
    assert decision_measures(sections, {"pump": 10.0}).total.false_alarms_per_hour is None


def test_what_is_missing_is_left_out_and_the_rest_is_the_mean():
    healthy = {("fan", "00"): rows([0] * 4, [1, 2, 3, 9], 4)}
    both = {**healthy, ("pump", "00"): rows([0, 0, 1, 1], [1, 2, 3, 9], 4)}
    only = decision_measures(healthy, replicates=0).machines["fan"]
    assert (only.f1_ev, only.detection_rate, only.detection_at) == (None, None, {})
    assert only.false_alarm_rate.value == 0.25
    assert only.false_alarm_rate.ci95 is None
    total = decision_measures(both).total
    assert (total.false_alarm_rate.value, total.detection_rate.value) == (0.125, 0.5)
    undecided = decision_measures({("pump", "00"): rows([0, 0, 1, 1], [1, 2, 3, 9], None)}).total
    assert undecided.false_alarm_rate is None
    assert undecided.f1_ev.value > 0
