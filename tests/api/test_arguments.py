"""What the public functions take, and what they refuse in words before anything is done."""

import numpy as np
import pytest

import asdbench as asd
from asdbench.core.errors import AsdbenchError, UsageError

WORDS = ("raw-mel", "knn")


@pytest.fixture
def data(small_dataset):
    return asd.load(small_dataset)


@pytest.fixture
def out(tmp_path):
    return tmp_path / "runs"


REFUSED = {
    "seeds below zero": ({"seeds": -1}, r"seeds=-1: "),
    "no seed": ({"seeds": []}, r"seeds=\[\]: one whole number or several"),
    "a seed in words": ({"seeds": "0"}, "seeds='0': a whole number"),
    "a truth for a seed": ({"seeds": True}, "seeds=True: a whole number"),
    "half a seed": ({"seeds": 1.5}, "seeds=1.5: a whole number"),
    "jobs below zero": ({"jobs": -1}, "jobs=-1: "),
    "no threads": ({"threads": 0}, "threads=0: "),
    "an engine": ({"engine": "dask"}, "engine='dask': "),
    "a device": ({"device": "tpu"}, "device='tpu': "),
    "a threshold": ({"threshold": float("nan")}, "threshold=nan: "),
    "a machine type": ({"machines": ["valvee"]}, "small has no machine 'valvee'. Did you mean 'valve'"),
    "a plugin's folder": ({"plugin_path": "/nope"}, "--plugin-path /nope: there is no such folder"),
    "an address": ({"out": "s3://bucket/runs"}, "is an address, and a place on this machine is wanted"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_run_is_refused_in_words(case, data, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    options, message = REFUSED[case]
    with pytest.raises(UsageError, match=message):
        asd.run(data, *WORDS, **options)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"machines": ["fun"]}, "no machine 'fun'"),
        ({"seed": -1}, "seeds=-1"),
        ({"held_out": -1}, "held_out=-1: a whole number from 0"),
        ({"false_alarms": "often"}, "false_alarms='often': "),
    ],
)
def test_so_is_a_fit(options, message, data):
    with pytest.raises(UsageError, match=message):
        asd.fit(data, *WORDS, **options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"timeout_s": float("nan")}, "timeout_s=nan: a number above 0"),
        ({"timeout_s": -1}, "timeout_s=-1: a number above 0"),
        ({"trials": 0}, "trials=0: a number above 0"),
        ({"trials": 1.5}, "trials=1.5: a whole number"),
        ({"trials": [1, 2]}, r"trials=\[1, 2\]: a whole number"),
        ({"timeout_s": "10"}, "timeout_s='10': a number above 0"),
    ],
)
def test_so_is_a_study(options, message, data, tmp_path):
    with pytest.raises(UsageError, match=message):
        asd.tune(data, *WORDS, **options, storage=f"sqlite:///{tmp_path}/new.db", out=tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"replicates": 1}, "replicates=1: a whole number of 100 or more"),
        ({"clip_s": -1}, "clip_s=-1: a number above 0"),
        ({"clip_s": float("nan")}, "clip_s=nan: a number above 0"),
        ({"intervals": "x"}, "intervals='x': one of bootstrap, official, none"),
    ],
)
def test_so_is_an_evaluation(options, message, tmp_path):
    with pytest.raises(UsageError, match=message):
        asd.evaluate(tmp_path, "dcase2023", **options)


def test_numbers_of_numpy_and_single_names_are_taken(data, out):
    plain = asd.run(data, *WORDS, seeds=[0, 1], machines=["fan"], params={"knn.n_neighbors": 3}, out=out)
    seeds, neighbours = np.arange(2), {"knn.n_neighbors": np.int64(3)}
    assert [run.id for run in asd.run(data, *WORDS, seeds=seeds, machines="fan", params=neighbours, out=out)] == [
        run.id for run in plain
    ]
    (again,) = asd.run(data, *WORDS, seeds={1: None}.keys(), machines=np.array(["fan"]), params=neighbours, out=out)
    assert again.id == plain[1].id
    assert asd.run(data, *WORDS, seeds=np.int64(1), machines="fan", params=neighbours, out=out)[0].id == plain[1].id
    assert asd.scorer("knn", n_neighbors=np.int64(3)).given == {"n_neighbors": 3}
    channel = asd.run(data, *WORDS, machines="fan", params={"log-mel.channel": 0}, out=out)
    assert channel[0].id == asd.run(data, *WORDS, machines="fan", params={"log-mel.channel": "0"}, out=out)[0].id


def test_runs_are_compared_as_a_list_too_and_nothing_else_is(data, out):
    runs = asd.run(data, "raw-mel", ["knn", "mahalanobis-lw"], machines="fan", out=out)
    listed = asd.compare([runs[0]], [runs[1]], replicates=100)
    assert listed.difference == asd.compare(runs[0], runs[1], replicates=100).difference
    with pytest.raises(UsageError, match="compare takes a run"):
        asd.compare(None, runs[1])
    with pytest.raises(UsageError, match="replicates=1: "):
        asd.compare(runs[0], runs[1], replicates=1)


def test_a_failed_run_says_why_it_has_no_scores(data, out):
    (run,) = asd.run(data, "raw-mel", "lof", machines="fan", out=out)
    for look in (run.scores, run.plot):
        with pytest.raises(AsdbenchError, match=f"{run.id} has no scores of fan(.|\n)*training clips"):
            look()


def test_what_is_shown_of_clips_and_evaluations_is_short(data, out):
    assert repr(data) == f"<Dataset small: {len(data)} clips of fan, valve, protocol dcase2023>"
    (run,) = asd.run(data, *WORDS, out=out)
    found = asd.evaluate(run.folder)
    assert repr(found).startswith(f"<FolderEvaluation: official score {100 * run.score:.2f} [")
    table = found.to_frame().set_index("machine")
    assert list(table.index) == ["fan", "valve"]
    assert table.loc["fan", "pauc"] == run.record.results.machines["fan"].pauc
    assert f"{100 * table.loc['fan', 'pauc']:.2f}" in found._repr_html_()


def test_arrays_of_another_shape_and_machines_that_are_not_there_are_refused(data):
    scorer = asd.scorer("mahalanobis-lw").fit(np.random.default_rng(0).normal(size=(30, 2)))
    with pytest.raises(UsageError, match=r"fitted to rows of the shape \(2,\), not \(3,\)"):
        scorer.score(np.zeros((2, 3)))
    with pytest.raises(AsdbenchError, match="holds no samples"):
        asd.extractor("raw-mel").embed_audio([np.zeros(0)], 16000)
    with pytest.raises(UsageError, match="no machine 'fun'"):
        data.training("fun")
    with pytest.raises(UsageError, match="No data set ''"):
        asd.load("")
