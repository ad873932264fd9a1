"""Extractors as ONNX graphs: features (batch, channels, bins, frames) -> embeddings (batch, dim), double precision.

Clips are whole, as they are where the library embeds them. Statistics are in double precision, networks in single.
"""

import io
import warnings
from collections.abc import Callable, Sequence
from functools import singledispatch
from typing import Any

import numpy as np
import torch
from onnx import TensorProto
from torch import Tensor, nn

from asdbench.core.errors import RequirementError
from asdbench.detector.onnx_frontends import DECIBELS
from asdbench.detector.onnx_values import OPSET, Value, counted, joined, windows
from asdbench.extractors.attribute_classifier import AttributeClassifier
from asdbench.extractors.autoencoder import Autoencoder
from asdbench.extractors.base import Extractor
from asdbench.extractors.classification.branches import SpectrogramBranch, SpectrumBranch
from asdbench.extractors.network import NetworkExtractor
from asdbench.extractors.psd import FLOOR, Psd
from asdbench.extractors.raw_mel import POOLINGS, RawMel
from asdbench.extractors.twfr import Twfr

SMALLEST_NORM = 1e-12  # torch's, where rows are scaled to length one


@singledispatch
def extractor_graph(extractor: Extractor, features: Value, sample_rate_hz: int) -> Value:
    """Embeddings of a front end's features, as the fitted extractor gives them.

    Raises:
        RequirementError: it cannot be exported.
    """
    raise not_exported(extractor)


def not_exported(extractor: Extractor) -> RequirementError:
    """What is said of an extractor that has no graph."""
    return RequirementError(
        f"The extractor {type(extractor).__name__} cannot be exported to ONNX.\nExported are: raw-mel, psd, twfr, "
        "simclr, siamese, autoencoder, attribute-classifier. Any other is scored with the detector's own file."
    )


@extractor_graph.register
def _(extractor: RawMel, features: Value, sample_rate_hz: int) -> Value:
    names = {pool: name for name, pool in POOLINGS.items()}
    pooled = [_pooled(names[pool], features) for pool in extractor._pool]
    return joined([one.flat() for one in pooled], 1)


def _pooled(name: str, x: Value) -> Value:
    """A pooling over the last axis, which is gone afterwards."""
    if name == "std":
        return ((x - x.mean(-1, keep=True)) ** 2.0).mean(-1).sqrt()
    if name == "delta":
        last = x.size(-1)
        return (x.slice(-1, 1, last) - x.slice(-1, 0, last - 1)).abs().mean(-1)
    if name in ("median", "p10", "p90"):
        return quantile(x, {"median": 0.5, "p10": 0.1, "p90": 0.9}[name])
    return {"mean": x.mean, "min": x.min, "max": x.max}[name](-1)


def quantile(values: Value, share: float) -> Value:
    """Quantile over the last axis, between two values linearly."""
    ranked, _ = values.sorted()
    last = values.size(-1) - 1
    place = last.double() * share
    below = place.op("Floor")
    lower = below.whole()
    first, second = ranked.take(lower, -1), ranked.take((lower + 1).minimum(last), -1)
    return first + (second - first) * (place - below)


@extractor_graph.register
def _(extractor: Twfr, features: Value, sample_rate_hz: int) -> Value:
    ranked, _ = features.sorted(largest_first=True)
    weights = extractor._r ** counted(features.size(-1)).double()
    return ((ranked @ weights) / weights.sum(0)).flat()


@extractor_graph.register
def _(extractor: Psd, features: Value, sample_rate_hz: int) -> Value:
    density = _welch(features.op("Squeeze", [2]), sample_rate_hz, extractor._n_fft, extractor._average == "median")
    decibels = _in_bands(density, extractor, sample_rate_hz).maximum(FLOOR).log() * DECIBELS
    rows = decibels.flat()
    return rows - rows.mean(1, keep=True) if extractor._remove_level else rows


def _welch(samples: Value, rate_hz: int, n_fft: int, by_median: bool) -> Value:
    """Power spectral density (batch, channels, n_fft // 2 + 1), as ``scipy.signal.welch`` gives it."""
    length = samples.size(-1).minimum(n_fft)
    hop = length - length // 2
    pieces = windows(samples, length, hop, axis=2)  # (batch, channels, windows, samples)
    window = length.op("HannWindow", output_datatype=TensorProto.DOUBLE, periodic=1)
    tapered = (pieces - pieces.mean(-1, keep=True)) * window
    spectra = tapered.expand(-1).op("DFT", n_fft, -2, onesided=1)
    twice = np.full(n_fft // 2 + 1, 2.0)
    twice[0] = 1.0
    if n_fft % 2 == 0:
        twice[-1] = 1.0
    power = spectra.power() / (window.power() * float(rate_hz)) * twice
    if not by_median:
        return power.mean(2)
    # The median of so many values of an exponential distribution, whose mean is one (scipy's correction of the bias).
    even = (counted((pieces.size(2) - 1) // 2) + 1).double() * 2.0
    bias = (1.0 / (even + 1.0) - 1.0 / even).sum(0) + 1.0
    return quantile(power.transpose(0, 1, 3, 2), 0.5) / bias


def _in_bands(density: Value, extractor: Psd, rate_hz: int) -> Value:
    """Density (batch, channels, bins) -> mean over each band (batch, channels, bands); see ``Psd``."""
    frequencies = np.fft.rfftfreq(extractor._n_fft, 1.0 / rate_hz)
    step = frequencies[1]
    edges = np.geomspace(extractor._f_min_hz, frequencies[-1], extractor._bands + 1)
    place = np.clip(edges / step + 0.5, 0, len(frequencies))  # in bins, from the lower edge of the first
    lower = np.minimum(place.astype(np.int64), len(frequencies) - 1)
    below = (density * step).op("Pad", [0, 0, 1, 0, 0, 0]).op("CumSum", -1)
    first = below.take(lower, -1)
    at_edges: Value = first + (below.take(lower + 1, -1) - first) * (place - lower)
    bands = extractor._bands
    return (at_edges.slice(-1, 1, bands + 1) - at_edges.slice(-1, 0, bands)) * (1.0 / np.diff(edges))


@extractor_graph.register
def _(extractor: NetworkExtractor, features: Value, sample_rate_hz: int) -> Value:
    facts = extractor.facts
    if "shape" in facts:  # of an image
        shape, free = facts["shape"], {0: "batch"}
    elif "channels" in facts:
        shape, free = [facts["channels"], 128, 64], {0: "batch", 2: "bins", 3: "frames"}
    else:
        raise not_exported(extractor)
    return network_graph(lambda x: extractor.rows(extractor.network, x), extractor.network, features, shape, free)


@extractor_graph.register
def _(extractor: Autoencoder, features: Value, sample_rate_hz: int) -> Value:
    frames = extractor._frames
    dim = extractor.facts["dim"]
    spectra = features.transpose(0, 3, 1, 2).reshape(0, 0, -1)
    vectors = windows(spectra, frames, 1).reshape(-1, dim)
    rebuilt = network_graph(extractor.network, extractor.network, vectors, [dim], {0: "vectors"})
    batch = features.op("Shape", start=0, end=1)
    residuals = (vectors - rebuilt).op("Reshape", joined([batch, batch.graph.constant([-1, dim // frames])], 0))
    count = residuals.size(1).double()  # 0 of a clip that is too short, whose score is no number then
    if extractor._score == "mse":
        return (residuals**2.0).mean(2).sum(1, keep=True) / count
    variant = extractor._score.removeprefix("mahalanobis-")
    rows = residuals.sum(1, keep=True) / count if variant == "code" else residuals
    squared = [
        ((rows @ precision.numpy()) * rows).sum(-1, keep=True)  # float64
        for name, precision in extractor._precisions.items()
        if name.startswith(f"{variant}.")
    ]
    return joined(squared, -1).min(-1).sum(1, keep=True) / (1.0 if variant == "code" else count)


@extractor_graph.register
def _(extractor: AttributeClassifier, features: Value, sample_rate_hz: int) -> Value:
    samples = features.op("Squeeze", [1, 2])
    embedder = extractor.network
    rows = [_branch(branch, samples) for branch in embedder.branches]
    if embedder._equal_lengths:
        rows = [_unit(row) for row in rows]
    return _unit(joined(rows, 1))


def _unit(rows: Value) -> Value:
    return rows / rows.length(keep=True).maximum(SMALLEST_NORM)


def _branch(branch: nn.Module, samples: Value) -> Value:
    if isinstance(branch, SpectrogramBranch):
        n_fft = branch._n_fft
        parts = _repeated(samples, n_fft).expand(-1).op(
            "STFT", n_fft // 2, branch.window.double().cpu().numpy(), onesided=1
        )  # fmt: skip
        magnitudes = parts.length().slice(2, branch._lowest, n_fft // 2 + 1)
        if branch._remove_mean:
            magnitudes = magnitudes - magnitudes.mean(1, keep=True)
        shape = [64, n_fft // 2 + 1 - branch._lowest]
        return network_graph(branch.read, branch, magnitudes, shape, {0: "batch", 1: "frames"})
    assert isinstance(branch, SpectrumBranch)
    spectra = _mean_spectrum(samples, branch._samples)
    return network_graph(branch.read, branch, spectra, [branch._samples // 2], {0: "batch"})


def _repeated(samples: Value, least: int) -> Value:
    """Samples (batch, samples) one time after the other as far as ``least`` reaches, where they are fewer."""
    length = samples.size(1)
    times = (length + (least - 1)) // length
    tiled = samples.op("Tile", joined([samples.graph.constant([1]), times.reshape(1)], 0))
    return tiled.slice(1, 0, length.maximum(least))


def _mean_spectrum(samples: Value, wanted: int) -> Value:
    """Magnitude spectrum (batch, wanted // 2), averaged over as few parts of that length as cover the clip."""
    samples = _repeated(samples, wanted)
    length = samples.size(1)
    parts = (length + (wanted - 1)) // wanted
    between = (parts - 1).maximum(1).double()
    starts = ((length - wanted) * counted(parts)).double() / between
    pieces = samples.take(starts.round().whole().expand(1) + np.arange(wanted), 1)
    return _magnitudes(pieces, wanted).mean(1).slice(1, 0, wanted // 2)


def _magnitudes(pieces: Value, length: int) -> Value:
    """Magnitudes of the Fourier transform of the last of three axes, all ``length`` of them.

    A long transform by two short ones (Cooley and Tukey, 1965), the first as long as the largest power of two allows:
    onnxruntime takes 0.5 s for one of 160,000 samples, and a tenth of that in this way.
    """
    first = length & -length
    second = length // first
    parts = pieces.reshape(0, 0, first, second, 1).op("DFT", None, 2)
    real, imaginary = parts.take(0, -1), parts.take(1, -1)
    angle = pieces.graph.constant(np.arange(first)[:, None] * (-2.0 * np.pi / length)) * np.arange(float(second))
    cosine, sine = angle.op("Cos"), angle.op("Sin")
    turned = [real * cosine - imaginary * sine, real * sine + imaginary * cosine]
    spectra = joined([one.expand(-1) for one in turned], -1).op("DFT", None, 3)
    return spectra.length().transpose(0, 1, 3, 2).reshape(0, 0, -1)


class _Traced(nn.Module):
    """A function of a network as a module, which torch's exporter takes."""

    def __init__(self, function: Callable[[Tensor], Tensor], network: nn.Module) -> None:
        super().__init__()
        self.network = network
        self._function = function

    def forward(self, x: Tensor) -> Tensor:
        return self._function(x)


def network_graph(
    function: Callable[[Tensor], Tensor], network: nn.Module, x: Value, shape: Sequence[int], free: dict[int, str]
) -> Value:
    """What a function of a network makes of a value, computed in single precision.

    Args:
        function: of a tensor (batch, ...) -> (batch, dim).
        network: whose weights it uses; put on the CPU and into evaluation mode.
        x: the value.
        shape: of a tensor to trace the function with, without the batch.
        free: names of the axes whose length may be another one.

    Raises:
        RequirementError: torch cannot export it.
    """
    content: Any = io.BytesIO()
    network.cpu().eval()
    try:
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.onnx.export(
                _Traced(function, network).eval(),
                (torch.zeros(2, *shape),),
                content,
                dynamo=False,  # 0.3 s for a ResNet; the newer exporter takes 7
                opset_version=OPSET,
                input_names=["x"],
                dynamic_axes={"x": free},
            )
    except (RuntimeError, ValueError, TypeError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise RequirementError(
            f"torch cannot export the network {type(network).__name__} to ONNX: {reason}\n"
            "Take another backbone, or score with the detector's own file."
        ) from error
    return x.graph.inline(content.getvalue(), x.single()).double()
