from dataclasses import replace

import numpy as np
import pytest
import torch
import torchvision

import asdbench
from asdbench.core.errors import TrainingError, UsageError
from asdbench.extractors.views import augmented_views

QUICK = {"backbone": "test_resnet", "epochs": 3, "crop_s": 0.25, "batch_size": 16}


def fitted(table, context, **params):
    extractor = asdbench.build("simclr", **{**QUICK, **params})
    extractor.fit(table.training_view(), context)
    return extractor


def test_views_are_two_of_each_kind_and_of_the_clips_shape(table, make_context):
    context = make_context()
    clips = table.training_view()
    views = augmented_views(clips, 2, context)
    for clip in clips:
        original = context.features[clip.key]
        assert views[clip.key].shape == (6, *original.shape)
        masked = views[clip.key][4:].astype(np.float32)
        kept = np.isclose(masked, original, atol=0.1).mean(axis=(1, 2, 3))
        assert (kept >= 0.5).all(), "a time mask leaves at least half of the clip as it is"


def test_the_network_is_the_papers():
    network = asdbench.build("simclr").begin(channels=1)
    shapes = [tuple(part.weight.shape) for part in network.head if hasattr(part, "weight")]
    assert shapes == [(512, 512), (128, 512)]
    assert sum(p.numel() for p in network.backbone.parameters()) == 11_170_240  # ResNet-18, one channel, no classes
    assert network(torch.randn(2, 1, 128, 64)).shape == (2, 128)
    assert network(torch.randn(2, 1, 128, 64), "backbone").shape == (2, 512)


@pytest.mark.parametrize("name", ["resnet18", "resnet50"])
def test_the_backbones_have_as_many_parameters_as_in_an_independent_library(name):
    theirs = getattr(torchvision.models, name)(weights=None)
    colour = theirs.conv1.weight.numel() * 2 // 3  # one channel in place of three
    expected = sum(p.numel() for p in theirs.parameters()) - sum(p.numel() for p in theirs.fc.parameters()) - colour
    network = asdbench.build("simclr", backbone=name).begin(channels=1)
    width = theirs.fc.in_features
    assert sum(p.numel() for p in network.backbone.parameters()) == expected
    assert sum(p.numel() for p in network.head.parameters()) == width * width + width + width * 128 + 128


def test_a_batch_larger_than_the_training_set_is_the_training_set(table, make_context):
    context = make_context()
    extractor = asdbench.build("simclr", **{**QUICK, "batch_size": 4096})
    keys = [clip.key for clip in table.training_view()]
    (batch,) = extractor._batches(0, keys, augmented_views(table.training_view(), 2, context), context)
    assert batch.shape[:-1] == (2 * len(keys), *context.features.shape(keys[0])[:-1])


def test_a_batch_holds_the_originals_and_then_a_copy_of_each_cut_at_one_place(table, make_context):
    context = make_context()
    keys = [clip.key for clip in table.training_view()]
    views = augmented_views(table.training_view(), 2, context)
    extractor = asdbench.build("simclr", **{**QUICK, "crop_s": 0.25})
    batches = list(extractor._batches(3, keys, views, context))
    rows = [pair for batch in batches for pair in zip(*batch.numpy().reshape(2, -1, *batch.shape[1:]), strict=True)]
    assert len(rows) == len(keys)
    seen = set()
    for original, copy in rows:
        frames = original.shape[-1]
        places = [
            (key, start)
            for key in keys
            for start in range(context.features.shape(key)[-1] - frames + 1)
            if np.array_equal(context.features[key][..., start : start + frames], original)
        ]
        ((key, start),) = places
        cuts = views[key][..., start : start + frames].astype(np.float32)
        assert any(np.array_equal(cut, copy) for cut in cuts)
        seen.add(key)
    assert seen == set(keys)


def test_it_learns_and_the_seed_decides(table, make_context, tmp_path):
    blind, clips = make_context(training=False), table.blind_view()[::9]
    first, other = (fitted(table, make_context(seed, checkpoints=tmp_path / str(seed))) for seed in (0, 1))
    rows = first.embed(clips, blind)
    assert rows.shape == (len(clips), 128)
    assert len(first.curves["loss"]) == 3
    assert first.curves["loss"][2] < first.curves["loss"][0]
    assert not np.allclose(rows, other.embed(clips, blind))


def test_an_unknown_backbone_names_the_nearest():
    with pytest.raises(UsageError, match=r"timm has no model 'resnet-18'\. Did you mean 'resnet"):
        asdbench.build("simclr", backbone="resnet-18")


def test_the_head_fits_backbones_whose_last_layer_is_wider_than_timm_says():
    assert asdbench.build("simclr", backbone="mobilenetv3_small_050").begin(channels=1).head[0].weight.shape == (
        1024,
        1024,
    )


def test_a_backbone_of_fixed_input_size_is_refused():
    with pytest.raises(UsageError, match="does not take spectrograms of any length"):
        asdbench.build("simclr", backbone="vit_tiny_patch16_224").begin(channels=1)


def test_one_clip_cannot_be_told_apart(table, make_context):
    with pytest.raises(TrainingError, match="at least two"):
        asdbench.build("simclr").fit(table.training_view()[:1], make_context())


def test_a_lone_clip_in_the_last_batch_is_left_out(table, make_context):
    clips = table.training_view()[:9]
    extractor = asdbench.build("simclr", **{**QUICK, "batch_size": 4, "epochs": 1})
    extractor.fit(clips, make_context())
    assert len(extractor.curves["loss"]) == 1


def test_the_learning_rate_of_half_a_unit_gives_finite_numbers(table, make_context):
    """0.5 is what the report prints for Adam."""
    context = make_context()
    extractor = fitted(table, context, learning_rate=0.5)
    assert np.isfinite(extractor.embed(table.blind_view()[::9], replace(context, training=None))).all()
    assert np.isfinite(extractor.curves["loss"]).all()
