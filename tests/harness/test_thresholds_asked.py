import numpy as np
import pytest

import asdbench as asd
from asdbench.core.errors import UsageError
from asdbench.protocols import ThresholdRule


@pytest.fixture(scope="module")
def runs(small_dataset, tmp_path_factory):
    out = tmp_path_factory.mktemp("runs")

    def run(**rule):
        (one,) = asd.run(small_dataset, "raw-mel", "knn", machines=["fan"], out=out, **rule)
        return one

    return run


def test_a_rule_is_part_of_a_runs_identity_only_where_it_is_not_the_default(runs):
    default, same = runs(), runs(threshold="gamma:0.9")
    others = [runs(false_alarms=0.1), runs(threshold=12.5), runs(false_alarms=0.25, per_domain=True)]
    assert default.record.run_id == same.record.run_id
    assert len({one.record.run_id for one in [default, *others]}) == 4
    assert [one.record.asked.threshold for one in [default, *others]] == [
        None, "false-alarms:0.1", "12.5", "false-alarms:0.25,per-domain"
    ]  # fmt: skip
    assert {one.score for one in others} == {default.score}


def test_decisions_follow_from_the_rule(runs):
    one = runs(threshold=12.5)
    rows = one.scores("fan")
    assert (rows["threshold"] == 12.5).all()
    assert (rows["decision"] == (rows["score"] > 12.5)).all()
    measures = one.record.decisions.machines["fan"]
    normal, anomalous = (rows["decision"][rows["label"] == label] for label in (0, 1))
    assert measures.false_alarm_rate.value == pytest.approx(np.mean(normal))
    assert measures.detection_rate.value == pytest.approx(np.mean(anomalous))
    clip_s = one.record.dataset.clip_s["fan"]
    assert measures.false_alarms_per_hour.value == pytest.approx(np.mean(normal) * 3600 / clip_s)


def test_a_promise_over_several_domains_says_what_it_does_not_hold_for(runs):
    assert any("mix of domains" in note for note in runs(false_alarms=0.1).record.notes)
    assert not any("mix of domains" in note for note in runs(false_alarms=0.25, per_domain=True).record.notes)


def test_a_rate_that_cannot_be_promised_is_refused_before_anything_is_written(cli, small_dataset, tmp_path):
    out = tmp_path / "runs"
    told = cli(
        "run", "--dataset", small_dataset, "--extractor", "raw-mel", "--scorer", "knn", "--out", out,
        "--false-alarms", 0.001,
    )  # fmt: skip
    assert told.code == 2
    assert "0.001 takes 999 clips" in told.err
    assert "smallest rate" in told.err
    assert not out.exists()


@pytest.mark.parametrize("options", [{"threshold": "beta:1"}, {"threshold": 3, "false_alarms": 0.1}])
def test_what_is_no_rule_is_refused(runs, options):
    with pytest.raises(UsageError):
        runs(**options)


def test_the_threshold_is_the_rule_of_held_out_scores(runs):
    one = runs(false_alarms=0.1)
    rows = one.embeddings("fan", split="train")
    domains = one.clips("fan", split="train")["domain"].to_list()
    held_out = asd.scorer("knn").fit(rows, domains=domains).training_scores
    assert set(one.scores("fan")["threshold"]) == {ThresholdRule("false-alarms", 0.1).fit(held_out).value}
