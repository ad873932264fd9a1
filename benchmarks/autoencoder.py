"""The autoencoder, trained and then scoring a test set, against a straightforward loop over stacked frames.

The loop is as people write it: a data set of stacked vectors, torch's loader and Adam, a forward pass for every test
file. Batches, initial weights and arithmetic are the same, and so must be the losses, and the scores of one network;
that is checked. Both have one machine type of ``synthetic``, and what is imported once for a process (torch's Adam
imports a compiler) does not count. ``python benchmarks/autoencoder.py [threads] [epochs]``.
"""

import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from own_data import fitting, made
from timing import tell
from torch.nn.functional import mse_loss
from torch.utils.data import DataLoader, Dataset

import asdbench
from asdbench.core.digests import derive_seed
from asdbench.extractors.autoencoder import Network
from asdbench.extractors.base import Context
from asdbench.extractors.training import reproducible

THREADS, EPOCHS = (int(sys.argv[1]) if sys.argv[1:] else 1), (int(sys.argv[2]) if sys.argv[2:] else 6)
FRAMES, BATCH, ROUNDS = 5, 256, 5


class Stacked(Dataset[np.ndarray]):
    """Vectors of five frames each, as the official program stacks them."""

    def __init__(self, context: Context, keys: list[str]) -> None:
        parts = []
        for key in keys:
            frames = np.asarray(context.features[key])[0].T
            count = len(frames) - FRAMES + 1
            parts.append(np.concatenate([frames[start : start + count] for start in range(FRAMES)], axis=1))
        self._vectors = np.concatenate(parts)

    def __len__(self) -> int:
        return len(self._vectors)

    def __getitem__(self, place: int) -> np.ndarray:
        return self._vectors[place]


def loop(context: Context, keys: list[str], tests: list[str], lap: Callable[[], None]) -> list[float]:
    """Mean loss of each epoch, and scores that are thrown away, written straightforwardly."""
    data = Stacked(context, keys)
    held_out, kept = np.split(
        np.random.default_rng(derive_seed(0, "held out")).permutation(len(data)), [round(0.1 * len(data))]
    )

    def shuffled(epoch: int) -> Iterator[torch.Tensor]:
        order = np.random.default_rng(derive_seed(0, "order", epoch)).permutation(kept)
        yield from DataLoader(data, BATCH, sampler=order.tolist())

    with reproducible(0):
        network = Network(FRAMES * 128, 128, 4, 8)
        optimizer = torch.optim.Adam(network.parameters(), lr=0.001)
        losses = []
        for epoch in range(EPOCHS):
            network.train()
            values = []
            for batch in shuffled(epoch):
                loss = mse_loss(network(batch), batch)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                values.append(loss.item())
            losses.append(sum(values) / len(values))
            network.eval()
            with torch.no_grad():
                for batch in DataLoader(data, BATCH, sampler=held_out.tolist()):
                    mse_loss(network(batch), batch).item()
        torch.optim.swa_utils.update_bn(shuffled(EPOCHS), network)
        network.eval()
    lap()
    scores_of(network, context, tests)
    lap()
    return losses


def scores_of(network: torch.nn.Module, context: Context, tests: list[str]) -> list[float]:
    """Of each test clip by a trained network, written straightforwardly."""
    scores = []
    for key in tests:
        with torch.no_grad():
            batch = torch.from_numpy(Stacked(context, [key])._vectors)
            scores.append(mse_loss(network(batch), batch).item())
    return scores


def products(vectors: int) -> float:
    """Seconds that the training's matrix products take alone, for so many vectors trained on in an epoch.

    No loop with the same arithmetic on the same threads is faster.
    """
    network = Network(FRAMES * 128, 128, 4, 8)
    weights = [part.weight.detach() for part in network.layers if isinstance(part, torch.nn.Linear)]
    inputs = [torch.randn(BATCH, weight.shape[1]) for weight in weights]
    gradients = [torch.randn(BATCH, weight.shape[0]) for weight in weights]
    started = time.perf_counter()
    for _ in range(EPOCHS * vectors // BATCH):
        for number, (weight, given, gradient) in enumerate(zip(weights, inputs, gradients, strict=True)):
            given @ weight.T
            gradient.T @ given
            if number:
                gradient @ weight
    return time.perf_counter() - started


with tempfile.TemporaryDirectory() as place:
    table = made(Path(place), machines=["fan"])
    context = replace(fitting(table, Path(place)), training=None)
    clips, blind = table.training_view(), table.select(split="test").blind_view()
    keys, tests = sorted(clip.key for clip in clips), [clip.key for clip in blind]
    torch.set_num_threads(THREADS)

    def ours(lap: Callable[[], None]) -> list[float]:
        """The same by the extractor, whose scores are compared."""
        extractor = asdbench.build("autoencoder", epochs=EPOCHS, batch_size=BATCH)
        extractor.fit(clips, context)
        lap()
        scores = extractor.embed(blind, context)[:, 0].tolist()
        lap()
        np.testing.assert_allclose(scores, scores_of(extractor.network, context, tests), rtol=1e-4)
        return list(extractor.curves["loss"])

    def timed(function: Callable[[Callable[[], None]], list[float]]) -> list[float]:
        """Seconds for the training, for the scoring and for both."""
        laps = [time.perf_counter()]
        results.append(function(lambda: laps.append(time.perf_counter())))
        return [laps[1] - laps[0], laps[2] - laps[1], laps[2] - laps[0]]

    results: list[list[float]] = []
    trained_on = round(0.9 * len(Stacked(context, keys)))
    rounds = []
    for _ in range(ROUNDS + 1):
        one, other = timed(ours), timed(lambda lap: loop(context, keys, tests, lap))
        rounds.append((one, other, products(trained_on)))
    rounds = rounds[1:]  # the first was to warm up
    for losses in results:
        # Sums in another order are equal in the first epoch; what is left of them grows with every update of Adam's,
        # so that two networks score anomalous clips, which neither has learned, quite differently in the end.
        np.testing.assert_allclose(losses[0], results[0][0], rtol=1e-3, err_msg="the losses are those of the loop")
        np.testing.assert_allclose(losses, results[0], rtol=0.03, err_msg="the losses are those of the loop")
    columns = {
        "training": [(one[0], other[0]) for one, other, _ in rounds],
        f"{len(tests)} test clips": [(one[1], other[1]) for one, other, _ in rounds],
        "the matrix products of the training alone": [(alone, other[0]) for _, other, alone in rounds],
        "training and test": [(one[2], other[2]) for one, other, _ in rounds],
    }
    for name, pairs in columns.items():
        first, second = (statistics.median(column) for column in zip(*pairs, strict=True))
        tell(
            f"the autoencoder against a plain loop, {EPOCHS} epochs on {len(keys)} clips, {THREADS} thread(s): {name}",
            first,
            second,
            statistics.median(a / b for a, b in pairs),
            at_most=1 / 3 if name == "training and test" else None,
        )
