"""Properties of the definitions, and the definitions against scores written out pair by pair."""

import brute_force
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asdbench.protocols import PROTOCOLS, SectionScores, evaluate


@st.composite
def sections(draw):
    """Up to three machine types with up to two sections; whole-number scores, so that ties abound."""
    found = {}
    for machine in draw(
        st.lists(st.sampled_from(["fan", "3DPrinter", "Toy_Car"]), min_size=1, max_size=3, unique=True)
    ):
        for section in draw(st.lists(st.sampled_from(["00", "01"]), min_size=1, max_size=2, unique=True)):
            strata = [(domain, label) for domain in ("source", "target") for label in (0, 1)]
            rows = [
                (float(score), label, domain)
                for domain, label in strata
                for score in draw(st.lists(st.integers(-5, 8), min_size=1, max_size=6))
            ]
            found[machine, section] = rows
    return found


def as_scores(rows):
    return SectionScores(
        labels=np.array([label for _, label, _ in rows]),
        domains=np.array([domain for *_, domain in rows]),
        scores=np.array([score for score, *_ in rows]),
        decisions=np.array([int(score > 1) for score, *_ in rows]),
    )


def nested(found):
    machines = {}
    for (machine, section), rows in found.items():
        machines.setdefault(machine, {})[section] = rows
    return machines


@settings(max_examples=6, deadline=None)
@given(sections())
def test_every_years_official_score_is_its_definition(found):
    for protocol in (*PROTOCOLS[:3], PROTOCOLS[-1]):  # one of each definition, and the latest year
        ours = evaluate(protocol, {key: as_scores(rows) for key, rows in found.items()}).official_score
        assert ours == pytest.approx(brute_force.official_score(int(protocol[-4:]), nested(found)), abs=1e-9)


@settings(max_examples=6, deadline=None)
@given(sections(), st.randoms(use_true_random=False))
def test_monotone_maps_and_the_order_of_rows_change_nothing(found, random):
    def shuffled(rows):
        return random.sample(rows, len(rows))

    for protocol in ("dcase2020", "dcase2021", "dcase2024"):
        plain = evaluate(protocol, {key: as_scores(rows) for key, rows in found.items()})
        bent = {
            key: [(float(np.exp(score / 3) - 100), label, domain) for score, label, domain in shuffled(rows)]
            for key, rows in reversed(found.items())
        }
        other = evaluate(protocol, {key: as_scores(rows) for key, rows in bent.items()})
        assert other.official_score == pytest.approx(plain.official_score, abs=1e-12)
        for name, machine in plain.machines.items():
            assert other.machines[name].auc == pytest.approx(machine.auc, abs=1e-12)
            assert other.machines[name].pauc == pytest.approx(machine.pauc, abs=1e-12)


def test_2021_scores_a_domain_by_its_own_anomalies_and_2022_by_those_of_both():
    rows = [
        *[(0.0, 0, "source"), (2.0, 1, "source")] * 5,  # source anomalies are found,
        *[(1.0, 0, "target"), (-1.0, 1, "target")] * 5,  # those of the target domain are not
    ]
    parts = {("fan", "00"): as_scores(rows)}
    of_2021 = evaluate("dcase2021", parts).machines["fan"]
    of_2022 = evaluate("dcase2022", parts).machines["fan"]
    assert (of_2021.sections["00"].domains["source"].auc, of_2021.sections["00"].domains["target"].auc) == (1.0, 0.0)
    assert (of_2022.auc_source, of_2022.auc_target) == (0.5, 0.5)
    assert of_2021.sections["00"].domains["source"].pauc == 1.0
    assert of_2022.pauc == pytest.approx(0.5 * (1 + (0.05 - 0.005) / 0.095))


def test_a_machine_type_with_fewer_ids_weighs_as_much_in_2020():
    good = [(float(label), label, "") for label in (0, 1) for _ in range(5)]
    bad = [(-float(label), label, "") for label in (0, 1) for _ in range(5)]
    parts = {("ToyConveyor", "01"): good, **{("fan", number): bad for number in ("00", "02", "04")}}
    result = evaluate("dcase2020", {key: as_scores(rows) for key, rows in parts.items()})
    lowest = 0.5 * (1 - 0.005 / 0.095) / 2
    assert result.machines["fan"].official_score == pytest.approx(lowest)
    assert result.official_score == pytest.approx((1 + lowest) / 2)
