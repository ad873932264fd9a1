"""What is said of the healthy clips behind a threshold, and of scores that are unlike theirs."""

import numpy as np
import pytest
from scipy.stats import binom

from asdbench.detector.cautions import few, standing_out, unlike_healthy


def test_clips_far_above_the_others_are_named_and_no_others():
    scores = np.array([*np.linspace(5.0, 8.0, 30), 40.0, 25.0, 9.0])
    names = [f"rec {number}.wav" for number in range(len(scores))]
    (note,) = standing_out("pump", names, scores)
    assert "2 of 33 healthy clips of pump" in note
    assert "rec 30.wav (40), rec 31.wav (25)." in note
    assert standing_out("pump", names[:30], scores[:30]) == []
    assert standing_out("pump", names, np.ones(33)) == []


def test_few_clips_are_said():
    assert "9 healthy clips" in few("pump", 9)[0]
    assert few("pump", 40) == []


@pytest.mark.parametrize("count", [9, 10, 40, 300])
def test_more_small_p_values_than_a_healthy_machine_gives_are_said(count):
    for unusual in range(count + 1):
        p_values = np.array([0.05] * unusual + [0.5] * (count - unusual))
        surprising = count >= 10 and binom.sf(unusual - 1, count, 0.1) < 1e-3
        assert bool(unlike_healthy(p_values)) == surprising
