"""Fits that are done together: extractors of one kind that train networks of one shape."""

import math
import os
import time
from collections.abc import Sequence
from contextlib import ExitStack, suppress

from asdbench.core.digests import digest
from asdbench.core.locks import BusyError, exclusive
from asdbench.datasets import TrainingClip
from asdbench.extractors.base import Context
from asdbench.harness.cells import Cell
from asdbench.harness.embedding import EmbeddingStage
from asdbench.harness.fits import Fit

MOST = {"cpu": 16, "cuda": 64}  # fits at once; more gain nothing
MEMORY_SHARE = 1 / 8  # of the machine's memory, for the features of all training clips


def kind_of_fit(cell: Cell) -> str | None:
    """Equal for cells whose fits can be done together; None of an extractor that fits alone."""
    if cell.members or not getattr(type(cell.extractor.build()), "fits_together", False):
        return None
    return digest([cell.extractor.name, cell.identity("fit"), cell.numerics])


def fit_together(stages: Sequence[EmbeddingStage], fits: Sequence[Fit]) -> dict[int, Exception]:
    """Train what is not in the cache yet and no other process is at; all of one kind.

    Args:
        stages: each of a cell.
        fits: of each.

    Returns:
        Why a fit failed, by its number. What fails as a whole is left for ``EmbeddingStage.compute``, which fits alone.
    """
    with ExitStack() as stack:
        missing = []
        for number, fit in enumerate(fits):
            with suppress(BusyError):
                if not fit.is_trained:
                    stack.enter_context(exclusive(fit.lock, wait=False))
                    if not fit.is_trained:
                        missing.append(number)
        if len(missing) < 2:
            return {}
        started = time.perf_counter()
        try:
            extractors, clips, contexts = zip(*(stages[number].to_fit(fits[number]) for number in missing), strict=True)
            if not _fit_in_memory(clips, contexts):
                return {}
            errors = type(extractors[0]).fit_together(extractors, clips, contexts)
        except Exception:  # of what one of them is given, which it tells when it fits alone, or for want of memory
            return {}
        seconds = (time.perf_counter() - started) / len(missing)
        for number, extractor, error in zip(missing, extractors, errors, strict=True):
            if error is None:
                stages[number].store_fit(fits[number], extractor, seconds)
    return {number: error for number, error in zip(missing, errors, strict=True) if error is not None}


def _fit_in_memory(clips: Sequence[Sequence[TrainingClip]], contexts: Sequence[Context]) -> bool:
    """Whether the features of all training clips may be in memory at once."""
    numbers = sum(
        math.prod(context.features.shape(clip.key))
        for of_one, context in zip(clips, contexts, strict=True)
        for clip in of_one
    )
    physical = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return 4 * numbers <= MEMORY_SHARE * physical
