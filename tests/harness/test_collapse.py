import numpy as np
import pytest

from asdbench.harness.outputs import collapse


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
