"""Ensembles through the harness."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.spatial.distance import cdist
from sklearn.covariance import LedoitWolf

import asdbench
from asdbench import Detector
from asdbench.core.errors import UsageError
from asdbench.datasets import read_folder
from asdbench.datasets.audio import read_audio
from asdbench.detector.fitting import fit_run
from asdbench.harness.embedding import EmbeddingStage
from asdbench.harness.record import load_record
from asdbench.protocols import fit_threshold

NAME = "raw-mel:knn,raw-mel:by-domain+knn"


def runs_of(cli, *words):
    ran = cli("run", *words, "--json")
    assert ran.code == 0, ran.err
    return {(one["extractor"], one["scorer"]): Path(one["record"]).parent for one in ran.json["runs"]}


def scores_of(folder):
    files = sorted(folder.glob("scores/anomaly_score_*"))
    return pd.concat([pd.read_csv(path, header=None, names=["clip", "score"]).assign(file=path.name) for path in files])


def test_members_score_as_in_runs_of_their_own(cli, small_dataset, tmp_path):
    words = ("--dataset", str(small_dataset), "-p", "knn.n_neighbors=2", "-p", "log-mel.n_mels=32", "--out", tmp_path)
    both = ("--scorer", "knn", "--scorer", "by-domain+knn")
    alone = runs_of(cli, "--extractor", "raw-mel", *both, *words)
    least = ("-p", "ensemble.normalise=none", "-p", "ensemble.combine=minimum")
    [(_, folder)] = runs_of(cli, "--extractor", NAME, "--scorer", "ensemble", *least, *words).items()
    members = [scores_of(one) for one in alone.values()]
    expected = np.minimum(*(one["score"].to_numpy() for one in members))
    np.testing.assert_allclose(scores_of(folder)["score"], expected, rtol=1e-6)
    assert scores_of(folder)["clip"].tolist() == members[0]["clip"].tolist()
    record = load_record(folder)
    assert record.status == "done"
    assert record.extractor.params["knn.n_neighbors"] == 2
    assert record.extractor.params["log-mel.n_mels"] == 32
    assert set(record.asked.params) >= {"knn.n_neighbors", "log-mel.n_mels", "ensemble.combine"}
    detector = Detector.load(fit_run(record).save(tmp_path / "ensemble.asd"))
    of_fan = scores_of(folder).loc[lambda rows: rows["file"].str.contains("_fan_")]
    clips = [small_dataset / "fan" / "test" / name for name in of_fan["clip"]]
    np.testing.assert_array_equal(detector.score(clips, "fan").scores, of_fan["score"])


@pytest.fixture
def columns(monkeypatch):
    """What the members of ensembles gave, by names of extractor and scorer and machine type, in the order of clips."""
    seen = {}
    real = EmbeddingStage._scores

    def column(stage, member, machine, done):
        seen[member.extractor.name, member.scorer.name, machine] = found = real(stage, member, machine, done)
        return found

    monkeypatch.setattr(EmbeddingStage, "_scores", column)
    return seen


def test_each_member_scores_as_in_a_run_of_its_own(cli, columns, make_folder, dcase2023_names, tmp_path):
    """To the last bit of single precision, in two sections, with a scorer that depends on the seed."""
    names = dcase2023_names(train=10)
    both = {split: [one.replace("_00_", f"_0{n}_") for n in (0, 1) for one in names[split]] for split in names}
    folder = make_folder({"pump": both})
    words = ("--dataset", str(folder), "--seed", "7", "--out", tmp_path, "--fresh")
    alone = runs_of(cli, "--extractor", "raw-mel", "--scorer", "knn", "--scorer", "knn-smote", *words)
    alone |= runs_of(cli, "--extractor", "twfr", "--scorer", "mahalanobis-lw", *words)
    together = ",".join(f"{extractor}:{scorer}" for extractor, scorer in alone)
    runs_of(cli, "--extractor", together, "--scorer", "ensemble", *words)
    table = read_folder(folder)
    place = {(clip.key, clip.section): row for row, clip in enumerate(table.blind_view())}
    rows = {clip.name: place[clip.key, clip.section] for clip in table if clip.split == "test"}
    assert len(columns) == len(alone) == 3
    for pair, run in alone.items():
        own = scores_of(run)
        assert len(own) == len(rows) == 24
        found = columns[*pair, "pump"][[rows[name] for name in own["clip"]]]
        np.testing.assert_array_equal(found, own["score"].to_numpy(np.float32))


def pooled(path, frontend):
    """Mean and deviation of every mel bin over the frames."""
    import torch

    waveform = read_audio(path, frontend.sample_rate_hz, frontend.channel)
    features = frontend(torch.from_numpy(waveform[None]))[0].numpy()
    return np.concatenate([features.mean(axis=-1).ravel(), features.std(axis=-1).ravel()])


def test_the_whole_of_an_ensemble_written_out(cli, small_dataset, tmp_path):
    """Scores by leave-one-out distances and by folds, their units, their mean, and the threshold with its decisions."""
    words = ("--dataset", str(small_dataset), "--machine", "fan", "--out", tmp_path, "-p", "knn.n_neighbors=2")
    [folder] = runs_of(
        cli, "--extractor", "raw-mel:knn,raw-mel:mahalanobis-lw", "--scorer", "ensemble", *words
    ).values()
    frontend = asdbench.build("log-mel")
    clips = [clip for clip in read_folder(small_dataset) if clip.machine == "fan"]
    training = sorted((clip for clip in clips if clip.split == "train"), key=lambda clip: clip.key)
    test = {clip.name: clip for clip in clips if clip.split == "test"}
    told = scores_of(folder)
    rows = np.stack([pooled(clip.path, frontend) for clip in training]).astype(float)
    queries = np.stack([pooled(test[name].path, frontend) for name in told["clip"]]).astype(float)
    fold = np.empty(len(rows), int)
    fold[sorted(range(len(rows)), key=lambda row: (training[row].domain, row))] = np.arange(len(rows)) % 5
    unseen = np.empty(len(rows))
    for number in range(5):
        model = LedoitWolf().fit(rows[fold != number])
        unseen[fold == number] = np.sqrt(model.mahalanobis(rows[fold == number]))
    own = np.stack([np.sort(cdist(rows, rows), axis=1)[:, 2], unseen], axis=1)
    found = np.stack(
        [np.sort(cdist(queries, rows), axis=1)[:, 1], np.sqrt(LedoitWolf().fit(rows).mahalanobis(queries))], axis=1
    )
    expected = ((found - own.mean(axis=0)) / own.std(axis=0)).mean(axis=1)
    np.testing.assert_allclose(told["score"], expected, rtol=1e-4, atol=1e-5)
    limit = fit_threshold(((own - own.mean(axis=0)) / own.std(axis=0)).mean(axis=1)).value
    assert load_record(folder).thresholds["fan"]["00"].value == pytest.approx(limit, abs=1e-4)
    [path] = folder.glob("scores/decision_result_*")
    decided = pd.read_csv(path, header=None, names=["clip", "decision"]).set_index("clip")["decision"]
    assert np.abs(expected - limit).min() > 1e-4, "no clip lies so near the threshold that rounding decides"
    assert decided[told["clip"]].tolist() == (expected > limit).astype(int).tolist()
    assert 0 < decided.sum() < len(decided)


def test_training_clips_of_a_section_without_test_clips_do_no_harm(
    cli, columns, make_folder, dcase2023_names, tmp_path
):
    """No scorer of a section sees them; what stands in their place is not whatever lay in memory."""
    names = dcase2023_names(train=10)
    names["train"] += [name.replace("_00_", "_01_") for name in names["train"]]
    folder = make_folder({"pump": names})
    [run] = runs_of(
        cli, "--extractor", "raw-mel:knn,twfr:knn", "--scorer", "ensemble", "--dataset", str(folder), "--out", tmp_path
    ).values()
    assert len(scores_of(run)) == 12
    unscored = [clip.section == "01" for clip in read_folder(folder).blind_view()]
    assert sum(unscored) == 12
    for column in columns.values():
        assert (column[unscored] == 0).all()
        assert (column[~np.array(unscored)] != 0).all()


def test_an_ensemble_is_the_same_whatever_the_number_of_jobs(cli, zygote, own_cache, small_dataset, tmp_path):
    words = (
        "--dataset",
        str(small_dataset),
        "--machine",
        "fan",
        "--extractor",
        NAME,
        "--scorer",
        "ensemble",
        "--fresh",
    )
    [first] = runs_of(cli, *words, "--out", tmp_path / "1").values()
    log = tmp_path / "log"
    command = zygote.start("run", *words, "--jobs", "2", "--out", tmp_path / "2", cache=own_cache, log=log)
    assert zygote.wait(command) == 0, log.read_text()
    second = tmp_path / "2" / first.name
    for path in sorted((first / "scores").iterdir()):
        assert path.read_bytes() == (second / "scores" / path.name).read_bytes()


def test_spaces_between_members_make_no_other_run(cli, small_dataset, tmp_path):
    words = ("--dataset", str(small_dataset), "--machine", "fan", "--scorer", "ensemble", "--out", tmp_path)
    [plain] = runs_of(cli, "--extractor", "raw-mel:knn,twfr:knn", "-p", "knn.n_neighbors=2", *words).values()
    [spaced] = runs_of(cli, "--extractor", " raw-mel:knn, twfr:knn ", "-p", "knn.n_neighbors=2", *words).values()
    assert plain == spaced
    ran = cli("run", "--extractor", "raw-mel:knn,twfr:knn", "--extractor", "raw-mel:knn, twfr:knn", *words)
    assert ran.code == 2
    assert "names the same one twice" in ran.err


@pytest.fixture
def system_of_several(tmp_path):
    """Words that name a system whose card is an ensemble, in a folder of a third party."""
    folder = tmp_path / "mine" / "registry" / "systems"
    folder.mkdir(parents=True)
    (folder / "several.toml").write_text(
        'summary = "Two."\nextractor = "raw-mel:knn, twfr:knn"\nscorer = "ensemble"\n'
        '[params."raw-mel:knn, twfr:knn"]\n"knn.n_neighbors" = 2\n'
    )
    return ("--system", "several", "--plugin-path", str(tmp_path / "mine"))


def test_a_system_may_be_an_ensemble(cli, small_dataset, system_of_several, tmp_path):
    """It is the same one with spaces between its members or without, and has no front end to replace."""
    words = ("--dataset", str(small_dataset), "--machine", "fan", "--out", tmp_path / "runs")
    [system] = cli("run", *system_of_several, *words, "--json").json["runs"]
    named = ("--extractor", "raw-mel:knn,twfr:knn", "--scorer", "ensemble", "-p", "knn.n_neighbors=2")
    [alone] = cli("run", *named, *words, "--json").json["runs"]
    assert system["run_id"].rpartition("-")[2] == alone["run_id"].rpartition("-")[2]
    assert load_record(Path(system["record"]).parent).extractor.params["knn.n_neighbors"] == 2
    refused = cli("run", *system_of_several, *words, "--frontend", "waveform")
    assert refused.code == 2
    assert "--frontend waveform: members of an ensemble" in refused.err


def test_the_same_run_beside_an_extractor_with_the_same_front_end(cli, small_dataset, tmp_path):
    words = ("--dataset", str(small_dataset), "--machine", "fan", "--scorer", "knn", "--out", tmp_path)
    words += ("-p", "frontend.n_mels=32")
    alone = runs_of(cli, "--extractor", "raw-mel:knn,twfr:knn", *words)
    beside = runs_of(cli, "--extractor", "raw-mel", "--extractor", "raw-mel:knn,twfr:knn", *words)
    assert set(alone.values()) < set(beside.values())
    assert load_record(beside["raw-mel", "knn"]).frontend.params["n_mels"] == 32


def test_embeddings_from_elsewhere_may_be_a_member(cli, small_dataset, tmp_path):
    """The first one too, whose front end cannot be made without its file."""
    clips = sorted(path.relative_to(small_dataset) for path in small_dataset.rglob("*.wav"))
    rows = np.random.default_rng(0).normal(size=(len(clips), 3))
    np.savez(tmp_path / "rows.npz", **{str(clip): row for clip, row in zip(clips, rows, strict=True)})
    words = ("--dataset", str(small_dataset), "--scorer", "knn", "--out", tmp_path)
    words += ("-p", f"frontend.file={tmp_path / 'rows.npz'}", "--extractor", "precomputed:knn,twfr:knn")
    alone, beside = runs_of(cli, *words), runs_of(cli, *words, "--extractor", "precomputed")
    assert set(alone.values()) < set(beside.values())
    assert all(load_record(run).frontend.params["file"] for run in beside.values())


def test_a_member_that_fails_is_named(cli, small_dataset, tmp_path):
    words = ("--dataset", str(small_dataset), "--scorer", "ensemble", "--out", tmp_path, "--json")
    ran = cli("run", "--extractor", "raw-mel:knn,raw-mel:gmm", "-p", "knn.n_neighbors=500", *words)
    assert ran.code == 1
    failures = json.loads((Path(ran.json["runs"][0]["record"])).read_text())["failures"]
    assert "raw-mel + knn, a member of the ensemble" in failures[0]["reason"]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("raw-mel:knn,raw-mel", "EXTRACTOR:SCORER"),
        ("raw-mel:knn,raw-mel:knn", "same member is named twice"),
        ("raw-mel:knn", "--extractor raw-mel --scorer knn"),
        ("raw-mel:knn,raw-mle:gmm", "Did you mean 'raw-mel'"),
        ("raw-mel:knn,raw-mel:gm", "Did you mean 'gmm'"),
    ],
)
def test_what_is_no_ensemble_is_refused(cli, name, words):
    ran = cli("run", "--extractor", name, "--scorer", "ensemble")
    assert ran.code == 2
    assert words in ran.err


@pytest.mark.parametrize("extractor", ["raw-mel", "raw-mel:ensemble,psd:knn"])
def test_an_extractor_that_is_no_ensemble_has_no_members_to_combine(cli, small_dataset, tmp_path, extractor):
    ran = cli("run", "--extractor", extractor, "--scorer", "ensemble", "--dataset", small_dataset, "--out", tmp_path)
    assert ran.code == 2
    assert "--extractor raw-mel:SCORER,EXTRACTOR:SCORER --scorer ensemble" in ran.err


def test_frontend_means_those_of_all_members_that_have_the_parameter(plan):
    """As named one by one; it is no parameter of a front end that nothing follows."""

    def cell(**params):
        scopes = {name.replace("__", "."): value for name, value in params.items()}
        return plan(extractor=["raw-mel:knn,psd:knn"], scorer=["ensemble"], params=scopes).cells[-1]

    usual, once = cell(), cell(frontend__sample_rate_hz=22050)
    named = cell(**{"log-mel.sample_rate_hz": 22050, "waveform.sample_rate_hz": 22050})
    assert once.run_id == named.run_id != usual.run_id
    assert {once.extractor.params[f"{name}.sample_rate_hz"] for name in ("log-mel", "waveform")} == {22050}
    assert cell(frontend__n_mels=16).run_id == cell(**{"log-mel.n_mels": 16}).run_id != usual.run_id
    with pytest.raises(UsageError, match="has no parameter 'n_melz'"):
        cell(frontend__n_melz=16)
