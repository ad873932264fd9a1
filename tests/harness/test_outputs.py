"""What a component hands over is checked for shape, type and being numbers, and told with the component's name."""

import numpy as np
import pytest

from asdbench.core.progress import Silent
from asdbench.extractors.learning import Learning
from asdbench.extractors.raw_mel import RawMel
from asdbench.harness import execute
from asdbench.harness.outputs import (
    OutputError,
    checked_count,
    checked_curves,
    checked_embeddings,
    checked_learning,
    checked_notes,
    checked_scores,
    collapse,
)
from asdbench.harness.record import load_record
from asdbench.scorers.neighbours import NearestNeighbours

NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (np.zeros((3, 2)), "float64 (3, 2) for 3 clips of fan"),
        (np.zeros((2, 2), np.float32), "float32 (2, 2) for 3 clips"),
        (np.zeros(3, np.float32), "float32 (3,)"),
        (np.zeros((3, 0), np.float32), "float32 (3, 0)"),
        (np.zeros((3, 0, 2), np.float32), "float32 (3, 0, 2)"),
        (np.full((3, 2, 2), NAN, np.float32), "not finite for 3 of 3 clips of fan"),
        (np.array([[1, NAN], [INF, 2], [0, 0]], np.float32), "not finite for 2 of 3 clips of fan"),
    ],
)
def test_embeddings(rows, words):
    with pytest.raises(OutputError) as caught:
        checked_embeddings(rows, 3, "own", "fan")
    assert str(caught.value).startswith("own gave embeddings")
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("scores", "words"),
    [
        ([1.0, 2.0], "of shape (2,) for 3 clips"),
        ([[1.0], [2.0], [3.0]], "of shape (3, 1)"),
        ([1.0, NAN, -INF], "not finite for 2 of 3 clips"),
        ([1.0, 2.0, 3.0j], "no real numbers (complex128)"),
        (["a", "b", "c"], "no real numbers"),
        ([None, 1.0, 2.0], "no real numbers (object)"),
    ],
)
def test_scores(scores, words):
    with pytest.raises(OutputError) as caught:
        checked_scores(scores, 3, "own", "training scores")
    assert str(caught.value).startswith("own gave training scores")
    assert words in str(caught.value)


def test_whole_numbers_are_scores():
    found = checked_scores(np.array([1, 2, 3], np.int64), 3, "own")
    assert (found.dtype, found.tolist()) == (np.float64, [1.0, 2.0, 3.0])


@pytest.mark.parametrize(
    ("curves", "words"),
    [
        ({"loss": [1.0, NAN]}, "diverged: its curve 'loss' is nan in epoch 2"),
        ({"accuracy": [INF]}, "'accuracy' is inf in epoch 1"),
        ({"loss": [[1.0]]}, "of shape (1, 1)"),
        ({"loss": ["high"]}, "no real numbers"),
        ([1.0], "no mapping"),
    ],
)
def test_curves(curves, words):
    with pytest.raises(OutputError) as caught:
        checked_curves(curves, "own")
    assert "own" in str(caught.value)
    assert words in str(caught.value)


@pytest.mark.parametrize("notes", ["text", [1], None])
def test_notes(notes):
    with pytest.raises(OutputError, match="own left notes"):
        checked_notes(notes, "own")


@pytest.mark.parametrize("count", [-1, 1.5, NAN, True, "3"])
def test_counts(count):
    with pytest.raises(OutputError, match="own left a parameter_count"):
        checked_count(count, "own")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (lambda n: np.full(n, NAN), "knn gave training scores that are not finite for 20 of 20 clips."),
        (lambda n: np.zeros(n - 1), "knn gave training scores of shape (19,) for 20 clips."),
    ],
)
def test_a_run_whose_training_scores_are_unusable_fails_with_the_reason(plan, monkeypatch, given, words, tmp_path):
    monkeypatch.setattr(NearestNeighbours, "training_scores", lambda self: given(20))
    (record,) = execute(plan(), Silent())
    assert (record.status, record.results) == ("failed", None)
    assert {failure.reason for failure in record.failures} == {words}
    assert load_record(tmp_path / "runs" / record.run_id) == record


def test_a_run_whose_training_diverged_fails_with_the_reason(plan, monkeypatch, fresh_cache, tmp_path):
    fit = RawMel.fit

    def diverged(self, clips, context):
        fit(self, clips, context)
        self.curves = {"loss": [1.0, NAN, 0.5]}

    monkeypatch.setattr(RawMel, "fit", diverged)
    (record,) = execute(plan(), Silent())
    assert record.status == "failed"
    assert {failure.stage for failure in record.failures} == {"fit"}
    assert all("raw-mel diverged" in failure.reason for failure in record.failures)
    assert load_record(tmp_path / "runs" / record.run_id) == record


def test_what_a_training_learned():
    learning = Learning("pair accuracy", np.float32(0.5), None, 0.25, 0.0, "8 pairs")
    found = checked_learning(learning, "own")
    assert Learning(**found) == learning
    assert type(found["value"]) is float
    assert checked_learning(None, "own") is None
    with pytest.raises(OutputError, match="own left the figure 'untrained' of what it learned, which is nan"):
        checked_learning(Learning("pair accuracy", 0.5, 0.5, NAN, 0.1, "8 pairs"), "own")
    with pytest.raises(OutputError, match="own left learning of type float; it is a Learning, or None"):
        checked_learning(0.9, "own")


def rows(count=40, dim=16, seed=0):
    return np.random.default_rng(seed).standard_normal((count, dim)).astype(np.float32)


def test_embeddings_that_tell_clips_apart_pass():
    assert collapse(rows()) is None
    assert collapse(rows(5, 300)) is None
    assert collapse(rows(40, 1)) is None, "one dimension is a line by nature"
    assert collapse(rows(2, 4)) is None, "two clips are on a line always"
    assert collapse(rows() * [1.0] + 1000) is None
    two_directions = rows(40, 2) @ rows(2, 16, seed=1)
    assert collapse(two_directions.astype(np.float32)) is None


@pytest.mark.parametrize("dim", [1, 16])
def test_constant_embeddings_are_a_collapse(dim):
    constant = np.tile(rows(1, dim), (40, 1))
    assert "all 40 clips have the same embedding" in collapse(constant)
    rounding = (constant * (1 + 1e-8 * rows(40, dim))).astype(np.float32)
    assert "all 40 clips have the same embedding" in collapse(rounding)
    assert "same embedding" in collapse(np.zeros((40, dim), np.float32))


@pytest.mark.parametrize(("count", "dim"), [(40, 16), (10, 64)])
def test_embeddings_on_one_line_are_a_collapse(count, dim):
    line = rows(count, 1) * rows(1, dim, seed=1) + rows(1, dim, seed=2)
    fault = collapse((line + 1e-6 * rows(count, dim, seed=3)).astype(np.float32))
    assert f"{count} clips lie on one line of {dim} dimensions (rank one)" in fault
