"""What a report says of chance agrees with what random scores come to."""

import numpy as np
import pytest
from made_runs import pair_accuracy, trained_networks

from asdbench.protocols import DEFINITIONS, Intervals
from asdbench.report import write_report
from asdbench.report.contents import read_contents
from asdbench.report.overview import findings


@pytest.mark.parametrize("protocol", ["dcase2020", "dcase2023"])
@pytest.mark.parametrize(
    ("interval", "expected"),
    [
        ((0.51, 0.6), "Better than random scores"),
        ((0.4, 0.6), "Not distinguished from 50 %"),
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


def test_whether_it_learned_stands_at_the_top_and_at_every_score(make_run, clips_of):
    rows = {("fan", "00"): clips_of(), ("valve", "00"): clips_of()}
    networks = trained_networks(("fan", "valve"), 5, {"fan": pair_accuracy(0.5), "valve": pair_accuracy(0.9)})
    folder = make_run(rows, training=networks)
    line = "Fan did not learn: pair accuracy 70 % (chance 50, untrained 52), mean of 2 networks."
    assert line in findings(read_contents(folder), [])
    page = write_report(folder, embedding_map="none", worst=0).read_text()
    assert line in page
    assert page.count('class="bad">fan did not learn<') == 1, "beside the official score"
    assert page.count(">did not learn<") == 2, "beside that of the machine type, in the table and in its part"
    measured = "measured on 280 pairs of 28 clips held out of training"
    assert f"did not learn: pair accuracy 50 % (chance 50, untrained 52), {measured}" in page
    assert f"; learned: pair accuracy 90 % (chance 50, untrained 52), {measured}" in page


def test_a_run_that_learned_is_not_marked(make_run, clips_of):
    folder = make_run({("fan", "00"): clips_of()}, training=trained_networks(["fan"], 5, pair_accuracy(0.9)))
    assert "Learned: pair accuracy 90 % (chance 50, untrained 52)." in findings(read_contents(folder), [])
    assert "did not learn" not in write_report(folder, embedding_map="none", worst=0).read_text()
