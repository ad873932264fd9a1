"""A SimCLR step on 48 clips of 128 x 313, with and without channels_last."""

import timm
import torch
from timing import compare

from asdbench.extractors.losses import nt_xent


def step(layout: torch.memory_format) -> None:
    """Forward and backward once."""
    torch.manual_seed(0)
    network = timm.create_model("resnet18", in_chans=1, num_classes=0).to(memory_format=layout)
    batch = torch.randn(48, 1, 128, 313).contiguous(memory_format=layout)
    nt_xent(*network(batch).chunk(2), 0.05).backward()


compare(
    "training step, channels_last against contiguous",
    lambda: step(torch.channels_last),
    lambda: step(torch.contiguous_format),
    rounds=2,
)
