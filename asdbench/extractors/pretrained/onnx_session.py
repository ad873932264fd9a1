"""One ONNX model: which way round it takes its input and gives its output."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asdbench.core.errors import AsdbenchError, UsageError
from asdbench.extractors.pretrained.frozen import Values, first_line

NAME = "pretrained-onnx"

# What lies behind the batch axis of a model's input, from an array (batch, frames, bins); a waveform has one bin.
LAYOUTS: dict[str, Callable[[Values], Values]] = {
    "frames": lambda x: x[..., 0],
    "bins,frames": lambda x: x.swapaxes(1, 2),
    "frames,bins": lambda x: x,
    "1,bins,frames": lambda x: x.swapaxes(1, 2)[:, None],
    "1,frames,bins": lambda x: x[:, None],
    "bins,frames,1": lambda x: x.swapaxes(1, 2)[..., None],
    "frames,bins,1": lambda x: x[..., None],
}
TYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(double)": np.float64}


class OnnxSession:
    """Runs a model on one thread, so that what it gives does not depend on the machine's cores.

    Args:
        path: of the .onnx file.
        layout: a name of ``LAYOUTS``, or "auto": the one that fits the shape that the model declares.
        axis: of the output that holds the embedding's dimensions: the "last", or the "first" behind the batch.
        output: its name; empty is the model's first.
        device: "cpu" or "cuda", which needs a build of onnxruntime that has it.

    Raises:
        UsageError: no ONNX model, one with several inputs or another type of numbers, or no such output.
    """

    def __init__(self, path: str, layout: str, axis: str, output: str, device: str) -> None:
        import onnxruntime

        self._file = Path(path).name
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 4  # what fails is raised, and said once
        able = onnxruntime.get_available_providers()
        wanted = (["CUDAExecutionProvider"] if device == "cuda" else []) + ["CPUExecutionProvider"]
        try:
            # By its bytes, not its path: numbers that lie in a file beside it would not count in the cache's keys.
            model = Path(path).read_bytes()
            self._session = onnxruntime.InferenceSession(
                model, options, providers=[one for one in wanted if one in able]
            )
        except Exception as error:  # onnxruntime's errors have no common base
            reason = first_line(error)
            raise UsageError(f"{NAME}.models: {path} cannot be opened as an ONNX model: {reason}") from error
        inputs = self._session.get_inputs()
        if len(inputs) != 1 or inputs[0].type not in TYPES:
            taken = ", ".join(f"{one.name} {one.type} {one.shape}" for one in inputs)
            raise UsageError(f"{NAME}.models: {self._file} takes {taken}. Accepted: one input of real numbers.")
        outputs = [one.name for one in self._session.get_outputs()]
        if output and output not in outputs:
            raise UsageError(f"{NAME}.output: {self._file} has no output '{output}'. It has {', '.join(outputs)}.")
        self._input, self._shape, self._dtype = inputs[0].name, list(inputs[0].shape), TYPES[inputs[0].type]
        self._output = output or outputs[0]
        self._layout = layout
        self._axis = axis

    def __call__(self, windows: Values, at_once: int) -> Values:
        """(windows, frames, bins) -> (positions, dim): those of the windows one after the other."""
        batch = self._shape[0] if self._shape and isinstance(self._shape[0], int) else None
        if batch not in (None, 1):
            raise UsageError(f"{NAME}.models: {self._file} takes {batch} inputs at once. Accepted: one, or any number.")
        arranged = self._arranged(windows).astype(self._dtype)
        step = batch or at_once
        return np.concatenate([self._run(arranged[at : at + step]) for at in range(0, len(arranged), step)])

    def _run(self, arranged: NDArray[Any]) -> Values:
        try:
            output = self._session.run([self._output], {self._input: np.ascontiguousarray(arranged)})[0]
        except Exception as error:  # onnxruntime's errors have no common base
            shape = arranged.shape
            raise AsdbenchError(f"{NAME}: {self._file} failed on an input {shape}: {first_line(error)}") from error
        if self._axis == "first" and output.ndim > 2:
            output = np.moveaxis(output, 1, -1)
        rows: Values = output.reshape(-1, output.shape[-1]).astype(np.float32)
        return rows

    def _arranged(self, windows: Values) -> NDArray[Any]:
        if self._layout != "auto":
            return LAYOUTS[self._layout](windows)
        fitting: dict[tuple[int, ...], str] = {}
        for name, arrange in LAYOUTS.items():
            shape = arrange(windows[:1]).shape
            if (name != "frames" or windows.shape[-1] == 1) and self._takes(shape):
                fitting.setdefault(shape, name)
        # A waveform is (1, samples) where a model says no more; which way a spectrogram lies is not for us to guess.
        if not fitting or (len(fitting) > 1 and windows.shape[-1] > 1):
            which = f"more than one of the layouts fits: {', '.join(fitting.values())}" if fitting else "no layout fits"
            raise UsageError(
                f"{NAME}: {self._file} takes {self._shape}, and there are {windows.shape[1]} frames of "
                f"{windows.shape[2]} bins: {which}.\n"
                f"Set -p extractor.layouts=, extractor.window= or another --frontend. See: asdbench show {NAME}"
            )
        return LAYOUTS[next(iter(fitting.values()))](windows)

    def _takes(self, shape: tuple[int, ...]) -> bool:
        """Whether the model's declared input, behind the batch, can be that."""
        if len(shape) != len(self._shape):
            return False
        pairs = zip(self._shape[1:], shape[1:], strict=True)
        return all(not isinstance(asked, int) or asked == given for asked, given in pairs)
