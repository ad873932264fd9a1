"""What a report says of chance agrees with what random scores come to."""

import numpy as np
import pytest

from asdbench.protocols import DEFINITIONS, Intervals
from asdbench.report.contents import read_contents
from asdbench.report.overview import findings


@pytest.mark.parametrize("protocol", ["dcase2020", "dcase2023"])
@pytest.mark.parametrize(
    ("interval", "expected"),
    [
        ((0.51, 0.6), "Better than random scores"),
        ((0.4, 0.6), "Not told apart from 50 %"),
        ((0.3, 0.45), "The whole 95 % interval lies below 50 %"),
    ],
)
def test_chance_is_spoken_of_as_the_official_score_has_it(make_run, clips_of, protocol, interval, expected):
    bounds = Intervals(method="by hand", replicates=1, official_score=interval, machines={}, sections={})
    folder = make_run({("fan", "00"): clips_of(protocol=protocol)}, protocol, intervals=bounds)
    first = findings(read_contents(folder), [])[0]
    assert first.startswith(expected)
    assert "50 %, which random scores reach on average in AUC and pAUC" in first
    assert "Worse than chance" not in first
    random = np.random.default_rng(0).uniform(0.2, 0.8, 3000)  # AUCs of random scores: 50 % on average
    mean = float(DEFINITIONS[protocol].mean(list(random)))
    assert ("harmonic mean, the official score, comes out lower" in first) == (interval[1] < 0.5 and mean < 0.48)
