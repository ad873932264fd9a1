"""Log-mel from WAV files in a warm page cache, against torchaudio on data in memory and librosa file by file.

asdbench's side is what a run does: decode, check, resample where needed, log-mel, write the memory-mapped pack to the
disk (fsync included). Hashing the recordings, which names the packs, is done once for a data set and is not in it.
torchaudio is given the waveforms in memory, in the batch size that is fastest here, and all cores; librosa two
processes that are warm, each working file by file as the official baseline does. All give levels in dB; asdbench's are
kept, theirs are thrown away.
"""

import argparse
import itertools
import math
import multiprocessing
import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:  # the processes that run librosa import this file, and need none of these
    import torch
    from torchaudio.transforms import MelSpectrogram

RATE_HZ = 16_000
SECONDS = 10
N_MELS = 128
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
HOP = 512


def librosa_clip(path: Path, n_fft: int) -> int:
    """Log-mel of one file in the official baseline's words; returns its number of frames."""
    import librosa

    samples, rate = librosa.load(path, sr=None, mono=True)
    mel = librosa.feature.melspectrogram(
        y=samples, sr=rate, n_fft=n_fft, hop_length=HOP, n_mels=N_MELS, power=2.0, pad_mode="reflect"
    )
    return int((20.0 / 2.0 * np.log10(np.maximum(mel, np.finfo(float).eps))).shape[1])


def recordings(place: Path, count: int, rate_hz: int) -> list[Path]:
    """Write clips of noise, 16 bit, into a data set's folder."""
    import soundfile

    random = np.random.default_rng(0)
    splits = ["train" if number % 2 else "test" for number in range(count)]
    paths = [
        place / "fan" / split / f"section_00_source_{split}_normal_{number:04d}_vel_1.wav"
        for number, split in enumerate(splits)
    ]
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, 0.1 * random.standard_normal(SECONDS * rate_hz), rate_hz, subtype="PCM_16")
    return paths


def best_batch(waveforms: "torch.Tensor", mel: "MelSpectrogram") -> int:
    """The batch size at which torchaudio is fastest; sizes take turns, medians of three."""
    sizes = [size for size in (1, 2, 4, 8, 16, 32, 64) if size <= len(waveforms)]
    times: dict[int, list[float]] = {size: [] for size in sizes}
    for _ in range(4):
        for size in sizes:
            started = time.perf_counter()
            torchaudio_log_mel(waveforms[:64], mel, size)
            times[size].append(time.perf_counter() - started)
    return min(sizes, key=lambda size: statistics.median(times[size][1:]))


def torchaudio_log_mel(waveforms: "torch.Tensor", mel: "MelSpectrogram", size: int) -> None:
    """Levels in dB of waveforms in memory, a batch at a time."""
    for batch in waveforms.split(size):
        mel(batch).clamp_min_(1e-12).log10_().mul_(10.0)


def main() -> None:
    """Print the ratios for windows of both seed papers and of the official baseline."""
    import soundfile
    import torch
    from timing import compare, skip
    from torchaudio.transforms import MelSpectrogram

    from asdbench.core.progress import Silent
    from asdbench.datasets import read_folder
    from asdbench.frontends import FeatureStore
    from asdbench.registry import load_catalog

    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--clips", type=int, default=256)
    options.add_argument("--rounds", type=int, default=5)
    chosen = options.parse_args()
    cores = min(2, os.cpu_count() or 1)
    torch.set_num_threads(cores)
    fresh = itertools.count()
    try:
        import librosa  # noqa: F401
    except ImportError:
        librosa_is_here = False
        skip("log-mel against librosa", "librosa is missing (pip install 'asdbench[bench]')")
    else:
        librosa_is_here = True
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        paths = recordings(place / "data", chosen.clips, RATE_HZ)
        table = read_folder(place / "data")
        waveforms = torch.from_numpy(np.stack([soundfile.read(path, dtype="float32")[0] for path in paths]))
        for n_fft in (2048, 1024):
            component = load_catalog().component("frontends", "log-mel", {"n_fft": n_fft})

            def measured(component=component) -> None:
                FeatureStore(place / f"cache{next(fresh)}", cores, Silent()).read(table, component)

            mel = MelSpectrogram(
                sample_rate=RATE_HZ, n_fft=n_fft, hop_length=HOP, n_mels=N_MELS, norm="slaney", mel_scale="slaney"
            )
            size = best_batch(waveforms, mel)
            print(f"torchaudio takes {size} clips at a time")
            compare(
                f"log-mel of {chosen.clips} files, window {n_fft}, against torchaudio in memory",
                measured,
                lambda mel=mel, size=size: torchaudio_log_mel(waveforms, mel, size),
                rounds=chosen.rounds,
                at_most=1.0,
            )
            if librosa_is_here:
                os.environ.update(ONE_THREAD)  # for the processes, which would get in each other's way
                with multiprocessing.get_context("spawn").Pool(cores) as pool:
                    work = [(path, n_fft) for path in paths]
                    compare(
                        f"log-mel of {chosen.clips} files, window {n_fft}, against librosa in {cores} processes",
                        measured,
                        lambda pool=pool, work=work: pool.starmap(librosa_clip, work, math.ceil(len(work) / 16)),
                        rounds=chosen.rounds,
                        at_most=0.5,
                    )


if __name__ == "__main__":
    main()
