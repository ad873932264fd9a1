"""LoRA against merged weights, the frozen network and peft's formula; the training against its own promises."""

import shutil
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from tiny_encoders import WRITERS
from torch import nn

import asdbench as asd
from asdbench.core.errors import AsdbenchError, UsageError
from asdbench.core.progress import Silent
from asdbench.datasets import TrainingClip
from asdbench.datasets.clips import BlindClip
from asdbench.extractors.base import Context
from asdbench.extractors.classification.lora import AttentiveStatistics, TunedEncoder
from asdbench.extractors.classification.pseudo_labels import labelled
from asdbench.extractors.lora_classifier import ENCODERS
from asdbench.frontends.pack import InMemoryFeatures

SMALL = {"rank": 3, "dim": 8, "epochs": 2, "warmup_steps": 0, "sub_clusters": 2}


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("encoders")
    return {name: write(folder / f"{name}.pt")[0] for name, write in WRITERS.items()}


@pytest.fixture
def made(make_context):
    """Clips of two tones in noise, by machine type or, hidden, in one; and a context that holds them."""

    def make(count=8, name="a", hidden=False, samples=4800):
        rng = np.random.default_rng(0)
        time, clips, arrays = np.arange(samples) / 16000, [], {}
        for number in range(count):
            kind = number % 2
            wave = np.sin(2 * np.pi * (500, 3000)[kind] * time) + 0.1 * rng.standard_normal(samples)
            arrays[f"{number:02d}"] = wave.astype(np.float32)[None, None]
            machine = "fan" if hidden or kind == 0 else "pump"
            clips.append(
                TrainingClip(f"{number:02d}", machine, "00", "target" if number >= count - 2 else "source", ())
            )
        context = make_context(frontend="waveform", checkpoints=Path(name))
        return clips, replace(context, features=InMemoryFeatures(arrays))

    return make


@pytest.fixture(autouse=True)
def in_own_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def built(files, encoder="beats", **params):
    return asd.build("lora-classifier", encoder=encoder, weights=files[encoder], **{**SMALL, **params})


def fitted(files, clips, context, **params):
    extractor = built(files, **params)
    extractor.fit(clips, context)
    return extractor


def blind(clips):
    return [BlindClip(clip.key, clip.machine, clip.section) for clip in clips]


def frozen_of(files, name):
    return built(files, name)._encoder.loaded()


def last(network, waves):
    with torch.no_grad():
        return network(network.filter_banks(waves), [network.depth])[network.depth].patches


@pytest.mark.parametrize("name", ENCODERS)
def test_adapters_begin_as_the_frozen_network_and_are_the_weights_merged(name, files):
    """W + alpha / rank x B A for query, key and value, three rows of a fused matrix, in place of the adapters."""
    torch.manual_seed(0)
    frozen, waves = frozen_of(files, name), 0.1 * torch.randn(2, 9000)
    tuned = TunedEncoder(frozen, 3, 6.0, 8)
    before = last(frozen, waves)
    with tuned.adapting() as network:
        assert torch.equal(last(network, waves), before)
    merged = frozen_of(files, name)
    linear = {key: one for key, one in merged.named_modules() if key.endswith(("q_proj", "k_proj", "v_proj", "qkv"))}
    assert len(linear) == len(tuned.adapters) == 2 * (3 if name == "beats" else 1)
    for key, one in linear.items():
        adapter = tuned.adapters[key.replace(".", "_")]
        assert adapter.down.shape[1] == 3
        nn.init.normal_(adapter.up)
        change = [6.0 / 3 * up @ down for up, down in zip(adapter.up, adapter.down, strict=True)]
        one.weight.data += torch.cat(change).detach()
    with tuned.adapting() as network:
        adapted = last(network, waves)
    torch.testing.assert_close(adapted, last(merged, waves), atol=1e-4, rtol=1e-4)
    assert (adapted - before).abs().max() > 1e-2
    assert torch.equal(last(frozen, waves), before), "outside it is the frozen network again"


def test_pooling_is_that_of_the_formula():
    """Okabe et al. (2018): e = attention(h), weights softmax over patches, mean and deviation so weighted."""
    torch.manual_seed(0)
    pooling, patches = AttentiveStatistics(4, 3).eval(), torch.randn(2, 5, 4)
    first, _, second = pooling.attention
    for rows, found in zip(patches, pooling(patches), strict=True):
        context = torch.cat([rows.mean(0), rows.std(0, correction=0)])
        scores = torch.stack([second(torch.tanh(first(torch.cat([row, context])))) for row in rows])
        weights = scores.exp() / scores.exp().sum(0)
        mean = (weights * rows).sum(0)
        deviation = ((weights * rows**2).sum(0) - mean**2).sqrt()
        expected = pooling.embedding[1](torch.cat([mean, deviation]) / (1 + 1e-5) ** 0.5) / (1 + 1e-5) ** 0.5
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


def test_in_mixed_precision_the_network_alone_is_lower(files):
    """As on a GPU in training: filter banks and pooling stay single, and gradients reach every adapter."""
    torch.manual_seed(0)
    tuned, seen = TunedEncoder(frozen_of(files, "beats"), 3, 6.0, 8), {}
    with tuned.adapting() as network:
        network.layer_norm.register_forward_hook(lambda _, inputs, output: seen.update(patches=inputs[0].dtype))
        network.patch_embedding.register_forward_hook(lambda _, inputs, output: seen.update(banks=inputs[0].dtype))
    tuned.pooling.register_forward_hook(lambda _, inputs, output: seen.update(pooled=inputs[0].dtype))
    with torch.autocast("cpu", torch.bfloat16):
        rows = tuned(0.1 * torch.randn(3, 9000))
    assert rows.dtype == seen["banks"] == seen["pooled"] == torch.float32
    assert seen["patches"] == torch.bfloat16
    rows.pow(3).sum().backward()  # the squares of what batch normalisation gives have a sum that never changes
    assert all(adapter.up.grad.abs().sum() > 0 for adapter in tuned.adapters.values())


@pytest.mark.parametrize(
    "name", ["beats", "ced"]
)  # linear layers of their own, and a fused one; ced normalises by batch
def test_a_training_moves_what_it_adds_and_nothing_of_the_encoder(name, files, made):
    clips, context = made()
    extractor = built(files, name)
    frozen = extractor._encoder.loaded()
    before = {key: value.clone() for key, value in frozen.state_dict().items()}
    extractor.fit(clips, context)
    assert extractor._encoder.loaded() is frozen
    for key, value in frozen.state_dict().items():
        assert torch.equal(value, before[key]), key
    assert not any(one.requires_grad or one.grad is not None for one in frozen.parameters())
    for key, value in extractor.network.named_parameters():
        assert value.requires_grad
        assert value.grad.abs().sum() > 0, key
    extractor.save(Path())
    saved = load_file("network.safetensors")
    assert {key.partition(".")[0] for key in saved} == {"adapters", "pooling"}
    assert all((saved[key] != 0).any() for key in saved if key.endswith(".up"))
    trained = sum(one.numel() for one in extractor.network.parameters())
    assert extractor.parameter_count == trained + sum(one.numel() for one in frozen.parameters())


def test_what_is_saved_gives_the_same_embeddings_and_pooled_ones_are_of_the_tuned_patches(files, made):
    clips, context = made()
    extractor = fitted(files, clips, context, learning_rate=0.01)
    rows = extractor.embed(blind(clips), replace(context, training=None))
    assert rows.shape == (8, 8)
    extractor.save(Path())
    loaded = built(files)
    loaded.load(Path())
    assert np.array_equal(loaded.embed(blind(clips), replace(context, training=None)), rows)
    pooled = built(files, pooling="mean", pool_over="band")
    pooled.load(Path())
    bands = pooled.embed(blind(clips), replace(context, training=None))
    with extractor.network.adapting() as network:
        patches = last(network, torch.from_numpy(context.features["03"][0]))
    np.testing.assert_allclose(bands[3], patches[0].mean(0), atol=1e-5)
    plain = last(extractor._encoder.loaded(), torch.from_numpy(context.features["03"][0]))
    assert np.abs(bands[3] - plain[0].mean(0).numpy()).max() > 1e-3


@pytest.mark.parametrize("epoch", [1, 2])
def test_a_killed_training_ends_with_the_same_bytes(epoch, files, made, cut_off_after):
    digests = []
    clips, whole = made(name="whole")
    _, cut = made(name="cut")
    with cut_off_after(epoch), pytest.raises(KeyboardInterrupt):
        fitted(files, clips, cut, epochs=3, warmup_steps=2)
    state = next(Path("cut").rglob("state.safetensors"))
    assert not any("frozen" in key or "patch_embedding" in key for key in load_file(state))
    for context in (cut, whole):
        extractor = fitted(files, clips, context, epochs=3, warmup_steps=2)
        extractor.save(Path())
        digests.append(sha256(Path("network.safetensors").read_bytes()).hexdigest())
    assert digests[0] == digests[1]


def test_it_learns_two_easy_classes_and_says_so(files, made):
    clips, context = made(16)
    clips = [replace(clip, domain="source") for clip in clips]
    params = {"encoder": "dasheng", "epochs": 25, "learning_rate": 0.003, "mixup": 0.0, "warmup_steps": 5000}
    extractor = fitted(files, clips, replace(context, seed=1), pseudo_classes=1, **params)
    losses = extractor.curves["loss"]
    assert losses[-1] < 0.5 * losses[0]
    assert extractor.learning.learned, extractor.learning
    assert extractor.learning.chance == 0.5
    rows = extractor.embed(blind(clips), replace(context, training=None))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    cosines = rows @ rows.T
    of_one = np.equal.outer(*[np.arange(16) % 2] * 2)
    assert cosines[of_one].mean() > cosines[~of_one].mean() + 0.5


def test_the_warm_up_is_a_fifth_at_most(files):
    from asdbench.extractors.training import Recipe

    extractor, recipe = built(files, warmup_steps=5000), Recipe("", 1, 1e-4)
    assert extractor.recipe(recipe, 37500).warmup_steps == 5000
    assert extractor.recipe(recipe, 100).warmup_steps == 20
    assert extractor.recipe(recipe, 100).weight_decay == 0.01


def test_hidden_attributes_are_clusters_of_what_the_frozen_encoder_gives(files, made):
    clips, context = made(12, hidden=True)
    extractor = built(files, pseudo_classes=2, pseudo_classes_target=1)
    classes, notes = extractor.classes(clips, context)
    assert "source clips are in 2 clusters" in notes[0]
    assert len({classes[clip.key] for clip in clips if clip.domain == "target"}) == 1
    waves = [context.features[clip.key].reshape(-1) for clip in clips]
    means = asd.extractor("beats", weights=files["beats"]).embed_audio(waves, sample_rate_hz=16000)
    np.testing.assert_allclose(extractor._frozen_means(clips[:2], context), means[:2], atol=1e-6)
    source = [number for number, clip in enumerate(clips) if clip.domain == "source"]
    labels = np.array([classes[clips[number].key][-1] for number in source])
    centres = {label: means[source][labels == label].mean(0) for label in set(labels)}
    assert len(centres) == 2
    for number, label in zip(source, labels, strict=True):
        assert label == min(centres, key=lambda one: np.linalg.norm(means[number] - centres[one]))
    named = [replace(clip, attributes=(("v", str(number % 3)),)) for number, clip in enumerate(clips)]
    classes, notes = extractor.classes(named, context)
    assert not notes
    assert len(set(classes.values())) == len({(number % 3, clip.domain) for number, clip in enumerate(clips)})


@pytest.mark.parametrize(("source", "target", "expected"), [(7, 1, 8), (7, 2, 9), (1, 1, 2), (50, 1, 2)])
def test_numbers_of_clusters_by_domain(source, target, expected):
    clips = [TrainingClip(f"{n:02d}", "fan", "00", "source" if n < 30 else "target", ()) for n in range(40)]
    context = Context(0, "cpu", 1, Silent(), InMemoryFeatures({}), 16000.0)
    rows = np.random.default_rng(0).standard_normal((40, 3)).astype(np.float32)
    classes, _ = labelled(clips, source, context, target, lambda group: rows[[int(clip.key) for clip in group]])
    assert len(set(classes.values())) == expected


def test_test_clips_change_nothing_of_the_classes_and_the_training(files, small_dataset, tmp_path):
    """All recordings, and those without half of the test's, train the same network."""
    params = {"weights": files["beats"], **SMALL, "epochs": 1, "crop_s": 0.25}
    fewer = shutil.copytree(small_dataset, tmp_path / "fewer")
    for path in sorted(fewer.glob("*/test/*.wav"))[::2]:
        path.unlink()
    whole, halved = (
        asd.run(folder, asd.extractor("lora-classifier", **params), "knn", out=tmp_path / "runs")[0]
        for folder in (small_dataset, fewer)
    )
    assert (whole.status, halved.status) == ("done", "done")
    network, other = whole.record.training[0], halved.record.training[0]
    assert (network.curves, network.learning) == (other.curves, other.learning)
    clips = asd.load(small_dataset).training_view()
    count = len({(clip.machine, clip.section, clip.attributes, clip.domain) for clip in clips})
    assert f"training clips of {count} classes" in network.learning.measured_on
    assert network.macs > 0


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"weights": ""}, r"no weights of its encoder.*-p lora-classifier\.weights=FILE\n.*asdbench show ced"),
        ({"encoder": "beatz"}, r"encoder.*beats \| eat \| dasheng \| ced \| ast"),
        ({"crop_s": 0.05}, r"crop_s is 0\.05, and one patch takes .*\n.*crop_s=0"),
        ({"encoder": "beats"}, r"lora-classifier\.weights: .*looks like CED\.\nAccepted: a published file of BEATs"),
        ({"pooling": "cls"}, r"no class token\.\n.*-p lora-classifier\.pooling=mean"),
    ],
)
def test_what_it_cannot_do_is_told(params, words, files, made):
    clips, context = made(4)
    with pytest.raises(UsageError, match=words):
        asd.build("lora-classifier", **{**SMALL, "encoder": "ced", "weights": files["ced"], **params}).fit(
            clips, context
        )


def test_clips_and_front_ends_that_do_not_fit_are_told(files, made, make_context, table):
    clips, context = made(4, samples=2000)
    with pytest.raises(AsdbenchError, match=r"4 of 4 clips are shorter than one patch of lora-classifier"):
        fitted(files, clips, context)
    with pytest.raises(UsageError, match=r"--frontend waveform -p waveform\.sample_rate_hz=16000"):
        fitted(files, table.training_view(), make_context())


def test_clips_of_several_lengths_are_cut_to_train_and_whole_to_embed(files, made):
    clips, context = made(samples=8000)
    arrays = {clip.key: context.features[clip.key][..., : 8000 - 1000 * (n % 2)] for n, clip in enumerate(clips)}
    uneven = replace(context, features=InMemoryFeatures(arrays))
    extractor = fitted(files, clips, uneven)
    assert extractor.facts["samples"] == 7000
    alone = extractor.embed(blind(clips)[2:3], replace(uneven, training=None))
    together = extractor.embed(blind(clips), replace(uneven, training=None))
    np.testing.assert_allclose(together[2:3], alone, atol=1e-5)
