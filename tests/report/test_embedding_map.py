from types import SimpleNamespace

import numpy as np
import pytest

from asdbench.core.errors import RequirementError
from asdbench.datasets.clips import Clip, Dataset
from asdbench.report.contents import SectionView
from asdbench.report.embedding_map import draw_map, place, principal_components, settled, thinned


def table_of(tmp_path, train=30, test=20):
    clips = []
    for number in range(train + test):
        split = "train" if number < train else "test"
        domain = "target" if number % 5 == 0 else "source"
        label = None if split == "test" else 0
        path = tmp_path / f"section_00_{number:04d}.wav"
        clips.append(Clip(path, "fan", "00", domain, split, label, (), f"{number * 7919 % 1000:04d}"))
    return Dataset("by-hand", "dcase2023", "dcase2023", tuple(clips))


def view_of(table, labels):
    test = [clip for clip in table if clip.split == "test"]
    return SectionView(
        "fan",
        "00",
        tuple(clip.path.stem for clip in test),
        np.zeros(len(test)),
        np.array([clip.domain for clip in test]),
        np.array(labels),
        None,
    )


def test_axes_are_those_of_a_singular_value_decomposition():
    values = np.random.default_rng(0).normal(size=(50, 20)) * np.linspace(5, 1, 20)
    places, shares = principal_components(values)
    left, singular, _ = np.linalg.svd(values - values.mean(axis=0), full_matrices=False)
    expected = left[:, :2] * singular[:2]
    for axis in range(2):
        sign = np.sign(places[0, axis] * expected[0, axis])
        np.testing.assert_allclose(places[:, axis], sign * expected[:, axis], atol=1e-8)
    np.testing.assert_allclose(shares, (singular**2 / np.sum(singular**2))[:2], rtol=1e-10)


@pytest.mark.parametrize(
    "values",
    [np.ones((10, 4)), np.ones((1, 4)), np.eye(2), np.random.default_rng(0).normal(size=(3, 3000))],
    ids=["constant", "one clip", "two clips", "more dimensions than clips"],
)
def test_degenerate_embeddings_have_places_too(values):
    places, shares = principal_components(np.asarray(values, float))
    assert places.shape == (len(values), 2)
    assert np.isfinite(places).all()
    assert np.isfinite(shares).all()


def test_labels_of_the_report_reach_the_clips_and_every_clip_is_drawn(tmp_path):
    table = table_of(tmp_path)
    labels = [1 if number % 3 == 0 else 0 for number in range(20)]
    view = view_of(table, labels)
    blind = table.blind_view()
    rows = np.random.default_rng(1).normal(size=(50, 6)).astype(np.float32)
    placed = place(blind, rows, table, [view], "pca")
    kind_of = {clip.key: kind for clip, kind in zip(blind, placed.kinds, strict=True)}
    domain_of = {clip.key: domain for clip, domain in zip(blind, placed.domains, strict=True)}
    for clip in table:
        assert domain_of[clip.key] == clip.domain
        if clip.split == "train":
            assert kind_of[clip.key] == "train"
        else:
            label = labels[view.names.index(clip.path.stem)]
            assert kind_of[clip.key] == ("anomaly" if label else "normal")
    drawn = np.vstack([line.get_xydata() for line in draw_map(placed, "00").axes[0].lines])
    assert sorted(map(tuple, drawn)) == sorted(map(tuple, placed.places))
    assert "of the variance" in placed.axes[0]


def test_embeddings_of_one_number_become_a_histogram(tmp_path):
    table = table_of(tmp_path)
    rows = np.arange(50, dtype=np.float32)[:, None]
    placed = place(table.blind_view(), rows, table, [view_of(table, [0, 1] * 10)], "pca")
    np.testing.assert_array_equal(placed.places, rows)
    axes = draw_map(placed, "00").axes[0]
    assert axes.get_xlabel() == "embedding"
    drawn = sorted(x for line in axes.lines for x in line.get_xdata())
    assert drawn == list(range(50))


def test_thousands_of_clips_are_thinned_out_and_that_is_known(tmp_path):
    from asdbench.pages.figures import figure_svg

    table = table_of(tmp_path, train=990, test=10)
    blind = [SimpleNamespace(key=clip.key, section="00") for clip in table] * 5
    rows = np.random.default_rng(0).normal(size=(5000, 3)).astype(np.float32)
    placed = place(blind, rows, table, [], "pca")
    assert thinned(placed, "00") == 4
    assert len(figure_svg(draw_map(placed, "00"), "many")) < 250_000


def test_umap_is_asked_for_by_name(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert settled("pca") == settled("auto") == "pca"
    with pytest.raises(RequirementError, match="pip install umap-learn"):
        settled("umap")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: object())
    assert settled("auto") == settled("umap") == "umap"


def test_members_of_an_ensemble_count_alike(tmp_path):
    """Scores of one member a thousand times those of another fill one axis alone, unless brought to one unit."""
    table = table_of(tmp_path)
    clips = table.blind_view()
    rows = (np.random.default_rng(0).normal(size=(len(clips), 2)) * [1000, 1]).astype(np.float32)
    views = [view_of(table, [0, 1] * 10)]
    placed = place(clips, rows, table, views, "pca", ("raw-mel:knn", "psd:gmm"))
    assert placed.places.std(axis=0) == pytest.approx([1, 1], abs=0.2)
    assert "anomaly scores of the members (raw-mel:knn, psd:gmm)" in placed.method
    assert place(clips, rows, table, views, "pca").places.std(axis=0)[0] > 100
