"""Time-weighted frequency representation (Guan et al., 2023)."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from asdbench.core.errors import UsageError
from asdbench.core.files import write_json
from asdbench.datasets.clips import BlindClip, TrainingClip
from asdbench.extractors.base import Context, Embeddings, Extractor
from asdbench.selection import Outliers, criterion, outlier_features, reference_detector

CHOSEN = "r.json"


def ranked_pooling(features: NDArray[np.float32], rs: Sequence[float]) -> NDArray[np.float32]:
    """Global weighted ranking pooling over the last axis (Kolesnikov and Lampert, 2016; Guan et al., 2023).

    Frames in descending order, the i-th weighted by r^i, divided by the sum of the weights: r = 0 is the maximum,
    r = 1 the mean.

    Args:
        features: (channels, bins, frames).
        rs: weights' ratios, each in [0, 1].

    Returns:
        float32 (len(rs), channels * bins).
    """
    weights = np.asarray(rs, np.float64)[:, None] ** np.arange(features.shape[-1])
    ranked = np.sort(features, axis=-1)[..., ::-1].reshape(-1, features.shape[-1])
    return np.asarray(weights @ ranked.T / weights.sum(axis=1, keepdims=True), np.float32)


class Twfr(Extractor):
    """Pools each bin by the rank of its frames: between the loudest frame (r = 0) and the mean (r = 1).

    The front end's decibels are what is averaged, as in the authors' program.

    Args:
        r: ratio of the weights of neighbouring ranks.
        choose_from: values of r (as texts), one of which is chosen for each machine type by its training clips alone:
            the one under which held-out normal clips are best distinguished from the same clips with a patch of another
            training clip pasted in, in both domains alike (``asdbench.selection``). Empty: ``r`` is taken.
    """

    def __init__(self, *, r: float, choose_from: Sequence[str]) -> None:
        self._r = r
        try:
            self._candidates = [float(text) for text in choose_from]
        except ValueError:
            self._candidates = [-1.0]
        self.needs_fit = bool(self._candidates)
        if not all(0.0 <= value <= 1.0 for value in self._candidates):
            raise UsageError(
                f"twfr.choose_from takes a comma-separated list of numbers from 0 to 1, not '{','.join(choose_from)}'. "
                "See: asdbench show twfr"
            )

    def fit(self, clips: Sequence[TrainingClip], context: Context) -> None:
        """Choose r, where that is asked for.

        Raises:
            SelectionError: too few training clips to choose by.
        """
        if not self._candidates:
            return
        training = context.training
        assert training is not None
        features = [np.asarray(context.features[clip.key], np.float32) for clip in clips]
        normals = np.stack([ranked_pooling(one, self._candidates) for one in features], axis=1)
        criteria = np.zeros(len(self._candidates))
        for section in sorted({clip.section for clip in clips}):
            places = [place for place, clip in enumerate(clips) if clip.section == section]
            some = [clips[place] for place in places]
            pasted = outlier_features(some, training.waveforms, training.frontend, context.seed, context.jobs)
            made_of, pooled = zip(*((host, ranked_pooling(one, self._candidates)) for host, one in pasted), strict=True)
            for number in range(len(criteria)):
                outliers = Outliers(np.stack([one[number] for one in pooled]), np.array(made_of))
                criteria[number] += criterion(normals[number][places], some, reference_detector, outliers) * len(some)
        criteria /= len(clips)
        self._r = self._candidates[int(np.argmax(criteria))]
        shown = ", ".join(f"{r:g}: {value:.3f}" for r, value in zip(self._candidates, criteria, strict=True))
        self.notes = [
            f"{clips[0].machine}: r = {self._r:g}, chosen by training clips alone (ratings, chance is 0.5: {shown})"
        ]

    def embed(self, clips: Sequence[BlindClip], context: Context) -> Embeddings:
        """(n_clips, channels * bins)."""
        features = (np.asarray(context.features[clip.key], np.float32) for clip in clips)
        return np.concatenate([ranked_pooling(one, [self._r]) for one in features])

    def save(self, folder: Path) -> None:
        """Write the chosen r; one that is given is a parameter."""
        if self._candidates:
            write_json(folder / CHOSEN, self._r)

    def load(self, folder: Path) -> None:
        """Read the chosen r."""
        if self._candidates:
            self._r = json.loads((folder / CHOSEN).read_text())
