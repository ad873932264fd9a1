import json
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
import torch

import asdbench
from asdbench.core.errors import TrainingError, UsageError
from asdbench.extractors.classification.mixing import StatisticsExchange, exchange_features, mixup
from asdbench.frontends.pack import InMemoryFeatures
from asdbench.registry import load_catalog

QUICK = {"branches": ["stft-1024", "spectrum"], "epochs": 1, "crop_s": 0.25, "batch_size": 16, "dim": 16}


@pytest.fixture
def context(make_context):
    return make_context(frontend="waveform")


def fitted(table, context, **params):
    extractor = asdbench.build("attribute-classifier", **{**QUICK, **params})
    extractor.fit(table.training_view()[::4], context)
    return extractor


def test_embeddings_have_length_one_and_what_is_saved_says_the_length_of_clip(table, make_context, tmp_path):
    blind, clips = make_context(frontend="waveform", training=False), table.blind_view()[::9]
    first, other = (
        fitted(table, make_context(seed, frontend="waveform", checkpoints=tmp_path / str(seed)), featex=0.5)
        for seed in (0, 1)
    )
    rows = first.embed(clips, blind)
    assert rows.shape == (len(clips), 32)
    assert np.linalg.norm(rows, axis=1) == pytest.approx(np.ones(len(rows)), rel=1e-5)
    assert first.parameter_count == sum(weight.numel() for weight in first.network.parameters())
    assert not np.allclose(other.embed(clips, blind), rows)
    first.save(tmp_path)
    assert json.loads((tmp_path / "attribute-classifier.json").read_text()) == {"samples": 4000, "rate_hz": 16000.0}


@pytest.mark.parametrize("loss", ["arcface", "adacos", "scac", "adaproj"])
def test_every_loss_learns_the_classes(table, context, loss):
    """Without mixup the loss must fall, though the machines of the small data set are easily told apart."""
    extractor = fitted(
        table,
        context,
        loss=loss,
        epochs=8,
        mixup=0.0,
        branches=["stft-1024"],
        trainable_centres=True,
        scale=10.0,
        subspace_dim=2,
    )
    losses = extractor.curves["loss"]
    assert losses[-1] < 0.9 * losses[0]


def test_a_batch_holds_cuts_of_its_clips_and_their_classes(table, context):
    extractor = asdbench.build("attribute-classifier", **QUICK)
    keys = [clip.key for clip in table.training_view()]
    labels = {key: number % 3 for number, key in enumerate(keys)}
    seen = set()
    for waveforms, wanted, _ in extractor._batches(2, keys, labels, 3000, context):
        assert wanted.sum(1).tolist() == [1.0] * len(wanted)
        for waveform, label in zip(waveforms.numpy(), wanted.argmax(1).tolist(), strict=True):
            ((key, _),) = [
                (key, start)
                for key in keys
                for start in np.flatnonzero(context.features[key][0, 0, : -3000 + 1] == waveform[0])
                if np.array_equal(context.features[key][0, 0, start : start + 3000], waveform)
            ]
            assert labels[key] == label
            seen.add(key)
    assert seen == set(keys)


def test_clips_of_differing_length_train_and_embed_together(table, context):
    arrays = {}
    for number, clip in enumerate(table.blind_view()):
        arrays[clip.key] = context.features[clip.key][..., : 8000 - 500 * (number % 3)]
    uneven = replace(context, features=InMemoryFeatures(arrays))
    extractor = fitted(table, uneven, crop_s=0.0)
    assert extractor.facts["samples"] == 7000
    assert np.isfinite(extractor.embed(table.blind_view()[::9], replace(uneven, training=None))).all()


def test_a_branchs_share_is_equal_where_asked_for(table, context):
    rows = fitted(table, context, normalise="branches").embed(table.blind_view()[::9], context)
    assert np.square(rows[:, :16]).sum(1) == pytest.approx(np.full(len(rows), 0.5), rel=1e-4)


def test_one_class_cannot_be_told_apart(table, context):
    clips = [replace(clip, machine="fan", domain="source", attributes=()) for clip in table.training_view()]
    with pytest.raises(TrainingError, match="pseudo_classes=4"):
        asdbench.build("attribute-classifier", **QUICK, pseudo_classes=1).fit(clips, context)


def test_a_subspace_that_is_the_whole_space_is_refused():
    with pytest.raises(UsageError, match=r"below the embedding's 16 dimensions"):
        asdbench.build("attribute-classifier", **{**QUICK, "branches": ["stft-256"]}, loss="adaproj")


def test_a_lone_clip_in_the_last_batch_is_left_out(table, context):
    keys = [clip.key for clip in table.training_view()][:9]
    extractor = asdbench.build("attribute-classifier", **{**QUICK, "batch_size": 4})
    sizes = [len(batch[0]) for batch in extractor._batches(0, keys, dict.fromkeys(keys, 0), 1000, context)]
    assert sizes == [4, 4]


def test_fixed_centres_stay_and_trained_ones_move(table, context, monkeypatch):
    found = []

    from asdbench.extractors import attribute_classifier as module

    class Kept(module.Classifier):
        def __init__(self, *parts):
            super().__init__(*parts)
            found.append((self, self.loss.directions.detach().clone(), self.exchanged.directions.detach().clone()))

    monkeypatch.setattr(module, "Classifier", Kept)
    fitted(table, context, featex=0.5)
    ((network, loss, exchanged),) = found
    assert torch.equal(network.loss.directions, loss)
    assert not torch.equal(network.exchanged.directions, exchanged)


@pytest.mark.parametrize(("featex", "statex", "times"), [(0.0, 0.0, None), (0.5, 0.0, 3), (0.0, 0.5, 3), (0.5, 0.5, 9)])
def test_the_loss_is_that_of_the_classes_and_that_of_the_exchanges(featex, statex, times):
    """Wilkinghoff (2024), written out: mixed clips, exchanged statistics, both heads on what comes of them."""
    extractor = asdbench.build("attribute-classifier", **{**QUICK, "featex": featex, "statex": statex, "mixup": 0.5})
    torch.manual_seed(0)
    network = extractor.classifier(extractor.begin(samples=3000, rate_hz=16000.0), 4).eval()
    waveforms, labels = torch.randn(8, 3000), torch.eye(4).repeat(2, 1)
    found = extractor.loss(network, (waveforms, labels, torch.Generator().manual_seed(5)))

    generator = torch.Generator().manual_seed(5)
    mixed, wanted = mixup(waveforms, labels, 0.5, generator)
    exchange = StatisticsExchange.drawn(8, statex, 1, generator, mixed.device) if statex else None
    spectrogram, spectrum = network.embedder.branches
    parts = [spectrogram(mixed, exchange), spectrum(mixed)]
    expected = network.loss(torch.cat(parts, 1), wanted)
    assert network.loss.directions.shape[0] == 4
    if times is None:
        assert network.exchanged is None
    else:
        more = exchange.labels(wanted) if statex else wanted
        if featex:
            parts, more = exchange_features(parts, more, featex, generator)
        assert network.exchanged.directions.shape[0] == more.shape[1] == 4 * times
        assert network.exchanged.directions.requires_grad
        expected = expected + network.exchanged(torch.cat(parts, 1), more)
    assert found.item() == pytest.approx(expected.item(), rel=1e-6)
    found.backward()
    for name, weight in network.named_parameters():
        assert weight.grad.abs().sum() > 0, name


def test_training_with_exchanged_statistics_is_another_one(table, make_context, tmp_path):
    blind, rows = make_context(frontend="waveform", training=False), []
    for number, params in enumerate(({"statex": 0.5}, {"statex": 0.5, "statex_over": "frequency"}, {})):
        context = make_context(frontend="waveform", checkpoints=tmp_path / str(number))
        rows.append(fitted(table, context, branches=["stft-1024"], **params).embed(table.blind_view()[::9], blind))
    for one, other in combinations(rows, 2):
        assert not np.allclose(one, other)


def test_no_exchange_of_statistics_keeps_the_identity():
    """Records and caches of before hold neither parameter."""
    catalog = load_catalog()
    plain, off, on = (
        catalog.component("extractors", "attribute-classifier", {"statex": value}).identity()
        for value in (0.0, "0", 0.5)
    )
    assert plain == off
    assert not {"statex", "statex_over"} & set(plain["params"])
    assert on["params"]["statex"] == 0.5


def test_statistics_of_spectrograms_need_a_spectrogram():
    with pytest.raises(UsageError, match=r"attribute-classifier\.branches=stft-1024,spectrum"):
        asdbench.build("attribute-classifier", **{**QUICK, "branches": ["spectrum"]}, statex=0.5)


def test_one_branch_exchanges_no_features(table, context):
    """Its embedding would be the same with and without, and which class it is of a coin's toss."""
    extractor = fitted(table, context, branches=["stft-1024"], featex=0.5)
    assert extractor.classifier(extractor.network, 4).exchanged is None
    assert "featex is none" in extractor.notes[-1]


def test_another_front_end_is_refused(table, make_context):
    with pytest.raises(TrainingError, match="takes the front end 'waveform'; this one gives 128 bins"):
        fitted(table, make_context())
