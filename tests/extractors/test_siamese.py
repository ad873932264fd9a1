from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch

import asdbench
from asdbench.core.digests import derive_seed
from asdbench.core.errors import TrainingError, UsageError
from asdbench.datasets import BlindClip
from asdbench.extractors.pairs import classes_of, draw_pairs, split_clips
from asdbench.extractors.siamese import Siamese, Twin

QUICK = {"epochs": 2, "batch_size": 16}
PAPER = {
    "conv_layers": 2,
    "filters": 4,
    "kernel": 5,
    "padding": "same",
    "pool": 2,
    "batch_norm": False,
    "features": 64,
    "activation": "tanh",
    "head": "distance",
}


@pytest.fixture
def context(make_context, tmp_path):
    def make(**more):
        return make_context(frontend="mel-image", spectrogram="64x64", image=32, **more)

    return make


def clips_of(table, machine="fan"):
    """Training clips with their speed as the only attribute, so that classes have several clips."""
    return [replace(clip, attributes=clip.attributes[:1]) for clip in table.select(machines=[machine]).training_view()]


@pytest.mark.parametrize(
    ("layers", "count"),
    [
        (1, 104 + 4 * 64 * 64 * 64 + 64),
        (2, 104 + 404 + 4 * 32 * 32 * 64 + 64),
        (3, 104 + 2 * 404 + 4 * 16 * 16 * 64 + 64),
    ],
)
def test_the_encoder_has_the_papers_layers(layers, count):
    twin = Twin((1, 128, 128), **{**PAPER, "conv_layers": layers})
    assert sum(parameter.numel() for parameter in twin.parameters()) == count
    convolutions = [part for part in twin.encoder if isinstance(part, torch.nn.Conv2d)]
    assert [(part.out_channels, part.kernel_size) for part in convolutions] == [(4, (5, 5))] * layers
    followers = [type(after) for part, after in pairwise(twin.encoder) if part in convolutions]
    assert followers == [torch.nn.Tanh] * layers
    assert twin(torch.randn(3, 1, 128, 128)).shape == (3, 64)


@pytest.mark.parametrize("jobs", [1, 2])
def test_networks_trained_together_are_to_the_bit_what_they_are_alone(table, context, tmp_path, jobs):
    def fitted(place, seeds):
        contexts = [replace(context(seed=seed, checkpoints=tmp_path / place / f"{seed}"), jobs=jobs) for seed in seeds]
        extractors = [asdbench.build("siamese", **QUICK) for _ in seeds]
        assert Siamese.fit_together(extractors, [clips_of(table)] * len(seeds), contexts) == [None] * len(seeds)
        return extractors

    for seed, extractor in enumerate(fitted("together", range(3))):
        (alone,) = fitted("alone", [seed])
        assert extractor.curves == alone.curves
        for name, value in alone.network.state_dict().items():
            assert torch.equal(value, extractor.network.state_dict()[name]), name


def test_distance_is_euclidean_between_the_twins_outputs():
    twin = Twin((1, 32, 32), **PAPER).eval()
    first, second = torch.randn(2, 5, 1, 32, 32)
    expected = (twin(first) - twin(second)).square().sum(1).sqrt()
    assert torch.allclose(twin.distance(twin(first), twin(second)), expected, atol=1e-4)
    dense = Twin((1, 32, 32), **{**PAPER, "head": "dense"}).eval()
    told = dense.distance(dense(first), dense(second))
    assert ((told > 0) & (told < 1)).all()


def test_it_learns_and_the_seed_decides(table, context, tmp_path):
    clips, blind = clips_of(table), table.select(machines=["fan"]).blind_view()

    def fitted(seed, name):
        extractor = asdbench.build("siamese", **{**QUICK, "epochs": 12})
        extractor.fit(clips, context(seed=seed, checkpoints=tmp_path / name))
        return extractor

    first, reader = fitted(0, "a"), replace(context(), training=None)
    rows = first.embed(blind, reader)
    assert rows.shape == (len(blind), 64)
    assert rows.dtype == np.float32
    assert first.curves["loss"][-1] < 0.5 * first.curves["loss"][0]
    assert len(first.curves["validation_pair_accuracy"]) == 12
    assert all(0 <= value <= 1 for value in first.curves["validation_pair_accuracy"])
    assert any("validation clips are classified correctly" in note for note in first.notes)
    assert not np.allclose(rows, fitted(1, "c").embed(blind, reader))


def held_out_of(table, context, part):
    """Keys that a fit keeps out, drawn as it draws them."""
    labels = classes_of(clips_of(table))
    return split_clips(labels, part, np.random.default_rng(derive_seed(context.seed, "pairs")))[1]


def test_the_network_standardises_over_the_clips_that_it_trains_on(table, context):
    given = context()
    extractor = asdbench.build("siamese", **QUICK)
    extractor.fit(clips_of(table), given)
    left_out = held_out_of(table, given, 0.2)
    assert left_out
    values = np.stack([given.features[clip.key] for clip in clips_of(table) if clip.key not in left_out])
    assert float(extractor.network.mean) == pytest.approx(values.mean(), rel=1e-4)
    assert float(extractor.network.std) == pytest.approx(values.std(), rel=1e-4)


def test_pair_accuracy_is_that_of_a_loop_over_the_embeddings(table, context):
    given = context()
    extractor = asdbench.build("siamese", **{**QUICK, "epochs": 4})
    extractor.fit(clips_of(table), given)
    rng = np.random.default_rng(derive_seed(given.seed, "pairs"))
    kept, left_out = split_clips(classes_of(clips_of(table)), 0.2, rng)
    draw_pairs(kept, {}, (2, 4), 0.67, rng)
    pairs = draw_pairs(left_out, {}, (2, 4), 0.67, rng)
    blind = [BlindClip(key, "fan", "00") for key in left_out]
    rows = dict(zip(left_out, extractor.embed(blind, replace(given, training=None)), strict=True))
    right = 0
    for pair in pairs:
        distance = float(np.linalg.norm(rows[pair.first] - rows[pair.second]))
        right += (left_out[pair.first] != left_out[pair.second]) == (distance > 0.5)
    assert extractor.curves["validation_pair_accuracy"][-1] == pytest.approx(right / len(pairs))


def test_without_validation_there_is_no_pair_accuracy_and_the_notes_say_so(table, context):
    extractor = asdbench.build("siamese", **QUICK, validation=0.0)
    extractor.fit(clips_of(table), context())
    assert set(extractor.curves) == {"loss"}
    assert any("no pair accuracy" in note for note in extractor.notes)


@pytest.mark.parametrize("choice", [{"head": "dense"}, {"redraw": True}, {"padding": "valid"}, {"activation": "none"}])
def test_other_readings_of_the_paper_train_too(table, context, choice):
    count = len(draw_pairs(classes_of(clips_of(table)), {}, (2, 4), 0.67, np.random.default_rng(0)))
    extractor = asdbench.build("siamese", epochs=2, batch_size=count - 1, validation=0.0, **choice)  # a lone last pair
    extractor.fit(clips_of(table), context())
    assert np.isfinite(extractor.curves["loss"]).all()


def test_one_class_takes_its_negatives_from_other_machine_types(table, context):
    clips = [replace(clip, attributes=()) for clip in clips_of(table)]
    extractor = asdbench.build("siamese", **QUICK)
    extractor.fit(clips, context(others=clips_of(table, "valve")))
    assert extractor.notes[0] == "fan has one class only, so its negative pairs come from the other machine types"


def test_one_class_and_nothing_else_says_what_is_missing(table, context):
    clips = [replace(clip, attributes=()) for clip in clips_of(table)]
    with pytest.raises(TrainingError, match=r"fan has one only.*\n.*no --machine.*with attributes"):
        asdbench.build("siamese", **QUICK).fit(clips, context())


def test_one_clip_makes_no_pair(table, context):
    with pytest.raises(TrainingError, match=r"a class with at least two clips.*fan has none \(1 clips"):
        asdbench.build("siamese", **QUICK).fit(clips_of(table)[:1], context(others=clips_of(table, "valve")))


def test_pairs_and_poolings_that_cannot_be_are_refused(table, context):
    with pytest.raises(UsageError, match=r"siamese\.pairs takes two whole numbers.*not 'three'"):
        asdbench.build("siamese", pairs="three")
    with pytest.raises(UsageError, match=r"leave nothing of a 32 x 32 image.*\n?.*siamese\.pool=1"):
        asdbench.build("siamese", **QUICK, conv_layers=3, pool=4).fit(clips_of(table), context())
