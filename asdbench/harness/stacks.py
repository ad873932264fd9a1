"""Fits that are done together: extractors of one kind that train networks of one shape."""

import math
import os
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path

from asdbench.core.digests import digest
from asdbench.core.locks import BusyError, exclusive
from asdbench.core.threads import torch_threads
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


def fit_stack(
    fits: Sequence[tuple[EmbeddingStage, Fit]], threads: int, note: Callable[[str], None]
) -> dict[Path, Exception]:
    """Train what is not in the cache yet and no other process is at; all of one kind.

    Args:
        fits: each with the stage of its cell; one that is read in several ways is there several times, trained once.
        threads: of one training.
        note: called with one line where they cannot be trained together.

    Returns:
        Why a fit failed, by its folder. What fails as a whole is left for ``EmbeddingStage.compute``, which fits alone.
    """
    failed: dict[Path, Exception] = {}
    with ExitStack() as locks, torch_threads(threads):
        missing = []
        for stage, fit in fits:
            with suppress(BusyError):
                if not fit.is_trained:
                    locks.enter_context(exclusive(fit.lock, wait=False))
                    stage.verify(fit)
                    if not fit.is_trained:
                        missing.append((stage, fit))
        if len(missing) < 2:
            return {}
        started = time.perf_counter()
        try:
            extractors, clips, contexts = zip(*(stage.to_fit(fit) for stage, fit in missing), strict=True)
            if not _have_room(clips, contexts):
                return {}
            errors = type(extractors[0]).fit_together(extractors, clips, contexts)
        except Exception as reason:
            what = missing[0][1].fit.what
            note(f"{what}: several could not be trained together, so each is trained alone ({reason!r}).")
            return {}
        seconds = (time.perf_counter() - started) / len(missing)
        for (stage, fit), extractor, error in zip(missing, extractors, errors, strict=True):
            try:
                if error is not None:
                    raise error
                stage.store_fit(fit, extractor, seconds)
            except Exception as reason:  # of this one alone
                failed[fit.trained] = reason
    return failed


def _have_room(clips: Sequence[Sequence[TrainingClip]], contexts: Sequence[Context]) -> bool:
    """Whether there is memory for the features of all training clips at once."""
    numbers = sum(
        math.prod(context.features.shape(clip.key))
        for of_one, context in zip(clips, contexts, strict=True)
        for clip in of_one
    )
    physical = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return 4 * numbers <= MEMORY_SHARE * physical
