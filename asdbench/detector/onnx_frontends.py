"""Front ends as ONNX graphs, in double precision: (batch, samples) -> (batch, channels, bins, frames)."""

import math
from functools import singledispatch
from typing import Any

import numpy as np
import torch
from torch.nn.functional import interpolate

from asdbench.core.errors import RequirementError
from asdbench.detector.onnx_values import Operand, Value
from asdbench.frontends.log_mel import LogMel
from asdbench.frontends.mel_image import MelImage
from asdbench.frontends.spectrum import FilteredSpectrum
from asdbench.frontends.waveform import Waveform

DECIBELS = 10.0 / math.log(10.0)


@singledispatch
def frontend_graph(frontend: Any, waveform: Value) -> Value:
    """Features of a waveform, as the front end makes them. Raises RequirementError: it cannot be exported."""
    raise RequirementError(
        f"The front end {type(frontend).__name__} cannot be exported to ONNX.\n"
        "Exported are: log-mel, mel-image, waveform. Any other is scored with the detector's own file."
    )


@frontend_graph.register
def _(frontend: Waveform, waveform: Value) -> Value:
    return waveform.double().expand(1).expand(1)


@frontend_graph.register
def _(frontend: LogMel, waveform: Value) -> Value:
    mel = filtered(frontend._mel, waveform, frontend._hop)
    return (mel.maximum(frontend._floor).log() * (frontend._scale * DECIBELS / 10.0)).expand(1)


@frontend_graph.register
def _(frontend: MelImage, waveform: Value) -> Value:
    fitting = waveform.size(-1) // frontend._frames + 1
    power = filtered(frontend._spectrum, waveform, fitting.minimum(frontend._n_fft // 2))
    picture = averaged(power, frontend._frames).maximum(frontend._floor).log() * DECIBELS
    if frontend._image and (frontend._bins, frontend._frames) != (frontend._image, frontend._image):
        rows, columns = (_resized(size, frontend._image) for size in (frontend._bins, frontend._frames))
        picture = (rows @ picture) @ columns.T
    return picture.expand(1)


def filtered(spectrum: FilteredSpectrum, waveform: Value, hop: Operand) -> Value:
    """What ``FilteredSpectrum`` gives: (batch, samples) -> (batch, filters, frames)."""
    half = spectrum._n_fft // 2
    padded = waveform.double().op("Pad", [0, half, 0, half], mode=spectrum._edges)
    hop = hop if isinstance(hop, Value) else np.asarray(hop, np.int64)
    parts = padded.expand(-1).op("STFT", hop, spectrum._window.double().numpy(), onesided=1)
    power = parts.power()  # (batch, frames, bins)
    if spectrum._power != 2.0:
        power = power ** (spectrum._power / 2.0)
    filters = np.zeros((half + 1, spectrum._count))
    for group, bins, weights in spectrum._bands:
        filters[bins, group] = weights.T
    if not np.array_equal(filters, np.eye(*filters.shape)):
        power = power @ filters
    return power.transpose(0, 2, 1)


def averaged(values: Value, count: int) -> Value:
    """Means over ``count`` parts of the last axis that share what they cut: torch's adaptive_avg_pool1d."""
    length = values.size(-1)
    graph = values.graph
    places = graph.constant(np.arange(count + 1))
    first = (places * length) // count
    starts = first.slice(0, 0, count)
    ends = (places.slice(0, 1, count + 1) * length + (count - 1)) // count
    sums = values.op("Pad", [0, 0, 1, 0, 0, 0]).op("CumSum", -1)
    return (sums.take(ends, -1) - sums.take(starts, -1)) / (ends - starts).double()


def _resized(size: int, wanted: int) -> np.ndarray[Any, np.dtype[np.float64]]:
    """What ``interpolate`` does along one axis, as a matrix (wanted, size); it is linear."""
    each = torch.eye(size, dtype=torch.float64)[:, None, :, None].expand(-1, -1, -1, 4)
    resized = interpolate(each, (wanted, 4), mode="bilinear", antialias=True)
    return resized[:, 0, :, 0].T.contiguous().numpy()
