"""Chance: random scores, computed for many drawings at once, against scikit-learn one by one."""

import numpy as np
import pytest
from made_runs import drawn_sections
from sklearn.metrics import roc_auc_score

from asdbench.leaderboard.chance import DRAWINGS, chance_of, drawn_auc, drawn_pauc
from asdbench.protocols import evaluate
from asdbench.protocols.definitions import SectionScores

DRAWN = 40


@pytest.mark.parametrize(("normals", "anomalies"), [(20, 20), (7, 13), (100, 50), (3, 1), (11, 200)])
def test_auc_and_pauc_of_many_drawings_are_those_of_scikit_learn(normals, anomalies):
    rng = np.random.default_rng(normals)
    labels = rng.permutation([0] * normals + [1] * anomalies)
    scores = rng.random((20, len(labels)))
    aucs = [roc_auc_score(labels, one) for one in scores]
    paucs = [roc_auc_score(labels, one, max_fpr=0.1) for one in scores]
    np.testing.assert_allclose(drawn_auc(labels, scores), aucs, rtol=0, atol=1e-12)
    np.testing.assert_allclose(drawn_pauc(labels, scores), paucs, rtol=0, atol=1e-12)


@pytest.mark.parametrize("protocol", ["dcase2020", "dcase2021", "dcase2023"])
def test_chance_is_the_official_score_of_random_scores(protocol):
    sections = drawn_sections("x", 0, 1.0, ("fan", "valve"), clips=5)
    chance = chance_of(protocol, sections)
    rng = np.random.default_rng(7)
    drawn = []
    for _ in range(DRAWN):
        rows = {
            key: SectionScores(section.labels, section.domains, rng.random(len(section.labels)), None)
            for key, section in sections.items()
        }
        drawn.append(evaluate(protocol, rows))
    totals = np.array([one.official_score for one in drawn])
    assert chance.total == pytest.approx(totals.mean(), abs=4 * totals.std() / np.sqrt(DRAWN))
    for machine, mean in chance.machines.items():
        scores = np.array([one.machines[machine].official_score for one in drawn])
        assert mean == pytest.approx(scores.mean(), abs=4 * scores.std() / np.sqrt(DRAWN))
    low, high = chance.range95
    assert 0.8 <= np.mean((low < totals) & (totals < high)) <= 1
    assert high - low == pytest.approx(2 * 1.96 * totals.std(), rel=0.5)
    assert set(chance.terms) == ({"auc", "pauc"} if protocol == "dcase2020" else {"auc_source", "auc_target", "pauc"})
    assert chance == chance_of(protocol, sections)
    assert DRAWINGS == 2000
