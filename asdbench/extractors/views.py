"""Augmented copies of the training clips, as features, made once and cached."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from asdbench.core.digests import derive_seed, digest
from asdbench.core.threads import pool_of_threads, torch_threads
from asdbench.datasets.clips import TrainingClip
from asdbench.extractors.base import Context, Training
from asdbench.frontends.pack import Pack, write_arrays


def augmented_views(clips: Sequence[TrainingClip], copies: int, context: Context, series: str = "view") -> Pack:
    """Pack of (augmentations * copies, channels, bins, frames) for each clip, float16.

    Shin and Lee (2023), section 2.1: every kind of augmentation makes ``copies`` altered copies of every clip. They
    depend on the clip and the augmentations alone, so runs with other seeds share them. Each ``series`` has random
    numbers of its own: copies of another one were never seen by a network that was trained on these.
    """
    training = context.training
    assert training is not None, "views are made while fitting"
    keys = sorted({clip.key for clip in clips})
    wanted = digest([training.identity, copies, keys, *([series] if series != "view" else [])])
    pack = Pack(training.views / wanted, "augmented views of training clips")
    pack.get_or_make(
        lambda folder: write_arrays(folder, _made(keys, copies, series, training, context), "float16"),
        context.progress.note,
    )
    return pack


def _made(
    keys: list[str], copies: int, series: str, training: Training, context: Context
) -> Iterator[tuple[str, NDArray[np.float32]]]:
    pool = pool_of_threads(context.jobs)
    try:
        with torch_threads(1), context.progress.stage("augmented views", len(keys)) as stage:  # clips run in parallel
            made = pool.map(lambda key: _views(key, copies, series, training, context), keys)
            for key, views in zip(keys, made, strict=True):
                yield key, views
                stage.advance()
    finally:
        pool.shutdown(cancel_futures=True)


def _views(key: str, copies: int, series: str, training: Training, context: Context) -> NDArray[np.float32]:
    features = torch.from_numpy(np.array(context.features[key], np.float32))
    waveform: torch.Tensor | None = None
    views = []
    for name, augmentation in training.augmentations.items():
        generator = torch.Generator().manual_seed(derive_seed(0, series, name, key))
        if augmentation.works_on == "waveform":
            if waveform is None:
                waveform = torch.from_numpy(training.waveforms[key])
            altered = training.frontend(augmentation(waveform.repeat(copies, 1), generator))
        else:
            altered = augmentation(features.repeat(copies, 1, 1, 1), generator)
        views.append(altered)
    result: NDArray[np.float32] = torch.cat(views).numpy()
    return result
