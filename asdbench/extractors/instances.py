"""Objects of the user's own as extractors: a torch module that embeds."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from asdbench.core.errors import AsdbenchError, UsageError
from asdbench.datasets.clips import BlindClip
from asdbench.extractors.base import Context, Embeddings, Extractor, Untrained

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


class ModuleExtractor(Untrained):
    """A torch module as it is, in evaluation mode: features (batch, channels, bins, frames) -> (batch, dim).

    Of an output with more axes the mean over those behind the second is taken. Nothing of it is saved, as nothing of
    the user's own objects is taken from a cache.
    """

    def __init__(self, module: Any) -> None:
        self._module = module

    def embed(self, clips: Sequence[BlindClip], context: Context) -> Embeddings:
        """(n_clips, dim).

        Raises:
            AsdbenchError: the module gives no tensor with a row for each clip.
        """
        import torch

        from asdbench.extractors.network import embedded

        module, name = self._module.to(context.device).eval(), type(self._module).__name__

        def rows(features: Any) -> torch.Tensor:
            output = module(torch.from_numpy(np.asarray(features, np.float32)).to(context.device))
            if not isinstance(output, torch.Tensor) or output.ndim < 2 or len(output) != len(features):
                given = tuple(output.shape) if isinstance(output, torch.Tensor) else type(output).__name__
                raise AsdbenchError(
                    f"The module {name} gave {given} for {len(features)} clips; accepted is a tensor (batch, dim)."
                )
            return output.float().flatten(2).mean(2) if output.ndim > 2 else output

        return embedded(rows, clips, BATCH, name, context)
