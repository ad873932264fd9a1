import numpy as np
import pytest

from asdbench.core.errors import UsageError
from asdbench.protocols import ThresholdRule, fit_threshold, p_values


@pytest.mark.parametrize("text", ["gamma:0.9", "gamma:0.95", "12.5", "-3", "false-alarms:0.05", "gamma:0.9,per-domain"])
def test_a_rule_is_what_its_text_says(text):
    assert ThresholdRule.parse(text).text == text


@pytest.mark.parametrize("text", ["", "beta:0.9", "gamma:", "gamma:1.2", "nan", "false-alarms:0", "12,per-domain"])
def test_a_text_that_is_no_rule_is_refused(text):
    with pytest.raises(UsageError):
        ThresholdRule.parse(text)


def test_options_give_one_rule():
    assert ThresholdRule.asked(None, None).text == "gamma:0.9"
    assert ThresholdRule.asked(12.5, None).text == "12.5"
    assert ThresholdRule.asked(None, 0.05, per_domain=True).text == "false-alarms:0.05,per-domain"
    with pytest.raises(UsageError, match="Give one"):
        ThresholdRule.asked("gamma:0.9", 0.1)


@pytest.mark.parametrize("clips", [9, 10, 19, 37, 99])
@pytest.mark.parametrize("rate", [0.1, 0.2, 0.5])
def test_the_rate_holds_for_every_order_of_exchangeable_clips_and_no_smaller_threshold_keeps_it(clips, rate):
    """Each of n + 1 clips is as likely as any other to be the new one: leave each out and count the alarms."""
    every = np.random.default_rng(clips).permutation(clips + 1).astype(float)
    rule = ThresholdRule("false-alarms", rate)
    alarms = sum(new > rule.fit(np.delete(every, place)).value for place, new in enumerate(every))
    assert alarms / (clips + 1) <= rate + 1e-12
    assert (alarms + 1) / (clips + 1) > rate


def test_a_rate_that_the_clips_cannot_promise_is_refused_with_the_smallest_and_the_clips_that_would_do():
    rule = ThresholdRule.parse("false-alarms:0.01")
    with pytest.raises(
        UsageError, match=r"80 training clips of fan (?s:.*)1/81 = 0.01235; 0.01 takes 99 clips"
    ) as error:
        rule.require(80, " of fan")
    assert error.value.exit_code == 2
    rule.require(99)
    assert rule.fit(np.arange(99.0)).value == 98.0
    with pytest.raises(UsageError):
        rule.fit(np.arange(98.0))


def test_per_domain_is_the_largest_of_the_domains_own():
    scores, domains = np.arange(40.0), ["source"] * 30 + ["target"] * 10
    rule = ThresholdRule("false-alarms", 0.1, per_domain=True)
    threshold = rule.fit(scores, domains)
    assert threshold.value == ThresholdRule("false-alarms", 0.1).fit(scores[30:]).value == 39.0
    assert "target" in threshold.method
    assert rule.fit(scores).value == ThresholdRule("false-alarms", 0.1).fit(scores).value


def test_a_p_value_is_at_most_the_rate_exactly_where_the_threshold_of_that_rate_alarms():
    rng = np.random.default_rng(0)
    training, scores = rng.integers(0, 30, 50).astype(float), np.arange(-1, 32.0)
    p = p_values(training, scores)
    assert p == pytest.approx([(1 + np.sum(training >= score)) / 51 for score in scores])
    for rate in (0.02, 0.1, 0.33):
        assert ((p <= rate) == (scores > ThresholdRule("false-alarms", rate).fit(training).value)).all()


def test_a_gamma_distribution_with_all_scores_above_its_quantile_is_not_used():
    for outliers, above in (([1500, 3000, 1e4], 80), ([4e4], 1)):  # few and far
        inner = 366 + 100 * np.random.default_rng(0).gamma(2, 1, 80 - len(outliers))
        scores = np.concatenate([inner, outliers])
        threshold = fit_threshold(scores)
        assert np.sum(scores > threshold.value) == 8
        assert threshold.method == "empirical, 0.9 quantile"
        assert f"{above} of 80 training scores lie above" in threshold.note


@pytest.mark.parametrize("clips", [20, 80, 990])
def test_a_gamma_distribution_that_fits_is_used(clips):
    rng = np.random.default_rng(clips)
    thresholds = [fit_threshold(rng.gamma(3, 2, clips) + 5) for _ in range(10)]
    assert {threshold.method for threshold in thresholds} == {"gamma, 0.9 quantile"}
    assert not any(threshold.note for threshold in thresholds)
