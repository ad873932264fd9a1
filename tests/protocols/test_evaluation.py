from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from asdbench.core.errors import DataError
from asdbench.datasets import read_folder
from asdbench.protocols import (
    DEFINITIONS,
    SectionScores,
    evaluate,
    fit_threshold,
    official_terms,
    require_scorable,
)
from asdbench.protocols.metrics import resampled_auc, resampled_pauc
from asdbench.protocols.resampling import bootstrap_intervals


def rows(seed=0, clips=40, gap=0.8):
    rng = np.random.default_rng(seed)
    labels = np.tile([0, 1], clips // 2)
    domains = np.repeat(["source", "target"], clips // 2)
    scores = np.round(rng.normal(size=clips) + gap * labels + 0.5 * (domains == "target"), 1)
    return SectionScores(labels, domains, scores, (scores > 0.8).astype(int))


def test_auc_of_a_domain_sets_its_normals_against_the_anomalies_of_both():
    part = rows()
    source = evaluate("dcase2023", {("fan", "00"): part}).machines["fan"].sections["00"].domains["source"]
    normal = part.scores[(part.domains == "source") & (part.labels == 0)]
    anomaly = part.scores[part.labels == 1]
    wins = [(a > n) + 0.5 * (a == n) for a in anomaly for n in normal]
    assert source.auc == pytest.approx(sum(wins) / len(wins), abs=1e-12)
    assert (source.normal, source.anomaly) == (10, 10)


def test_the_official_score_is_over_all_terms_not_over_machines():
    parts = {("fan", "00"): rows(1), ("fan", "01"): rows(2), ("valve", "00"): rows(3)}
    result = evaluate("dcase2023", parts)
    terms = [
        value
        for machine in result.machines.values()
        for section in machine.sections.values()
        for value in (section.domains["source"].auc, section.domains["target"].auc, section.pauc)
    ]
    assert len(terms) == 9
    assert result.official_score == pytest.approx(9 / sum(1 / term for term in terms), abs=1e-12)


@pytest.mark.parametrize("form", [np.float64, np.float32])
@pytest.mark.parametrize("digits", [9, 0])
def test_weighted_auc_is_sklearns_for_every_replicate(form, digits):
    rng = np.random.default_rng(0)
    part = rows(4, 60)
    part = replace(part, scores=part.scores.round(digits))  # without digits most scores are tied
    weights = rng.integers(0, 4, size=(25, 60)).astype(form)
    whole = resampled_auc(part.labels, part.scores, weights)
    partial = resampled_pauc(part.labels, part.scores, weights)
    for row, auc, pauc in zip(weights, whole, partial, strict=True):
        drawn = row > 0
        given = {"y_true": part.labels[drawn], "y_score": part.scores[drawn], "sample_weight": row[drawn]}
        assert auc == pytest.approx(roc_auc_score(**given), abs=1e-12)
        assert pauc == pytest.approx(roc_auc_score(**given, max_fpr=0.1), abs=1e-12)


def test_the_interval_holds_the_score_and_narrows_with_more_clips():
    few, many = ({("fan", "00"): rows(5, clips)} for clips in (40, 4000))
    for protocol in ("dcase2020", "dcase2023"):
        widths = []
        for sections in (few, many):
            low, high = bootstrap_intervals(protocol, sections, 500).official_score
            assert low < evaluate(protocol, sections).official_score < high
            widths.append(high - low)
        assert 7 < widths[0] / widths[1] < 14, "ten times narrower with a hundred times the clips"
    assert bootstrap_intervals("dcase2023", few, 50) == bootstrap_intervals("dcase2023", few, 50)


def test_the_threshold_is_the_gamma_quantile():
    from scipy.stats import gamma

    truth = gamma(4.0, loc=1.0, scale=2.0)
    scores = truth.rvs(20000, random_state=0)
    threshold = fit_threshold(scores)
    assert threshold.value == pytest.approx(truth.ppf(0.9), rel=0.02)
    assert threshold.method == "gamma, 0.9 quantile"
    assert fit_threshold(scores - 1000).value == pytest.approx(threshold.value - 1000, abs=0.2)


@pytest.mark.parametrize("scores", [np.full(20, 3.0), np.zeros(5), 1e6 + np.arange(3) * 1e-9])
def test_scores_that_fit_no_gamma_get_their_own_quantile(scores):
    threshold = fit_threshold(scores)
    assert np.isfinite(threshold.value)
    assert "empirical" in threshold.method


@pytest.mark.parametrize(
    ("drop", "message"),
    [
        ("anomaly", "no anomalous test clips"),
        ("test_normal", "no normal test clips"),
        ("target_test_normal", "AUC_target is not defined"),
    ],
)
def test_test_sets_without_an_official_score_are_refused(make_folder, dcase2023_names, drop, message):
    names = dcase2023_names()
    names["test"] = [name for name in names["test"] if drop not in name]
    with pytest.raises(DataError, match=message) as caught:
        require_scorable(read_folder(make_folder({"pump": names})))
    assert "pump, section 00" in str(caught.value)


def test_test_clips_without_labels_can_be_scored_but_not_evaluated(make_folder, dcase2023_names):
    names = {**dcase2023_names(), "test": [f"section_00_{i:04d}.wav" for i in range(4)]}
    dataset = read_folder(make_folder({"pump": names}))
    require_scorable(dataset)
    assert not dataset.labelled


@pytest.mark.parametrize("protocol", ["dcase2020", "dcase2021", "dcase2023"])
def test_the_terms_of_machines_make_the_score_of_every_subset_to_the_last_bit(protocol):
    parts = {
        (machine, f"{section:02d}"): rows(seed)
        for seed, (machine, section) in enumerate([("valve", 1), ("valve", 0), ("fan", 0), ("bearing", 0)])
    }
    whole = evaluate(protocol, parts).machines
    for left_out in whole:
        rest = {machine: official_terms(result) for machine, result in whole.items() if machine != left_out}
        own = {key: part for key, part in parts.items() if key[0] != left_out}
        assert float(DEFINITIONS[protocol].of_dataset(rest)) == evaluate(protocol, own).official_score
    assert len(official_terms(whole["valve"])) == 2 * {"dcase2020": 2, "dcase2021": 4, "dcase2023": 3}[protocol]
