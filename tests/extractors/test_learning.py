"""Every extractor that trains says by one figure whether it learned."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn.functional import cosine_similarity

import asdbench
from asdbench.core.progress import Silent
from asdbench.datasets import TrainingClip
from asdbench.extractors.learning import Learning, two_standard_errors
from asdbench.extractors.siamese import Twin
from asdbench.extractors.views import augmented_views
from asdbench.frontends.pack import InMemoryFeatures
from asdbench.harness import RunSpec, execute, make_plan

SMALL = {
    "siamese": {"epochs": 2, "batch_size": 16},
    "simclr": {"backbone": "test_resnet", "epochs": 2, "crop_s": 0.25, "batch_size": 16, "min_steps": 0},
    "attribute-classifier": {
        "branches": ["stft-1024"],
        "epochs": 2,
        "crop_s": 0.25,
        "batch_size": 16,
        "dim": 16,
        "trainable_centres": True,
    },
    "autoencoder": {"epochs": 2, "hidden_layers": 1, "hidden_dim": 16},
}
FRONTEND = {"siamese": "mel-image", "attribute-classifier": "waveform"}


@pytest.fixture
def contexts(make_context, tmp_path):
    def make(extractor="siamese", name="a", **more):
        size = {"spectrogram": "64x64", "image": 32} if extractor == "siamese" else {}
        frontend = FRONTEND.get(extractor, "log-mel")
        return make_context(frontend=frontend, checkpoints=tmp_path / name, **size, **more)

    return make


def clips_of(table, extractor):
    if extractor in ("simclr", "attribute-classifier"):
        return table.training_view()[::4]
    fan = table.select(machines=["fan"]).training_view()
    return [replace(clip, attributes=clip.attributes[:1]) for clip in fan]


def fitted(extractor, clips, context, **more):
    built = asdbench.build(extractor, **{**SMALL[extractor], **more})
    built.fit(clips, context)
    return built


def test_a_proportions_error_is_the_textbooks():
    assert two_standard_errors(0.5, [100]) == pytest.approx(0.1)
    assert two_standard_errors(0.2, [25]) == pytest.approx(2 * math.sqrt(0.2 * 0.8 / 25))
    draws = np.random.default_rng(0).binomial([[40], [10]], 0.3, (2, 20000)) / [[40], [10]]
    assert two_standard_errors(0.3, [40, 10]) == pytest.approx(2 * draws.mean(0).std(), rel=0.02)


@pytest.mark.parametrize("extractor", SMALL)
def test_each_says_what_it_measured_and_ends_with_the_same_figure_and_weights_after_a_cut(
    table, contexts, extractor, cut_off_after
):
    clips = clips_of(table, extractor)
    whole = fitted(extractor, clips, contexts(extractor, "whole"))
    assert whole.learning.figure
    assert whole.learning.measured_on
    assert whole.learning.margin >= 0
    assert math.isfinite(whole.learning.value)
    for epochs in (1, 2) if extractor == "autoencoder" else (1,):  # one loop trains all of them
        cut = contexts(extractor, f"cut{epochs}")
        with cut_off_after(epochs), pytest.raises(KeyboardInterrupt):
            fitted(extractor, clips, cut)
        resumed = fitted(extractor, clips, cut)
        assert resumed.learning == whole.learning
        assert resumed.curves == whole.curves
        for name, value in whole.network.state_dict().items():
            assert torch.equal(value, resumed.network.state_dict()[name]), name


@pytest.mark.parametrize("seed", range(20))
def test_a_larger_distance_means_different_from_the_start(seed):
    torch.manual_seed(seed)
    twin = Twin((1, 16, 16), 1, 4, 5, "same", 2, True, 8, "tanh", "dense").eval()
    near, far = torch.zeros(1, 8), torch.full((1, 8), 0.5)
    assert twin.distance(near, far) > twin.distance(near, near)
    twin.head[0].running_mean.fill_(torch.dist(near, far))
    assert twin.distance(near, far).item() == pytest.approx(0.5, abs=1e-5), "the mean distance is undecided"


def made(count, classes, contexts, learnable=True):
    """Clips of two kinds, a bar at one of two heights in noise; classes by the kind or at random."""
    rng = np.random.default_rng(0)
    arrays, clips = {}, []
    for number in range(count):
        kind = number % classes
        image = rng.normal(0.0, 1.0, (1, 32, 32)).astype(np.float32)
        image[:, 6 + 16 * kind : 12 + 16 * kind] += 1.5
        label = kind if learnable else int(rng.integers(classes))
        key = f"{number:04d}"
        arrays[key] = image
        clips.append(TrainingClip(key, "fan", "00", "source", (("kind", str(label)),)))
    return clips, replace(contexts(name=f"made{learnable}"), features=InMemoryFeatures(arrays))


@pytest.mark.parametrize("learnable", [True, False])
def test_classes_that_can_be_told_apart_are_learned_and_shuffled_ones_are_not(contexts, learnable):
    clips, context = made(80, 2, contexts, learnable)
    learning = fitted("siamese", clips, context, epochs=5).learning
    assert learning.learned == learnable, learning
    assert learning.chance == 0.5
    assert learning.measured_on.endswith("pairs of 16 clips held out of training")


def test_the_untrained_siamese_network_is_the_one_that_was_drawn(table, contexts):
    """With a learning rate that moves nothing both figures agree."""
    learning = fitted("siamese", clips_of(table, "siamese"), contexts(), learning_rate=1e-7, epochs=1).learning
    assert learning.value == learning.untrained
    assert not learning.learned


def test_without_clips_held_out_the_siamese_network_has_no_figure(table, contexts):
    assert fitted("siamese", clips_of(table, "siamese"), contexts(), validation=0.0).learning is None


def test_partners_found_are_those_of_a_loop(table, contexts):
    context = contexts("simclr")
    clips = clips_of(table, "simclr")
    extractor = fitted("simclr", clips, context)
    keys = sorted({clip.key for clip in clips})
    copies = augmented_views(clips, 1, context, "unseen view")
    trained_on = augmented_views(clips, 2, context)
    assert not np.array_equal(copies[keys[0]][1], trained_on[keys[0]][2]), "noise of other copies"
    network = extractor.network.eval()

    def projected(features):
        with torch.no_grad():
            return network(torch.from_numpy(np.array(features, np.float32))[None])[0]

    originals = {key: projected(context.features[key]) for key in keys}
    right = []
    for key in keys:
        for copy in copies[key]:
            row = projected(copy)
            right.append(max(keys, key=lambda other: cosine_similarity(row, originals[other], 0)) == key)
    assert extractor.learning.value == pytest.approx(np.mean(right))
    assert extractor.learning.chance == 1 / len(keys)
    assert len(right) == 3 * len(keys)


def test_the_figure_of_simclr_does_not_depend_on_the_layer_that_is_read(table, contexts):
    """Fits are shared by both layers, so the first to come must not decide."""
    clips = clips_of(table, "simclr")
    read = [fitted("simclr", clips, contexts("simclr", layer), layer=layer) for layer in ("projection", "backbone")]
    assert read[0].learning == read[1].learning


def test_explained_variance_is_that_of_the_plain_definition(table, contexts):
    context = contexts("autoencoder")
    clips = table.select(machines=["fan"]).training_view()
    extractor = fitted("autoencoder", clips, context, held_out=0.0)
    rows = []
    for key in sorted(clip.key for clip in clips):
        frames = np.asarray(context.features[key])[0].T
        rows += [frames[start : start + 5].reshape(-1) for start in range(len(frames) - 4)]
    vectors = torch.from_numpy(np.stack(rows))
    with torch.no_grad():
        left = (vectors - extractor.network.eval()(vectors)).square().sum()
    expected = 1 - float(left / (vectors - vectors.mean(0)).square().sum())
    assert extractor.learning.value == pytest.approx(expected, abs=1e-4)
    assert extractor.learning.chance == 0.0
    assert "all of which it was trained on" in extractor.learning.measured_on


def test_recordings_that_are_all_the_same_leave_nothing_to_explain(table, contexts):
    context = contexts("autoencoder")
    clips = table.select(machines=["fan"]).training_view()
    constant = InMemoryFeatures({clip.key: np.full((1, 8, 20), -40.0, np.float32) for clip in clips})
    assert fitted("autoencoder", clips, replace(context, features=constant)).learning is None


def test_class_accuracy_rises_where_classes_can_be_told_apart(table, contexts):
    clips = [replace(clip, attributes=(), domain=None) for clip in table.training_view()[::2]]
    extractor = fitted(
        "attribute-classifier", clips, contexts("attribute-classifier"), epochs=8, mixup=0.0, pseudo_classes=1
    )
    assert extractor.learning.chance == 0.5
    assert extractor.learning.learned, extractor.learning


@pytest.mark.parametrize("loss", ["arcface", "adacos", "scac", "adaproj"])
def test_every_loss_names_the_class_whose_centre_is_nearest(loss):
    torch.manual_seed(0)
    params = {"trainable": False, "adaptive": True, "mixed": False, "sub_clusters": 2, "subspace_dim": 2}
    from asdbench.extractors.classification.margin_losses import margin_loss

    made = margin_loss(loss, 6, 3, **params, margin=0.5, scale=10.0).eval()
    centres = made.directions if made.directions.dim() == 2 else made.directions[:, 0]
    assert made.similarities(centres).argmax(1).tolist() == [0, 1, 2]


def test_the_record_has_the_figure_from_the_cache_too(small_dataset, tmp_path):
    records = []
    for out in ("a", "b"):
        params = {"autoencoder.epochs": 2, "autoencoder.hidden_layers": 1}
        spec = RunSpec(extractor=["autoencoder"], scorer=["identity"], dataset=[str(small_dataset)], params=params,
                       out=tmp_path / out)  # fmt: skip
        records += execute(make_plan(spec, Silent()), Silent())
        content = json.loads((tmp_path / out / records[-1].run_id / "run.json").read_text())
        assert content["training"][0]["learning"]["figure"] == "explained variance"
    assert [network.learning for network in records[0].training] == [n.learning for n in records[1].training]
    assert all(isinstance(network.learning, Learning) for network in records[0].training)
