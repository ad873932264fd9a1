"""Weights, multiply-accumulates and time of each encoder at its published sizes, for docs/explanation/encoders.md.

``python benchmarks/encoders.py [NAME ...]``. Weights are drawn, which changes no cost. One clip of 10 s on one core;
processor time is the median of three passes, filter banks included, told beside that of a product of matrices.
"""

import sys
import time
from collections.abc import Callable
from statistics import median

import torch

from asdbench.extractors.counting import operation_counter
from asdbench.extractors.encoders.aisfx import WIDTHS, AisfxNetwork
from asdbench.extractors.encoders.ast import AstNetwork
from asdbench.extractors.encoders.beats import BeatsNetwork
from asdbench.extractors.encoders.ced import CedNetwork
from asdbench.extractors.encoders.dasheng import DashengNetwork
from asdbench.extractors.encoders.eat import EatNetwork
from asdbench.extractors.encoders.network import EncoderNetwork

BEATS = {
    "input_patch_size": 16, "encoder_layers": 12, "encoder_embed_dim": 768, "embed_dim": 512, "deep_norm": True,
    "relative_position_embedding": True, "gru_rel_pos": True, "num_buckets": 320, "max_distance": 800,
}  # fmt: skip
NETWORKS: dict[str, Callable[[], EncoderNetwork]] = {
    "beats": lambda: BeatsNetwork(BEATS),
    "eat": lambda: EatNetwork({}),
    "ast": lambda: AstNetwork({}),
    "dasheng": lambda: DashengNetwork({}),
    "ced-tiny": lambda: CedNetwork({"embed_dim": 192, "num_heads": 3}),
    "ced-mini": lambda: CedNetwork({"embed_dim": 256, "num_heads": 4}),
    "ced-small": lambda: CedNetwork({"embed_dim": 384, "num_heads": 6}),
    "ced-base": lambda: CedNetwork({"embed_dim": 768}),
    "aisfx": lambda: AisfxNetwork({"widths": WIDTHS}),
}
REPEATS = 3
SIZE = 1024  # of the product of matrices


def seconds(work: Callable[[], object]) -> float:
    """Median processor time of some calls, after one that does not count."""
    work()
    times = []
    for _ in range(REPEATS):
        started = time.process_time()
        work()
        times.append(time.process_time() - started)
    return median(times)


def cost(network: EncoderNetwork) -> tuple[int, int, float]:
    """Weights, multiply-accumulates and seconds of a clip of 10 s."""
    waveform = 0.1 * torch.randn(1, 10 * network.sample_rate_hz)
    with torch.inference_mode():
        banks = network.filter_banks(waveform)
        with operation_counter() as counter:
            network(banks, [network.depth])
        taken = seconds(lambda: network(network.filter_banks(waveform), [network.depth]))
    return sum(one.numel() for one in network.parameters()), counter.get_total_flops() // 2, taken


def main(names: list[str]) -> None:
    """Print a row for each network."""
    torch.set_num_threads(1)
    left, right = torch.ones(SIZE, SIZE), torch.ones(SIZE, SIZE)
    print(f"product of {SIZE} x {SIZE} matrices: {1000 * seconds(lambda: left @ right):.1f} ms\n")
    print("| network | weights | multiply-accumulates | one core |\n| --- | --- | --- | --- |")
    for name in names or NETWORKS:
        weights, operations, taken = cost(NETWORKS[name]().eval())
        print(f"| {name} | {weights / 1e6:.1f} M | {operations / 1e9:.1f} G | {taken:.2f} s |", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
