"""SimCLR's training through the harness's data path, against the bare network on random numbers of the same shape.

Both with the same threads, optimizer and memory layout; seconds of a step of the second epoch from its first step on:
before it the state of the training is written, which takes a fiftieth of the time of a usual training at most.
``python benchmarks/simclr_training.py [threads] [seconds of a clip] [rounds]``; 0 seconds are whole clips, of 4 s.
"""

import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path

import torch
from own_data import StepTimes, fitting, made
from timing import tell

import asdbench
from asdbench.extractors.training import reproducible

THREADS, CROP_S, ROUNDS = (
    kind(sys.argv[place]) if sys.argv[place:] else usual
    for place, kind, usual in ((1, int, 1), (2, float, 0.5), (3, int, 5))
)
PAIRS, STEPS = 24, 4

with tempfile.TemporaryDirectory() as place:
    folder, steps = Path(place), StepTimes(time.perf_counter)
    table = made(folder, machines=["fan"], train_source=PAIRS * STEPS - 8, train_target=8, test=4)
    clips = table.training_view()
    context = fitting(table, folder, steps)
    frames = round(CROP_S * context.frame_rate_hz) or context.features.shape(clips[0].key)[-1]
    torch.set_num_threads(THREADS)
    with reproducible(0):
        network = asdbench.build("simclr").begin(channels=1).to(memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(network.parameters())
    batch = torch.randn(2 * PAIRS, 1, 128, frames).contiguous(memory_format=torch.channels_last)

    def fit() -> float:
        """Seconds of a step of the extractor."""
        steps.times.clear()
        shutil.rmtree(folder / "checkpoints", ignore_errors=True)
        asdbench.build("simclr", epochs=2, crop_s=CROP_S, batch_size=PAIRS).fit(clips, context)
        return (steps.times[-1] - steps.times[STEPS]) / (STEPS - 1)

    def bare() -> float:
        """Seconds of a step of the network alone."""
        started = time.perf_counter()
        for _ in range(STEPS):
            optimizer.zero_grad()
            network(batch).square().mean().backward()
            optimizer.step()
        return (time.perf_counter() - started) / STEPS

    bare()
    pairs = [(fit(), bare()) for _ in range(ROUNDS)]
    measured, reference = (statistics.median(column) for column in zip(*pairs, strict=True))
    tell(
        f"a SimCLR step on {2 * PAIRS} x 128 x {frames}, {THREADS} thread(s), against the bare network",
        measured,
        reference,
        statistics.median(first / second for first, second in pairs),
        at_most=1.1,
    )
