"""Count what a network computes for one clip."""

from collections.abc import Sequence
from dataclasses import replace

from asdbench.core.progress import Silent
from asdbench.datasets import BlindClip
from asdbench.extractors.base import Context, Extractor


def multiply_accumulates(extractor: Extractor, clips: Sequence[BlindClip], context: Context) -> int:
    """Multiply-accumulate operations (MACs) of embedding the longest of ``clips``.

    Counted by PyTorch while the network runs: half the floating-point operations of its matrix products and
    convolutions. Front end and scorer are not part of it.
    """
    from torch.utils.flop_counter import FlopCounterMode

    longest = max(clips, key=lambda clip: context.features[clip.key].shape[-1])
    with FlopCounterMode(display=False) as counter:
        extractor.embed([longest], replace(context, progress=Silent()))
    return int(counter.get_total_flops()) // 2
