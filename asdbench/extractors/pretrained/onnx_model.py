"""Embedding models as ONNX files, one or several that follow each other."""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np

from asdbench.core.errors import UsageError
from asdbench.core.packages import needed_by
from asdbench.datasets.clips import TrainingClip
from asdbench.extractors.base import Context
from asdbench.extractors.pretrained.frozen import Frozen, Values
from asdbench.extractors.pretrained.onnx_session import NAME, OnnxSession

AT_ONCE = 64  # windows that go through the network together


class OnnxModel(Frozen):
    """Output of an ONNX model for each window of a clip; positions are windows and what the model leaves of time.

    The features of the front end, (frames, bins), go times ``input_scale`` plus ``input_offset`` into the first model,
    whole. Its output goes times ``between_scale`` plus ``between_offset`` into the next. The last model is given
    windows of ``window`` frames every ``hop`` frames; what is left over at the end is not seen, and a clip shorter than
    a window is repeated. For a waveform a frame is a sample.

    Raises:
        UsageError: no model, or as many layouts or axes as neither one nor the models.
        RequirementError: onnxruntime is not installed.
    """

    def __init__(
        self,
        *,
        models: Sequence[str],
        layouts: Sequence[str],
        axes: Sequence[str],
        output: str,
        poolings: Sequence[str],
        window: int,
        hop: int,
        input_scale: float,
        input_offset: float,
        between_scale: float,
        between_offset: float,
    ) -> None:
        super().__init__(poolings)
        if not models:
            raise UsageError(f"{NAME} has no model. Name its file: -p extractor.models=FILE.onnx")
        for name, values in (("layouts", layouts), ("axes", axes)):
            if len(values) not in (1, len(models)):
                raise UsageError(
                    f"{NAME}.{name} has {len(values)} values for {len(models)} models; it takes one, or as many."
                )
        with needed_by(NAME):
            import onnxruntime  # noqa: F401  # missing, it is reported before anything is read
        self._models = list(models)
        self._layouts = [*layouts] * (len(models) if len(layouts) == 1 else 1)
        self._axes = [*axes] * (len(models) if len(axes) == 1 else 1)
        self._output = output
        self._window = window
        self._hop = hop or window
        self._scales = [(input_scale, input_offset), *[(between_scale, between_offset)] * (len(models) - 1)]
        self._sessions: list[OnnxSession] = []

    def fit(self, clips: Sequence[TrainingClip], context: Context) -> None:
        """Nothing to learn; the models are opened, so that it fails here when they cannot be."""
        self._opened(context.device)

    def values(self, features: Iterable[Values], context: Context) -> Iterator[Values]:
        """(dim, positions) of each clip; clips are shared by threads, and none of them is split."""
        sessions = self._opened(context.device)
        waiting: deque[Future[Values]] = deque()
        with ThreadPoolExecutor(context.jobs) as pool:
            for one in features:
                waiting.append(pool.submit(self._one, one, sessions))
                if len(waiting) > 2 * context.jobs:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()

    def _one(self, features: Values, sessions: Sequence[OnnxSession]) -> Values:
        frames = features.reshape(-1, features.shape[-1]).T  # (frames, channels * bins)
        for number, (session, (scale, offset)) in enumerate(zip(sessions, self._scales, strict=True)):
            scaled = (frames * np.float32(scale) + np.float32(offset)).astype(np.float32)
            last = number == len(sessions) - 1
            frames = session(self._windows(scaled) if last else scaled[None], AT_ONCE)
        return frames.T

    def _windows(self, frames: Values) -> Values:
        """(windows, window, bins)."""
        if not self._window:
            return frames[None]
        if len(frames) < self._window:
            return frames[np.arange(self._window) % len(frames)][None]
        starts = range(0, len(frames) - self._window + 1, self._hop)
        return np.stack([frames[start : start + self._window] for start in starts])

    def _opened(self, device: str) -> list[OnnxSession]:
        if not self._sessions:
            last = len(self._models) - 1
            self._sessions = [
                OnnxSession(path, layout, axis, self._output if number == last else "", device)
                for number, (path, layout, axis) in enumerate(zip(self._models, self._layouts, self._axes, strict=True))
            ]
        return self._sessions
