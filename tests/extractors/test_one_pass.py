"""Layers and poolings of one command: each clip goes through an encoder once, and each embedding is as if alone."""

from collections import Counter

import numpy as np
import pytest
import torch
from tiny_encoders import DASHENG, write_beats, write_dasheng

import asdbench as asd
from asdbench.core.errors import AsdbenchError
from asdbench.core.progress import Silent
from asdbench.extractors.encoders.beats import BeatsNetwork

WAVES = list(0.1 * np.random.default_rng(0).standard_normal((5, 9000)))


@pytest.fixture
def weights(tmp_path):
    return write_beats(tmp_path / "beats.pt")[0]


@pytest.fixture
def passed(monkeypatch):
    """How many clips went through BEATs, and the sizes of batches."""
    sizes = []
    forward = BeatsNetwork.forward

    def counting(self, banks, layers):
        sizes.append(len(banks))
        return forward(self, banks, layers)

    monkeypatch.setattr(BeatsNetwork, "forward", counting)
    return sizes


def test_each_clip_passes_once_for_all_layers_poolings_and_scorers(
    weights, passed, small_dataset, tmp_path, monkeypatch
):
    monkeypatch.setenv("ASDBENCH_CACHE", str(tmp_path / "cache"))
    varied = [
        asd.extractor("beats", weights=weights, layer=layer, pooling=pooling)
        for layer in (1, 2, [1, 2])
        for pooling in ("mean", "rdp")
    ]
    runs = asd.run(small_dataset, varied, ["knn", "mahalanobis-lw"], out=tmp_path / "together")
    assert {run.status for run in runs} == {"done"}
    assert sum(passed) == len(asd.load(small_dataset))
    assert len(list((tmp_path / "cache" / "trained").glob("[!.]*"))) == 2  # one for each machine type
    monkeypatch.setenv("ASDBENCH_CACHE", str(tmp_path / "other"))
    for run in runs[::4]:
        params = {key.partition(".")[2]: value for key, value in run.record.asked.params.items()}
        alone = asd.run(small_dataset, asd.extractor("beats", **params), run.scorer, out=tmp_path / "alone")[0]
        assert alone.record.run_id == run.record.run_id
        assert alone.record.results == run.record.results
        np.testing.assert_array_equal(alone.embeddings("fan"), run.embeddings("fan"))
        assert alone.record.training[0].macs == run.record.training[0].macs


def test_one_that_cannot_be_costs_the_others_nothing(weights, small_dataset, tmp_path):
    varied = [
        asd.extractor("beats", weights=weights, layer=1),
        asd.extractor("beats", weights=weights, layer=1, pooling="cls"),
    ]
    with pytest.raises(AsdbenchError, match="no class token"):
        asd.run(small_dataset, varied, "knn", out=tmp_path)
    assert asd.run(small_dataset, varied[:1], "knn", out=tmp_path)[0].status == "done"


def test_clips_of_one_length_pass_together_where_asked(weights, passed):
    alone = asd.extractor("beats", weights=weights).embed_audio(WAVES, sample_rate_hz=16000)
    assert passed == [1] * 5
    passed.clear()
    lengths = [*WAVES[:3], WAVES[3][:8000], WAVES[4]]
    together = asd.extractor("beats", weights=weights, batch_size=2)
    np.testing.assert_allclose(
        together.embed_audio(lengths, sample_rate_hz=16000)[[0, 1, 2, 4]], alone[[0, 1, 2, 4]], atol=1e-5
    )
    assert passed == [2, 1, 1, 1]


def test_a_full_gpu_takes_fewer_clips_and_says_so(weights, monkeypatch, small_dataset, tmp_path):
    forward = BeatsNetwork.forward
    most = [2]

    def filling(self, banks, layers):
        if len(banks) > most[0]:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory")
        return forward(self, banks, layers)

    monkeypatch.setattr(BeatsNetwork, "forward", filling)
    notes = []

    class Noting(Silent):
        def note(self, text):
            notes.append(text)

    large = asd.extractor("beats", weights=weights, batch_size=8)
    run = asd.run(small_dataset, large, "knn", out=tmp_path, progress=Noting())[0]
    assert run.status == "done"
    told = [note for note in notes if "memory" in note]
    assert [note.partition("; ")[2].partition(". ")[0] for note in told[:2]] == ["going on with 4", "going on with 2"]
    assert "-p beats.batch_size=2" in told[1]
    most[0] = 0
    failed = asd.run(small_dataset, asd.extractor("beats", weights=weights, layer=1), "knn", out=tmp_path)[0]
    assert "memory does not hold beats and one clip" in failed.record.failures[0].reason
    assert "--device cpu" in failed.record.failures[0].reason


def test_operations_are_those_of_the_layers_up_to_the_one_asked_for(small_dataset, tmp_path):
    path = write_dasheng(tmp_path / "dasheng.pt")[0]
    varied = [asd.extractor("dasheng", weights=path, layer=layer) for layer in (1, 2)]
    first, second = (run.record.training[0].macs for run in asd.run(small_dataset, varied, "knn", out=tmp_path))
    dim, tokens, windows = DASHENG["embed_dim"], 25, 2  # of 101 frames, in windows of 100
    layer = tokens * 12 * dim**2 + 2 * tokens**2 * dim  # four products of dim x dim and two of dim x 4 dim; q k and w v
    assert second - first == windows * layer
    assert first == windows * (layer + tokens * dim * 64 * 4)  # and the embedding of patches


def test_values_are_varied_from_the_command_line(cli, weights, small_dataset, tmp_path):
    words = ("run", "--dataset", small_dataset, "--out", tmp_path, "--extractor", "beats", "--extractor", "raw-mel")
    words += ("-p", f"beats.weights={weights}", "--scorer", "knn", "--vary", "beats.layer=1;2;1,2")
    words += ("--vary", "knn.n_neighbors=1,2")
    runs = cli(*words, "--json").json["runs"]
    counted = Counter((run["extractor"], str(run["varied"].get("beats.layer"))) for run in runs)
    assert counted == {("beats", "1"): 2, ("beats", "2"): 2, ("beats", "1,2"): 2, ("raw-mel", "None"): 2}
    assert len({run["run_id"] for run in runs}) == 8
    shown = cli(*words).out
    assert "layer=1,2, n_neighbors=2" in shown
    planned = cli(*words, "--dry-run", "--json").json["plan"]
    assert {run["state"] for run in planned} == {"done"}


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--vary", "knn.n_neighbors"), "expected COMPONENT.PARAM=VALUE"),
        (("--vary", "knn.neighbours=1,2"), "'knn' has no parameter 'neighbours'"),
        (("--vary", "knn.n_neighbors=1,0"), "n_neighbors"),
        (("--vary", "knn.n_neighbors=1", "-p", "knn.n_neighbors=2"), "-p fixes what --vary changes"),
        (("--vary", "synthetic.clip_s=1,2"), "recordings are not varied"),
    ],
)
def test_what_cannot_be_varied_is_refused(words, told, cli, tmp_path):
    outcome = cli("run", "--extractor", "raw-mel", "--scorer", "knn", "--out", tmp_path, *words)
    assert outcome.code == 2
    assert told in outcome.err
    assert not list(tmp_path.iterdir())


def test_tables_have_columns_of_what_is_varied(weights, small_dataset, tmp_path):
    varied = [asd.extractor("beats", weights=weights, layer=layer) for layer in (1, 2)]
    table = asd.run(small_dataset, varied, "knn", out=tmp_path).to_frame()
    assert table["beats.layer"].tolist() == ["1", "2"]
