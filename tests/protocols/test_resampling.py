"""Resampled scores: paired by clip, over seeds, and how often two equal systems are called apart."""

import numpy as np
import pytest

from asdbench.core.errors import UsageError
from asdbench.protocols import SectionScores, evaluate, resampling
from asdbench.protocols.metrics import resampled_auc, resampled_pauc
from asdbench.protocols.resampling import Resampled, difference, draws, interval, over_seeds, resampled_scores

STRATA = [(domain, label) for domain in ("source", "target") for label in (0, 1)]


def section(scores):
    """A section of four equal strata; ``scores`` in their order."""
    each = len(scores) // 4
    return SectionScores(
        labels=np.repeat([label for _, label in STRATA], each),
        domains=np.repeat([domain for domain, _ in STRATA], each),
        scores=np.asarray(scores, np.float64),
        decisions=None,
        names=tuple(f"{domain}_{label}_{number:03d}" for domain, label in STRATA for number in range(each)),
    )


def drawn(rng, each=20, machines=("fan", "valve")):
    lift = np.repeat([0.0, 1.0, 0.3, 1.3], each)
    return {(machine, "00"): section(rng.normal(size=4 * each) + lift) for machine in machines}


def taken(rows, order):
    names = tuple(rows.names[place] for place in order)
    return SectionScores(rows.labels[order], rows.domains[order], rows.scores[order], None, names)


def test_replicates_are_scores_of_the_drawn_test_sets():
    """Ten replicates against clips repeated as often as they were drawn, scored as any test set."""
    from asdbench.core.digests import derive_seed

    sections = drawn(np.random.default_rng(0), machines=("fan",))
    rows = taken(sections["fan", "00"], np.argsort(sections["fan", "00"].names))
    found = resampled_scores("dcase2023", sections, 10)
    (weights,) = draws(rows, 10, derive_seed(0, "bootstrap", "fan", "00"))
    for replicate, counts in enumerate(weights.astype(int)):
        again = taken(rows, np.repeat(np.arange(len(counts)), counts))
        expected = evaluate("dcase2023", {("fan", "00"): again})
        assert found.total[replicate] == pytest.approx(expected.official_score, abs=1e-12)
        assert found.machines["fan"][replicate] == pytest.approx(expected.machines["fan"].official_score, abs=1e-12)


def test_the_order_of_rows_and_other_machine_types_change_no_draw():
    rng = np.random.default_rng(1)
    sections = drawn(rng)
    shuffled = {key: taken(rows, rng.permutation(len(rows.labels))) for key, rows in sections.items()}
    found, again = (resampled_scores("dcase2023", one, 50) for one in (sections, shuffled))
    np.testing.assert_array_equal(found.total, again.total)
    alone = resampled_scores("dcase2023", {("fan", "00"): sections["fan", "00"]}, 50)
    np.testing.assert_array_equal(alone.machines["fan"], found.machines["fan"])


def test_draws_of_large_sections_are_those_that_are_remembered(monkeypatch):
    rows = drawn(np.random.default_rng(2))["fan", "00"]
    remembered = list(draws(rows, 2500, 7))
    monkeypatch.setattr(resampling, "REMEMBERED", 0)
    monkeypatch.setattr(resampling, "_remembered", None)
    again = list(draws(rows, 2500, 7))
    assert [len(one) for one in again] == [1000, 1000, 500]
    assert all(map(np.array_equal, remembered, again))


def constant(value, replicates=20_000):
    return Resampled(np.full(replicates, value), {"fan": np.full(replicates, value)})


@pytest.mark.parametrize("values", [[0.5, 0.6], [0.5, 0.6, 0.61, 0.58, 0.44]])
def test_seeds_add_the_variance_of_their_mean(values):
    """Test clips that change nothing leave the seeds': s^2 / n, s^2 the unbiased variance."""
    found = over_seeds(dict(enumerate(map(constant, values))))
    expected = np.var(values, ddof=1) / len(values)
    assert found.total.mean() == pytest.approx(np.mean(values), abs=2e-3)
    assert found.total.var() == pytest.approx(expected, rel=0.05)
    np.testing.assert_array_equal(found.total, found.machines["fan"])
    assert min(values) <= found.total.min() <= found.total.max() <= max(values)


def test_one_seed_or_equal_seeds_add_nothing():
    run = resampled_scores("dcase2023", drawn(np.random.default_rng(2)), 100)
    assert over_seeds({7: run}) is run
    found = over_seeds(dict.fromkeys(range(3), run))
    np.testing.assert_allclose(found.total, run.total, rtol=1e-14)
    np.testing.assert_allclose(found.machines["valve"], run.machines["valve"], rtol=1e-14)


def test_what_a_seed_does_to_two_systems_alike_cancels():
    """Two scorers on the same trained networks: 1 point apart on every seed, far apart over seeds."""
    values = {0: 0.50, 1: 0.58, 2: 0.47, 3: 0.61, 4: 0.55}
    better = over_seeds({seed: constant(value) for seed, value in values.items()})
    worse = over_seeds({seed: constant(value - 0.01) for seed, value in reversed(values.items())})
    found = difference(0.01, better, worse)
    assert found.ci95 == pytest.approx((0.01, 0.01), abs=1e-12)
    assert (found.probability, found.significant) == (1.0, True)


@pytest.mark.parametrize("others", [(2, 3), (0, 2), (0, 1, 2)])
def test_other_seeds_are_drawn_by_themselves(others):
    one = over_seeds({0: constant(0.4), 1: constant(0.6)}).total
    other = over_seeds({seed: constant(0.4 + 0.1 * place) for place, seed in enumerate(others)}).total
    assert abs(np.corrcoef(one, other)[0, 1]) < 0.05


def test_seeds_of_other_machine_types_have_no_mean():
    rng = np.random.default_rng(3)
    machines = {3: ("fan",), 5: ("fan", "valve")}
    runs = {seed: resampled_scores("dcase2023", drawn(rng, machines=own), 10) for seed, own in machines.items()}
    with pytest.raises(UsageError, match=r"Seeds 3, 5 have no mean: not all of them have results of valve\."):
        over_seeds(runs)


def test_a_difference_is_of_the_replicates():
    rng = np.random.default_rng(4)
    one, two = (Resampled(rng.normal(mean, 1, 5000), {"fan": rng.normal(mean, 1, 5000)}) for mean in (3.0, 0.0))
    found = difference(3.0, one, two)
    assert found.ci95 == interval(one.total - two.total)
    assert found.ci95 == pytest.approx((3 - 1.96 * 2**0.5, 3 + 1.96 * 2**0.5), abs=0.15)
    assert found.significant
    assert found.probability == np.mean(one.total > two.total)
    of_fan = difference(3.0, one, two, "fan")
    assert of_fan.ci95 == interval(one.machines["fan"] - two.machines["fan"])
    same = difference(0.0, one, one)
    assert (same.ci95, same.probability, same.significant) == ((0.0, 0.0), 0.5, False)


def point(sections):
    """The official score; ``evaluate`` computes much else besides."""
    (rows,) = sections.values()
    once = np.ones((1, len(rows.labels)))
    anomaly, source = rows.labels == 1, rows.domains == "source"
    terms = [
        resampled_auc(rows.labels[own], rows.scores[own], once[:, own]) for own in (anomaly | source, anomaly | ~source)
    ]
    return float(3 / sum(1 / term[0] for term in (*terms, resampled_pauc(rows.labels, rows.scores, once))))


@pytest.mark.parametrize("seeds", [1, pytest.param(3, marks=pytest.mark.slow)])
def test_two_systems_of_equal_performance_are_called_apart_in_about_five_of_a_hundred(seeds):
    """150 pairs whose scores share what is hard about a clip, and over seeds what is the system's own on it.

    The binomial error of the share is 1.8 %. With several seeds a seed's noise on a clip is resampled twice over, with
    the seeds and with the clips, so that intervals are rather too wide than too narrow.
    """
    apart, trials = 0, 150
    for trial in range(trials):
        rng = np.random.default_rng([trial, seeds])
        hard = drawn(rng, 25, machines=("fan",))["fan", "00"].scores
        systems = []
        for _ in ("one", "other"):
            own = hard + 0.7 * rng.normal(size=100)
            runs = [{("fan", "00"): section(own + 0.4 * rng.normal(size=100))} for _ in range(seeds)]
            resampled = over_seeds({seed: resampled_scores("dcase2023", run, 200) for seed, run in enumerate(runs)})
            systems.append((np.mean([point(run) for run in runs]), resampled))
        (one, first), (two, second) = systems
        apart += difference(one - two, first, second).significant
    assert 0.015 <= apart / trials <= 0.085, apart / trials
