"""Objects of the user's own as extractors: a torch module that embeds."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from asdbench.core.errors import AsdbenchError, UsageError
from asdbench.datasets.clips import BlindClip, TrainingClip
from asdbench.extractors.base import Context, Embeddings, Extractor

BATCH = 16  # clips


def as_extractor(instance: Any) -> Extractor:
    """The object as an extractor; one of asdbench's own is taken as it is.

    Raises:
        UsageError: it is neither an extractor nor a torch module.
    """
    if isinstance(instance, Extractor):
        return instance
    import torch

    if isinstance(instance, torch.nn.Module):
        return ModuleExtractor(instance)
    raise UsageError(
        f"An object of the class {type(instance).__name__} is no extractor.\n"
        "Accepted: a name, a subclass of asdbench.extractors.Extractor, a torch module that makes (batch, dim) of "
        "features (batch, channels, bins, frames)."
    )


class ModuleExtractor(Extractor):
    """A torch module as it is, in evaluation mode: features (batch, channels, bins, frames) -> (batch, dim).

    Of an output with more axes the mean over those behind the second is taken.
    """

    needs_fit = False

    def __init__(self, module: Any) -> None:
        self._module = module

    def fit(self, clips: Sequence[TrainingClip], context: Context) -> None:
        """Nothing to learn."""

    def embed(self, clips: Sequence[BlindClip], context: Context) -> Embeddings:
        """(n_clips, dim).

        Raises:
            AsdbenchError: the module gives no tensor with a row for each clip.
        """
        import torch

        module = self._module.to(context.device).eval()
        rows: dict[int, Embeddings] = {}
        with torch.inference_mode(), context.progress.stage(f"embed {type(module).__name__}", len(clips)) as stage:
            for positions, features in context.features.batches([clip.key for clip in clips], BATCH):
                found = module(torch.from_numpy(np.asarray(features, np.float32)).to(context.device))
                if not isinstance(found, torch.Tensor) or found.ndim < 2 or len(found) != len(positions):
                    given = tuple(found.shape) if isinstance(found, torch.Tensor) else type(found).__name__
                    raise AsdbenchError(
                        f"The module {type(module).__name__} gave {given} for {len(positions)} clips; accepted is a "
                        "tensor (batch, dim)."
                    )
                pooled = found.float().flatten(2).mean(2) if found.ndim > 2 else found.float()
                rows |= dict(zip(positions, pooled.cpu().numpy(), strict=True))
                stage.advance(len(positions))
        return np.stack([rows[position] for position in range(len(clips))])

    def save(self, folder: Path) -> None:
        """Nothing: the object is the user's own, and nothing of it is taken from a cache."""

    def load(self, folder: Path) -> None:
        """Nothing to load."""
