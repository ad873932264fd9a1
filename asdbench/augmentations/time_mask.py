"""Time masking."""

from torch import Generator, Tensor

from asdbench.augmentations.base import Augmentation, uniform


class TimeMask(Augmentation):
    """Replaces one stretch of a spectrogram by its mean level.

    Even positions of the batch lose the short stretch, odd ones the long. Shin and Lee (2023), section 2.3: about
    500 ms and 1000 ms. A stretch is never longer than half the clip.
    """

    works_on = "spectrogram"

    def __init__(self, *, short_s: float, long_s: float, jitter: float) -> None:
        self.lengths_s = (short_s, long_s)
        self.jitter = jitter

    def __call__(self, batch: Tensor, generator: Generator) -> Tensor:
        """(batch, channels, bins, frames) -> the same shape."""
        frames = batch.shape[-1]
        masked = batch.clone()
        stretch = uniform(len(batch), 1.0 - self.jitter, 1.0 + self.jitter, generator)
        place = uniform(len(batch), 0.0, 1.0, generator)
        for position, clip in enumerate(masked):
            seconds = self.lengths_s[position % 2] * float(stretch[position])
            length = min(round(seconds * self.rate_hz), frames // 2)
            start = int(float(place[position]) * (frames - length + 1))
            clip[..., start : start + length] = batch[position].mean()
        return masked
