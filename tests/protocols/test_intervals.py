"""Intervals: coverage by simulation, the paired version, the official evaluators' jackknife written out."""

import numpy as np
import pytest
import scipy.stats
from scipy.integrate import quad
from sklearn.metrics import roc_auc_score

from asdbench.core.errors import UsageError
from asdbench.protocols import DEFINITIONS, SectionScores, bootstrap_intervals, evaluate, paired_difference
from asdbench.protocols.jackknife import official_jackknife

NORMAL = scipy.stats.norm
SHIFT = {"source": 0.0, "target": 0.6}  # of the normal clips' scores
GAP = {"source": 1.2, "target": 1.0}  # of the anomalies' above the source normals'


def draw(rng, clips=25):
    """A section whose scores are normal distributions, so that its true scores are known."""
    parts = [
        (domain, label, rng.normal(GAP[domain] if label else SHIFT[domain], 1.0, clips))
        for domain in ("source", "target")
        for label in (0, 1)
    ]
    names = tuple(f"{domain}_{label}_{index}" for domain, label, own in parts for index in range(len(own)))
    return SectionScores(
        labels=np.concatenate([np.full(len(own), label) for _, label, own in parts]),
        domains=np.concatenate([np.full(len(own), domain) for domain, _, own in parts]),
        scores=np.concatenate([own for *_, own in parts]),
        decisions=None,
        names=names,
    )


def true_terms():
    """AUC_source, AUC_target and pAUC of the population: mixtures of normals, integrated."""

    def beats(normal_mean, anomaly_mean):
        return NORMAL.cdf((anomaly_mean - normal_mean) / np.sqrt(2))

    aucs = [np.mean([beats(SHIFT[domain], gap) for gap in GAP.values()]) for domain in SHIFT]

    def survival(threshold, means):
        return np.mean([NORMAL.sf(threshold - mean) for mean in means])

    limit = scipy.optimize.brentq(lambda t: survival(t, SHIFT.values()) - 0.1, 0, 5)
    density = lambda t: np.mean([NORMAL.pdf(t - mean) for mean in SHIFT.values()])  # noqa: E731
    area, _ = quad(lambda t: survival(t, GAP.values()) * density(t), limit, 12)
    return [*aucs, 0.5 * (1 + (area - 0.005) / (0.1 - 0.005))]


@pytest.mark.slow
def test_the_interval_covers_the_true_score_about_95_times_in_100():
    """150 test sets of three machine types; the true score is known. Binomial error of the coverage: 1.8 %."""
    truth = true_terms()
    total = len(truth) / sum(1 / term for term in truth)  # three alike machine types have the score of one
    covered, covered_terms, trials = 0, np.zeros(3), 150
    for trial in range(trials):
        rng = np.random.default_rng(trial)
        sections = {(machine, "00"): draw(rng, 50) for machine in ("a", "b", "c")}
        found = bootstrap_intervals("dcase2023", sections, 300)
        low, high = found.official_score
        covered += low <= total <= high
        terms = found.sections["a"]["00"]
        covered_terms += [
            terms[name][0] <= value <= terms[name][1]
            for name, value in zip(("auc_source", "auc_target", "pauc"), truth, strict=True)
        ]
    assert 0.91 <= covered / trials <= 0.985
    assert all(0.90 <= share <= 0.985 for share in covered_terms / trials)


def test_every_cell_has_an_interval_that_holds_its_value():
    rng = np.random.default_rng(1)
    sections = {("fan", "00"): draw(rng), ("fan", "01"): draw(rng), ("3DPrinter", "00"): draw(rng)}
    for protocol, terms in (
        ("dcase2020", {"auc", "pauc"}),
        ("dcase2021", {"auc_source", "pauc_source", "auc_target", "pauc_target"}),
        ("dcase2026", {"auc_source", "auc_target", "pauc"}),
    ):
        found, result = bootstrap_intervals(protocol, sections, 500), evaluate(protocol, sections)
        assert set(found.sections["fan"]["01"]) == terms
        assert set(found.machines["fan"]) == {*terms, "official_score"}
        for name, machine in result.machines.items():
            low, high = found.machines[name]["official_score"]
            assert low < machine.official_score < high
            for section, part in machine.sections.items():
                own = found.sections[name][section]
                if protocol != "dcase2021":
                    assert own["pauc"][0] <= part.pauc <= own["pauc"][1]
                else:
                    pauc = part.domains["target"].pauc
                    assert own["pauc_target"][0] <= pauc <= own["pauc_target"][1]


def test_replicates_keep_each_stratum_as_large_as_it_is():
    from asdbench.protocols.resampling import draws

    rows = draw(np.random.default_rng(2), 7)
    for weights in draws(rows, 1500, seed=3):
        for domain in ("source", "target"):
            for label in (0, 1):
                assert (weights[:, (rows.domains == domain) & (rows.labels == label)].sum(axis=1) == 7).all()
    assert len(weights) == 500, "in chunks of a thousand"
    assert weights.std() > 0.8


def test_a_pair_of_correlated_systems_is_distinguished_where_two_intervals_overlap():
    rng = np.random.default_rng(4)
    first = {("fan", "00"): draw(rng, 50), ("valve", "00"): draw(rng, 50)}
    second = {}
    for key, rows in first.items():
        order = rng.permutation(len(rows.labels))
        second[key] = SectionScores(  # the same system, anomalies a little lower, rows in another order
            rows.labels[order],
            rows.domains[order],
            (rows.scores - 0.15 * rows.labels)[order],
            None,
            tuple(rows.names[index] for index in order),
        )
    one, two = (bootstrap_intervals("dcase2023", part, 1000).official_score for part in (first, second))
    assert one[0] < two[1], "the intervals overlap"
    found = paired_difference("dcase2023", first, second, 1000)
    expected = evaluate("dcase2023", first).official_score - evaluate("dcase2023", second).official_score
    assert found.difference == pytest.approx(expected, abs=1e-12)
    assert 0 < found.ci95[0] < found.difference < found.ci95[1]
    back = paired_difference("dcase2023", second, first, 1000)
    assert back.difference == pytest.approx(-found.difference, abs=1e-12)
    assert back.probability == pytest.approx(1 - found.probability, abs=0.01)


@pytest.mark.parametrize("change", ["section", "clip", "label"])
def test_systems_scored_on_different_clips_are_not_compared(change):
    rows = draw(np.random.default_rng(5))
    labels, names = rows.labels.copy(), list(rows.names)
    key = ("fan", "01" if change == "section" else "00")
    if change == "clip":
        names[0] = "another"
    if change == "label":
        labels[0] = 1
    other = SectionScores(labels, rows.domains, rows.scores, None, tuple(names))
    with pytest.raises(UsageError, match="fan"):
        paired_difference("dcase2023", {("fan", "00"): rows}, {key: other}, 100)


def jackknife_as_the_evaluators_have_it(metric, labels, scores):
    """Formulae (1) to (7) of their program, clip by clip."""
    clips = len(labels)
    left_out = np.array([metric(np.delete(labels, i), np.delete(scores, i)) for i in range(clips)])
    sigma = np.sqrt(np.sum((left_out - left_out.mean()) ** 2) / (clips * (clips - 1)))
    return abs(scipy.stats.t.ppf(0.025, clips - 1)) * sigma


def test_the_official_interval_is_theirs_with_its_missing_factor():
    rng = np.random.default_rng(6)
    sections = {("fan", "00"): draw(rng, 15), ("valve", "00"): draw(rng, 15)}
    labels = np.concatenate([rows.labels for rows in sections.values()])
    scores = np.round(np.concatenate([rows.scores for rows in sections.values()]), 1)  # with ties
    rounded = {
        key: SectionScores(rows.labels, rows.domains, np.round(rows.scores, 1), None) for key, rows in sections.items()
    }
    halves = [
        jackknife_as_the_evaluators_have_it(metric, labels, scores)
        for metric in (roc_auc_score, lambda y, s: roc_auc_score(y, s, max_fpr=0.1))
    ]
    found = official_jackknife("dcase2023", rounded)
    low, high = found.official_score
    assert (high - low) / 2 == pytest.approx(np.mean(halves), rel=1e-9)
    assert "lacks a factor" in found.method
    wide = bootstrap_intervals("dcase2023", rounded, 500).official_score
    assert (wide[1] - wide[0]) > 20 * (high - low)


def test_there_is_a_definition_for_each_year():
    assert list(DEFINITIONS) == [f"dcase{year}" for year in range(2020, 2027)]
