import copy
import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch.nn.functional import mse_loss
from torch.utils.data import DataLoader

import asdbench
from asdbench.core.digests import derive_seed
from asdbench.core.errors import TrainingError
from asdbench.core.threads import torch_threads
from asdbench.extractors import stacked
from asdbench.extractors.autoencoder import Autoencoder, Network, Vectors
from asdbench.extractors.selective_mahalanobis import Scatter, inverse, paper_score, program_score
from asdbench.extractors.training import reproducible

QUICK = {"epochs": 2, "hidden_layers": 1, "hidden_dim": 16}


def fitted(table, context, **params):
    extractor = asdbench.build("autoencoder", **{**QUICK, **params})
    extractor.fit(table.select(machines=["fan"]).training_view(), context)
    return extractor


def test_the_network_is_the_official_one():
    network = Network(640, 128, 4, 8)
    dense = [part for part in network.layers if isinstance(part, torch.nn.Linear)]
    widths = [640, 128, 128, 128, 128, 8, 128, 128, 128, 128, 640]
    assert [(part.in_features, part.out_features) for part in dense] == list(pairwise(widths))
    kinds = [type(part).__name__ for part in network.layers]
    assert kinds == ["Linear", "BatchNorm1d", "ReLU"] * 9 + ["Linear"]
    expected = sum(a * b + b for a, b in pairwise(widths)) + 2 * sum(widths[1:-1])
    assert sum(parameter.numel() for parameter in network.parameters()) == expected == 267_928


def test_vectors_are_consecutive_frames_and_know_their_clip(table, make_context):
    context = make_context()
    keys = [clip.key for clip in table.training_view()[:3]]
    vectors = Vectors(keys, 5, context)
    expected, owners = [], []
    for number, key in enumerate(keys):
        frames = np.asarray(context.features[key])[0].T
        for start in range(len(frames) - 4):
            expected.append(np.concatenate([frames[start + offset] for offset in range(5)]))
            owners.append(number)
    assert len(vectors) == len(expected)
    assert np.array_equal(vectors[np.arange(len(vectors))].numpy(), np.stack(expected))
    assert vectors.clip_of.tolist() == owners
    assert np.array_equal(vectors[np.array([7, 2])].numpy(), np.stack([expected[7], expected[2]]))


def test_scores_are_those_of_a_loop_written_from_the_definition(table, make_context):
    context = make_context()
    blind = table.select(machines=["fan"]).blind_view()
    clips = table.select(machines=["fan"]).training_view()
    found = {}
    for score in ("mse", "mahalanobis-code", "mahalanobis-paper"):
        extractor = fitted(table, context, score=score, held_out=0.0, batch_size=65536)
        found[score] = extractor.embed(blind, replace(context, training=None))
        assert found[score].shape == (len(blind), 1)
    network = extractor.network.eval()

    def residuals(key):
        frames = np.asarray(context.features[key])[0].T
        rows = []
        for start in range(len(frames) - 4):
            vector = torch.from_numpy(frames[start : start + 5].reshape(1, -1))
            with torch.no_grad():
                rows.append((vector - network(vector)).numpy().reshape(5, 128))
        return np.array(rows, np.float64)  # (vectors, 5, 128)

    code, paper = {}, {}
    for domain in ("source", "target"):
        vectors = np.concatenate([residuals(clip.key) for clip in clips if clip.domain == domain])
        frames = vectors.reshape(-1, 128)
        centred = frames - frames.mean(axis=0)  # all vectors lie in one batch here
        code[domain] = np.linalg.inv(centred.T @ centred / (len(vectors) - 1))
        paper[domain] = np.linalg.inv(np.cov(frames, rowvar=False))
    for place, clip in enumerate(blind):
        left = residuals(clip.key)
        frames = left.reshape(-1, 128)
        mean = frames.mean(axis=0)
        by_frame = [[frame @ paper[domain] @ frame for domain in paper] for frame in frames]
        assert found["mse"][place, 0] == pytest.approx(np.mean(left**2), rel=1e-4)
        assert found["mahalanobis-code"][place, 0] == pytest.approx(min(mean @ code[d] @ mean for d in code), rel=1e-3)
        assert found["mahalanobis-paper"][place, 0] == pytest.approx(np.mean(np.min(by_frame, axis=1)), rel=1e-3)


def test_a_straightforward_loop_over_stacked_vectors_gives_the_same_losses_and_scores(table, make_context):
    """torch's own optimizer and loader, the vectors stacked beforehand, one clip after the other scored."""
    context = make_context()
    clips, blind = table.select(machines=["fan"]).training_view(), table.select(machines=["fan"]).blind_view()
    extractor = fitted(table, context, held_out=0.0, batch_size=64)
    found = extractor.embed(blind, replace(context, training=None))

    def stacked(key):
        frames = np.asarray(context.features[key])[0].T
        return [torch.from_numpy(frames[start : start + 5].reshape(-1)) for start in range(len(frames) - 4)]

    vectors = [vector for key in sorted(clip.key for clip in clips) for vector in stacked(key)]
    kept = np.random.default_rng(derive_seed(0, "held out")).permutation(len(vectors))
    losses = []

    def loaded(epoch):
        order = np.random.default_rng(derive_seed(0, "order", epoch)).permutation(kept)
        order = order[: len(order) - (len(order) % 64 == 1)]
        return DataLoader(vectors, batch_size=64, sampler=order.tolist())

    with reproducible(0), torch_threads(1):
        network = Network(640, 16, 1, 8)
        optimizer = torch.optim.Adam(network.parameters(), lr=0.001)
        for epoch in range(2):
            values = []
            for batch in loaded(epoch):
                loss = mse_loss(network(batch), batch)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                values.append(loss.item())
            losses.append(sum(values) / len(values))
    assert extractor.curves["loss"] == pytest.approx(losses, rel=1e-6)
    torch.optim.swa_utils.update_bn(loaded(2), network)
    weights = {name: value for name, value in network.state_dict().items() if value.dim() == 2}
    for name, value in weights.items():  # biases before batch normalisation have no gradient but rounding errors
        assert (value - extractor.network.state_dict()[name]).norm() <= 1e-3 * value.norm(), name
    network.eval()
    with torch.no_grad():
        batches = [torch.stack(stacked(clip.key)) for clip in blind]
        scores = [mse_loss(network(batch), batch).item() for batch in batches]
    assert found[:, 0] == pytest.approx(scores, rel=1e-4)


def together(table, make_context, tmp_path, seeds, jobs=1, **params):
    """One extractor for each seed, the second with fewer clips, fitted in one training."""
    contexts = [replace(make_context(seed, checkpoints=tmp_path / f"{seed}"), jobs=jobs) for seed in seeds]
    clips = [table.select(machines=["fan"]).training_view()[: 20 - 7 * (seed == 1)] for seed in seeds]
    extractors = [asdbench.build("autoencoder", **{**QUICK, **params}) for _ in seeds]
    return extractors, Autoencoder.fit_together(extractors, clips, contexts)


@pytest.mark.parametrize("jobs", [1, 2])
def test_networks_trained_together_are_to_the_bit_what_they_are_alone(table, make_context, tmp_path, jobs):
    """With other numbers of vectors, and so of steps, on one thread or two."""
    several, errors = together(table, make_context, tmp_path / "several", range(4), jobs)
    assert errors == [None] * 4
    for seed, extractor in enumerate(several):
        (alone,), _ = together(table, make_context, tmp_path / "alone", [seed])
        assert extractor.curves == alone.curves
        assert extractor.learning == alone.learning
        for name, value in alone.network.state_dict().items():
            assert torch.equal(value, extractor.network.state_dict()[name]), name


def test_trainings_together_that_are_killed_go_on_each_from_its_own_state(table, make_context, tmp_path, cut_off_after):
    whole, _ = together(table, make_context, tmp_path / "whole", range(3), epochs=4)
    with pytest.raises(KeyboardInterrupt), cut_off_after(2):
        together(table, make_context, tmp_path / "killed", range(3), epochs=4)
    resumed, errors = together(table, make_context, tmp_path / "killed", range(3), epochs=4)
    assert errors == [None] * 3
    for one, other in zip(whole, resumed, strict=True):
        assert one.curves == other.curves
        assert all(
            torch.equal(one.network.state_dict()[name], value) for name, value in other.network.state_dict().items()
        )


def test_of_trainings_together_one_that_fails_disturbs_no_other(table, make_context, tmp_path):
    contexts = [make_context(checkpoints=tmp_path / f"{number}") for number in range(2)]
    fan = table.select(machines=["fan"]).training_view()
    silent = replace(contexts[0], features=Constant(contexts[0].features, math.nan))
    extractors = [asdbench.build("autoencoder", **QUICK) for _ in range(2)]
    failed, fine = Autoencoder.fit_together(extractors, [fan, fan], [silent, contexts[1]])
    assert isinstance(failed, TrainingError)
    assert "stopped in epoch 1: the loss is nan" in str(failed)
    assert fine is None
    assert extractors[1].curves == fitted(table, make_context(checkpoints=tmp_path / "2")).curves


class Constant:
    """Features that are all the same number."""

    def __init__(self, features, number):
        self._features, self._number = features, number

    def __getitem__(self, key):
        return np.full_like(self._features[key], self._number)

    def shape(self, key):
        return self._features.shape(key)


def test_a_stacked_pass_is_that_of_each_network(make_context):
    """Result, gradients and running statistics, against the layers themselves."""
    with reproducible(0):
        networks = [Network(12, 6, 2, 3).train() for _ in range(3)]
        inputs = torch.randn(3, 7, 12)
    copies = copy.deepcopy(networks)
    outputs = stacked.forward([network.layers for network in networks], inputs)
    outputs.square().sum().backward()
    for network, twin, batch, output in zip(networks, copies, inputs, outputs, strict=True):
        expected = twin(batch)
        expected.square().sum().backward()
        assert torch.allclose(output, expected, atol=1e-6)
        for (name, one), other in zip(network.named_parameters(), twin.parameters(), strict=True):
            assert torch.allclose(one.grad, other.grad, atol=1e-4, rtol=1e-4), name
        for (name, one), other in zip(network.named_buffers(), twin.buffers(), strict=True):
            assert torch.allclose(one, other, atol=1e-6), name


def test_the_programs_score_is_the_mean_of_its_full_matrix():
    """The official program averages all entries of R P R^T, which is the distance of the mean residual."""
    generator = torch.Generator().manual_seed(0)
    rows = torch.randn(30, 4, generator=generator, dtype=torch.float64) + 0.5
    factors = torch.randn(2, 4, 4, generator=generator, dtype=torch.float64)
    precisions = [factor @ factor.T for factor in factors]
    expected = min(float((rows @ precision @ rows.T).mean()) for precision in precisions)
    assert float(program_score(rows, precisions)) == pytest.approx(expected, rel=1e-9)
    each = torch.stack([(rows @ precision @ rows.T).diagonal() for precision in precisions])
    assert float(paper_score(rows, precisions)) == pytest.approx(float(each.min(dim=0).values.mean()), rel=1e-9)


def test_covariances_gathered_in_batches():
    generator = torch.Generator().manual_seed(0)
    batches = [torch.randn(size, 5, 3, generator=generator) * 2 + 1 for size in (4, 7, 1)]
    scatter = Scatter(3)
    for batch in batches:
        scatter.add(batch)
    scatter.add(torch.zeros(0, 5, 3))
    rows = torch.cat(batches).flatten(0, 1).double()
    assert torch.allclose(scatter.paper(), torch.cov(rows.T))
    within = sum(torch.cov(batch.flatten(0, 1).double().T, correction=0) * 5 * len(batch) for batch in batches)
    assert torch.allclose(scatter.program(), within / 11)


def test_a_singular_covariance_is_inverted_where_it_can_be():
    covariance = torch.diag(torch.tensor([4.0, 1.0, 0.0], dtype=torch.float64))
    precision, rank = inverse(covariance)
    assert rank == 2
    assert torch.allclose(precision, torch.diag(torch.tensor([0.25, 1.0, 0.0], dtype=torch.float64)))


def test_scores_share_one_network_and_save_keeps_all(table, make_context, tmp_path):
    context = make_context()
    blind, reader = table.select(machines=["fan"]).blind_view(), replace(context, training=None)
    extractor = fitted(table, context, score="mahalanobis-code")
    (tmp_path / "saved").mkdir()
    extractor.save(tmp_path / "saved")
    for score in ("mse", "mahalanobis-code", "mahalanobis-paper"):
        loaded = asdbench.build("autoencoder", **QUICK, score=score)
        loaded.load(tmp_path / "saved")
        rows = loaded.embed(blind, reader)
        assert np.isfinite(rows).all()
        if score == "mahalanobis-code":
            assert np.array_equal(rows, extractor.embed(blind, reader))
    assert len(extractor.curves["validation_loss"]) == 2
    assert extractor.curves["loss"][1] < extractor.curves["loss"][0]


def test_without_target_clips_the_source_covariance_stands_alone(table, make_context):
    context = make_context()
    clips = [clip for clip in table.select(machines=["fan"]).training_view() if clip.domain == "source"]
    extractor = asdbench.build("autoencoder", **QUICK, score="mahalanobis-code")
    extractor.fit(clips, context)
    assert extractor.notes == ["fan: no target clips to train on; selective Mahalanobis knows one domain only"]
    assert np.isfinite(extractor.embed(table.blind_view()[:2], replace(context, training=None))).all()


def test_clips_shorter_than_a_vector_are_refused(table, make_context):
    with pytest.raises(TrainingError, match=r"stacks 64 frames, and a clip has 32.*-p autoencoder\.frames=32"):
        fitted(table, make_context(), frames=64)


def test_a_training_set_smaller_than_a_batch_is_one_batch(table, make_context):
    extractor = fitted(table, make_context(), batch_size=65536, epochs=1)
    assert len(extractor.curves["loss"]) == 1
