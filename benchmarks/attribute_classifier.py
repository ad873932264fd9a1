"""The attribute classifier's training against a plain PyTorch loop with the same network: time and peak memory.

ASDKit's multi-resolution network (spectrum and spectrograms of 256, 1024 and 4096 samples, squeeze and excitation) on
64 clips of 10 s a step. The plain loop has torch's own layers in torch's own memory layout; a test of the package shows
that both compute the same. Two processes at once, each on a core of its own, which they swap; peak resident size is of
the whole process. ``python benchmarks/attribute_classifier.py [steps] [clips]``.
"""

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path

from timing import tell

BRANCHES = ["spectrum", "stft-256", "stft-1024", "stft-4096"]
SAMPLES, RATE_HZ, CLASSES, DIM = 160_000, 16_000, 20, 128


def waveforms(clips: int):
    """Noise in as many clips."""
    import numpy as np

    return np.random.default_rng(0).standard_normal((clips, 1, 1, SAMPLES), dtype=np.float32)


def ours(steps: int, clips: int) -> list[float]:
    """Seconds of each step of the extractor, the first one left out."""
    from own_data import StepTimes

    import asdbench
    from asdbench.datasets import TrainingClip
    from asdbench.extractors import Context
    from asdbench.extractors.base import Training
    from asdbench.frontends.decoding import TrainingWaveforms
    from asdbench.frontends.pack import InMemoryFeatures

    steps_done = StepTimes(time.process_time)
    table = [TrainingClip(f"{n:04d}", f"machine {n % CLASSES}", "00", "source", ()) for n in range(clips)]
    features = InMemoryFeatures(dict(zip((clip.key for clip in table), waveforms(clips), strict=True)))
    with tempfile.TemporaryDirectory() as place:
        folder, frontend = Path(place), asdbench.build("waveform")
        training = Training(
            TrainingWaveforms({}, frontend),
            frontend,
            {},
            "benchmark",
            folder,
            folder,
        )
        extractor = asdbench.build(
            "attribute-classifier",
            branches=BRANCHES,
            squeeze=True,
            trainable_centres=True,
            batch_size=clips,
            epochs=steps + 1,
            pseudo_classes=1,
        )
        extractor.fit(table, Context(0, "cpu", 1, steps_done, features, float(RATE_HZ), training))
    return [after - before for before, after in pairwise(steps_done.times)]


def plain(steps: int, clips: int) -> list[float]:
    """The same of a loop as one writes it."""
    import torch
    from torch import nn

    from asdbench.extractors.classification.branches import STAGES, SpectrumBranch, Squeeze
    from asdbench.extractors.classification.margin_losses import SubClusterAdaCos

    class Residual(nn.Module):
        def __init__(self, inputs: int, outputs: int, stride: int) -> None:
            super().__init__()
            self.first = nn.BatchNorm2d(inputs, affine=False)
            self.rest = nn.Sequential(
                nn.ReLU(),
                nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False),
                nn.BatchNorm2d(outputs, affine=False),
                nn.ReLU(),
                nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False),
                Squeeze(outputs),
            )
            skip = nn.Sequential(nn.MaxPool2d(3, 2, 1), nn.Conv2d(inputs, outputs, 1, bias=False))
            self.skip = skip if stride > 1 else nn.Identity()

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            images = self.first(images)
            return self.skip(images) + self.rest(images)

    class Branch(nn.Module):
        def __init__(self, n_fft: int) -> None:
            super().__init__()
            self.n_fft, self.lowest = n_fft, -(-200 * n_fft // RATE_HZ)
            self.register_buffer("window", torch.hann_window(n_fft))
            bins, before, blocks = n_fft // 2 + 1 - self.lowest, STAGES[0][0], []
            for channels, stride in STAGES:
                blocks += [Residual(before, channels, stride), Residual(channels, channels, 1)]
                before = channels
            self.bins = nn.BatchNorm1d(bins, affine=False)
            self.network = nn.Sequential(
                nn.Conv2d(1, 16, 7, 2, 3, bias=False),
                nn.BatchNorm2d(16, affine=False),
                nn.ReLU(),
                nn.MaxPool2d(3, 2, 1),
                *blocks,
            )
            self.dense = nn.Sequential(
                nn.Flatten(),
                nn.BatchNorm1d(128 * -(-bins // 32), affine=False),
                nn.Linear(128 * -(-bins // 32), DIM, bias=False),
            )

        def forward(self, clips: torch.Tensor) -> torch.Tensor:
            spectra = torch.stft(
                clips, self.n_fft, self.n_fft // 2, window=self.window, center=False, return_complex=True
            )
            magnitudes = spectra.abs()[:, self.lowest :]
            magnitudes = magnitudes - magnitudes.mean(2, keepdim=True)
            return self.dense(self.network(self.bins(magnitudes)[:, None]).amax(3))

    torch.manual_seed(0)
    branches = nn.ModuleList([SpectrumBranch(SAMPLES, True, DIM), *(Branch(n_fft) for n_fft in (256, 1024, 4096))])
    loss = SubClusterAdaCos(DIM * len(branches), CLASSES, 16, trainable=True)
    optimizer = torch.optim.Adam([*branches.parameters(), *loss.parameters()])
    sounds = torch.from_numpy(waveforms(clips))[:, 0, 0]
    labels = nn.functional.one_hot(torch.arange(clips) % CLASSES, CLASSES).float()
    taken = []
    for _ in range(steps + 1):
        started = time.process_time()
        share, partner = torch.rand(clips, 1), torch.randperm(clips)
        batch, wanted = share * sounds + (1 - share) * sounds[partner], share * labels + (1 - share) * labels[partner]
        value = loss(torch.cat([branch(batch) for branch in branches], 1), wanted)
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        taken.append(time.process_time() - started)
    return taken[1:]


def child(name: str, steps: int, clips: int) -> None:
    """Measure one of them and print it."""
    import torch

    torch.set_num_threads(1)
    taken = (ours if name == "ours" else plain)(steps, clips)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"step_s": statistics.median(taken), "peak_mib": peak}))


def both(steps: int, clips: int, cores: list[int]) -> list[dict[str, float]]:
    """Both at once, each on a core."""
    processes = [
        subprocess.Popen(
            ["taskset", "-c", str(core), sys.executable, __file__, str(steps), str(clips), name],
            stdout=subprocess.PIPE,
            text=True,
        )
        for name, core in zip(("ours", "plain"), cores, strict=True)
    ]
    return [json.loads(process.communicate()[0].splitlines()[-1]) for process in processes]


if __name__ == "__main__":
    given = [int(word) for word in sys.argv[1:3]]
    steps, clips = (given + [2, 64][len(given) :])[:2]
    if sys.argv[3:]:
        child(sys.argv[3], steps, clips)
        sys.exit()
    cores = sorted(os.sched_getaffinity(0))[:2]
    rounds = [both(steps, clips, order) for order in (cores, cores[::-1])]
    for key, what, unit in (("step_s", "a step", "s"), ("peak_mib", "peak memory", "MiB")):
        first, second = (statistics.median(pair[place][key] for pair in rounds) for place in (0, 1))
        ratio = statistics.median(pair[0][key] / pair[1][key] for pair in rounds)
        tell(
            f"multi-resolution classifier, {what} of {clips} clips of 10 s, against a plain loop",
            first,
            second,
            ratio,
            unit,
        )
