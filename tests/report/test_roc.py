import brute_force
import numpy as np
import pytest
from sklearn.metrics import roc_auc_score, roc_curve

from asdbench.protocols import SectionScores
from asdbench.report.roc import draw_roc, pauc_region, section_curves


def rows_of(seed=0, each=25, ties=True):
    random = np.random.default_rng(seed)
    labels = np.tile([0, 1], 2 * each)
    domains = np.repeat(["source", "target"], 2 * each)
    scores = random.normal(labels * 0.8, 1.0)
    return SectionScores(labels, domains, scores.round(1) if ties else scores, None)


def area(corners):
    """Shoelace formula."""
    x, y = corners.T
    return abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2


@pytest.mark.parametrize("protocol", ["dcase2020", "dcase2021", "dcase2022", "dcase2025"])
def test_each_curve_is_of_the_clips_that_the_protocol_compares(protocol):
    rows = rows_of()
    curves = {curve.name: curve for curve in section_curves(protocol, rows)}
    assert list(curves) == (["all"] if protocol == "dcase2020" else ["source", "target", "all"])
    for name, curve in curves.items():
        chosen = rows.domains == name if name != "all" else np.ones(len(rows.labels), bool)
        normal = rows.scores[chosen & (rows.labels == 0)]
        mask = chosen if protocol == "dcase2021" or name == "all" else chosen | (rows.labels == 1)
        anomaly = rows.scores[mask & (rows.labels == 1)]
        assert curve.auc == pytest.approx(brute_force.auc(normal, anomaly))
        assert curve.pauc == pytest.approx(brute_force.pauc(normal, anomaly))
        expected = roc_curve(rows.labels[mask], rows.scores[mask])
        np.testing.assert_array_equal(curve.fpr, expected[0])
        np.testing.assert_array_equal(curve.tpr, expected[1])


@pytest.mark.parametrize(
    ("protocol", "counted"),
    [
        ("dcase2020", {"all": {"auc", "pauc"}}),
        ("dcase2021", {"source": {"auc", "pauc"}, "target": {"auc", "pauc"}, "all": set()}),
        ("dcase2023", {"source": {"auc"}, "target": {"auc"}, "all": {"pauc"}}),
    ],
)
def test_what_the_official_score_counts(protocol, counted):
    assert {curve.name: set(curve.counted) for curve in section_curves(protocol, rows_of())} == counted


@pytest.mark.parametrize("ties", [True, False])
@pytest.mark.parametrize("seed", [0, 5, 7])
def test_the_shaded_area_is_the_pauc(seed, ties):
    rows = rows_of(seed, each=5 + seed, ties=ties)  # with 10, 20 normal clips a step stands at 0.1 itself
    for curve in section_curves("dcase2021", rows):
        lowest, highest = 0.1**2 / 2, 0.1
        standardised = 0.5 * (1 + (area(pauc_region(curve)) - lowest) / (highest - lowest))
        mask = np.ones(len(rows.labels), bool) if curve.name == "all" else rows.domains == curve.name
        assert standardised == pytest.approx(roc_auc_score(rows.labels[mask], rows.scores[mask], max_fpr=0.1))
        assert curve.pauc == pytest.approx(standardised)


def test_the_picture_holds_the_curves_points_and_the_shaded_region():
    curves = section_curves("dcase2023", rows_of())
    axes = draw_roc(curves).axes[0]
    lines = {line.get_label().split(":")[0]: line for line in axes.lines}
    for curve, name in zip(curves, ("source", "target", "all clips"), strict=True):
        np.testing.assert_array_equal(lines[name].get_xydata(), np.column_stack([curve.fpr, curve.tpr]))
    np.testing.assert_array_equal(lines["chance"].get_xydata(), [[0, 0], [1, 1]])
    shaded = [patch for patch in axes.patches if len(patch.get_path().vertices) > 6]
    assert len(shaded) == 1
    expected = pauc_region(curves[-1])
    np.testing.assert_array_equal(shaded[0].get_path().vertices[: len(expected)], expected)


def test_constant_scores_are_chance():
    rows = rows_of()
    flat = SectionScores(rows.labels, rows.domains, np.full(len(rows.labels), 7.0), None)
    for curve in section_curves("dcase2023", flat):
        assert (curve.auc, curve.pauc) == (0.5, 0.5)
        assert area(pauc_region(curve)) == pytest.approx(0.1**2 / 2)
    draw_roc(section_curves("dcase2023", flat))
