"""Trainings and a frozen encoder on a GPU: seconds of an epoch, how busy the GPU is, and its memory; a JSON row each.

``python benchmarks/gpu.py [--only NAME ...] [--out FILE]``; a few minutes. Recordings of 10 s are made, and all
features and augmented copies are there before anything is timed. SimCLR with ResNet-18 and ResNet-50 as the cards have
them; 1, 7 and 35 autoencoders that are trained together, compared with one; an encoder of BEATs' size with drawn
weights. Utilisation is what nvidia-smi says five times a second. Without a GPU the exit code is 3;
``--device cpu --tiny`` shows that the script runs through.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import torch
from encoders import BEATS
from own_data import StepTimes, fitting, made

import asdbench
from asdbench.core.progress import Silent
from asdbench.datasets import Dataset
from asdbench.extractors.base import Context
from asdbench.extractors.encoders.beats import BeatsNetwork
from asdbench.frontends import FeatureStore
from asdbench.registry import load_catalog

STACKS = (1, 7, 35)
Row = dict[str, object]


@contextmanager
def watched(device: str) -> Iterator[Row]:
    """Utilisation (percent, median and tenth part) and peak memory (MiB) while something runs; empty without a GPU."""
    found: Row = {}
    if device != "cuda":
        yield found
        return
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    words = ["nvidia-smi", "--query-gpu=utilization.gpu", "--format=csv,noheader,nounits", "-lms", "200", "-i", "0"]
    read: list[float] = []
    try:
        process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    except FileNotFoundError:
        process = None

    def follow() -> None:
        read.extend(float(line) for line in process.stdout if line.strip().isdigit())

    thread = threading.Thread(target=follow) if process else None
    if thread:
        thread.start()
    yield found
    torch.cuda.synchronize()
    if process:
        process.terminate()
        thread.join()
    busy = sorted(read)
    if busy:
        found.update(utilisation=statistics.median(busy), utilisation_tenth=busy[len(busy) // 10])
    found["peak_mib"] = round(torch.cuda.max_memory_allocated() / 2**20)


def epochs_s(fit: Callable[[StepTimes], object], epochs: int) -> float:
    """Seconds of an epoch, the first one left out, of a training that reports its steps."""
    steps = StepTimes(time.perf_counter)
    fit(steps)
    each = len(steps.times) // epochs
    return (steps.times[-1] - steps.times[each - 1]) / (epochs - 1)


def simclr(table: Dataset, context: Context, backbone: str, epochs: int, tiny: bool) -> Iterator[Row]:
    """Training with a backbone, as its card has it, but for the epochs."""
    given = {"backbone": backbone, "epochs": epochs, "min_steps": 0}
    given |= {"backbone": "test_resnet", "crop_s": 0.5, "batch_size": 4} if tiny else {}
    clips = table.training_view()
    asdbench.build("simclr", **{**given, "epochs": 1, "steps": 1}).fit(clips, context)  # makes the augmented copies
    with watched(context.device) as found:
        seconds = epochs_s(
            lambda steps: asdbench.build("simclr", **given).fit(clips, anew(context, steps)),
            epochs,
        )
    yield {"what": f"SimCLR, {given['backbone']}", "clips": len(clips), "epoch_s": round(seconds, 3), **found}


def autoencoders(table: Dataset, context: Context, epochs: int, tiny: bool) -> Iterator[Row]:
    """Several on the same clips, each with a seed of its own, together; against one."""
    clips, first = table.training_view(), 0.0
    for count in (1, 2) if tiny else STACKS:
        extractors = [asdbench.build("autoencoder", epochs=epochs) for _ in range(count)]
        contexts = [anew(context, seed=seed) for seed in range(count)]
        with watched(context.device) as found:
            started = time.perf_counter()
            errors = type(extractors[0]).fit_together(extractors, [clips] * count, contexts)
            seconds = (time.perf_counter() - started) / epochs
        if any(errors):
            raise next(filter(None, errors))
        first = first or seconds
        times = {"epoch_s": round(seconds, 3), "against_one": round(seconds / first, 2)}
        yield {"what": f"{count} autoencoders together", "clips": len(clips), **times, **found}


def encoder(table: Dataset, context: Context, folder: Path, tiny: bool) -> Iterator[Row]:
    """Embedding of 1,000 clips by BEATs' network, each recording several times."""
    size = {**BEATS, "encoder_layers": 1} if tiny else BEATS
    state = BeatsNetwork(size).state_dict()
    weight = state.pop("encoder.pos_conv.0.weight")
    state["encoder.pos_conv.0.weight_g"] = weight.norm(dim=(0, 1), keepdim=True)
    state["encoder.pos_conv.0.weight_v"] = weight
    torch.save({"cfg": size, "model": state}, folder / "drawn.pt")
    component = load_catalog().component("frontends", "waveform", {})
    features = FeatureStore(folder / "waveforms", context.jobs, Silent()).read(table, component)
    given = replace(context, features=features, frame_rate_hz=component.build().frame_rate_hz, training=None)
    blind = list(table.blind_view())
    clips = (blind * (1 + 1000 // len(blind)))[: 4 if tiny else 1000]
    extractor = asdbench.build("beats", weights=str(folder / "drawn.pt"))
    extractor.embed(clips[:2], given)
    with watched(context.device) as found:
        started = time.perf_counter()
        extractor.embed(clips, given)
        seconds = time.perf_counter() - started
    yield {"what": "frozen encoder of BEATs' size", "clips": len(clips), "epoch_s": round(seconds, 3), **found}


def anew(context: Context, progress: Silent | None = None, seed: int = 0) -> Context:
    """A context whose training begins from nothing."""
    training = replace(context.training, checkpoints=Path(tempfile.mkdtemp(dir=context.training.checkpoints.parent)))
    return replace(context, seed=seed, progress=progress or context.progress, training=training)


def main() -> int:
    """Print a row as soon as it is there."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--only", nargs="*", choices=("simclr", "simclr-resnet50", "autoencoders", "encoder"))
    options.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    options.add_argument("--epochs", type=int, default=12, help="of which the first is not counted")
    options.add_argument("--clips", type=int, default=200, help="training clips of 10 s")
    options.add_argument("--jobs", type=int, default=8, help="threads that make recordings, features and batches")
    options.add_argument("--tiny", action="store_true", help="small sizes, to see that all runs through")
    options.add_argument("--out", type=Path, help="file that rows are added to")
    chosen = options.parse_args()
    if chosen.device == "cuda" and not torch.cuda.is_available():
        print("There is no GPU that torch can use; --device cpu --tiny shows that this runs through.", file=sys.stderr)
        return 3
    name = torch.cuda.get_device_name() if chosen.device == "cuda" else "cpu"
    count, clip_s = (12, 2.0) if chosen.tiny else (chosen.clips, 10.0)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        table = made(folder, machines=["fan"], train_source=count - 4, train_target=4, test=8, clip_s=clip_s)
        (folder / "trainings" / "checkpoints").mkdir(parents=True)
        context = fitting(table, folder)
        training = replace(context.training, checkpoints=folder / "trainings" / "checkpoints")
        context = replace(context, device=chosen.device, jobs=chosen.jobs, training=training)
        epochs, tiny = (2, True) if chosen.tiny else (chosen.epochs, False)
        rows: dict[str, Callable[[], Iterator[Row]]] = {
            "simclr": lambda: simclr(table, context, "resnet18", epochs, tiny),
            "simclr-resnet50": lambda: simclr(table, context, "resnet50", epochs, tiny),
            "autoencoders": lambda: autoencoders(table, context, epochs, tiny),
            "encoder": lambda: encoder(table, context, folder, tiny),
        }
        for one in chosen.only or rows:
            for row in rows[one]():
                line = json.dumps({"device": name, "torch": torch.__version__, **row})
                print(line, flush=True)
                if chosen.out:
                    with chosen.out.open("a") as file:
                        file.write(line + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
