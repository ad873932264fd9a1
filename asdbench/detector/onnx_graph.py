"""A fitted system as one ONNX model, waveform in and score out, written only where it gives the system's scores."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from asdbench import __version__
from asdbench.core.errors import AsdbenchError
from asdbench.core.files import write_bytes
from asdbench.core.packages import needed_by
from asdbench.detector.onnx_scoring import INPUT, OUTPUT, OnnxDetector
from asdbench.extractors.base import Extractor
from asdbench.frontends.base import Frontend
from asdbench.scorers.base import Scorer

TOLERANCE = 1e-4  # of the larger of |score| and the spread of the training scores


class ExportError(AsdbenchError):
    """A model that does not give the scores of the system that it was made of."""


def onnx_model(frontend: Frontend, extractor: Extractor, scorer: Scorer, metadata: Mapping[str, str]) -> bytes:
    """The content of an .onnx file that scores waveforms as the fitted system does.

    Its input ``waveform`` is float32 (samples,) or (batch, samples) at the front end's sampling rate, of any length
    that the system takes; its output ``score`` is float64 (batch,). Needs the package ``onnx``.

    Args:
        frontend: as it was built.
        extractor: fitted or loaded; its network is put on the CPU.
        scorer: fitted.
        metadata: texts that the file shall hold, see ``metadata_of``.

    Raises:
        RequirementError: a part cannot be exported, or ``onnx`` is missing.
    """
    with needed_by("Exporting"):
        from asdbench.detector.onnx_extractors import extractor_graph
        from asdbench.detector.onnx_frontends import frontend_graph
        from asdbench.detector.onnx_scorers import scorer_graph
        from asdbench.detector.onnx_values import Graph, joined
    graph = Graph()
    given = graph.input(INPUT)
    samples = given.op("Reshape", joined([graph.constant([-1]), given.op("Shape", start=-1)], 0))
    features = frontend_graph(frontend, samples)
    rows = extractor_graph(extractor, features, frontend.sample_rate_hz)
    return graph.model(scorer_graph(scorer, rows), OUTPUT, metadata)


def metadata_of(
    frontend: Frontend,
    *,
    name: str,
    machine: str,
    section: str,
    clip_s: float,
    threshold: float,
    threshold_method: str,
    training_scores: NDArray[np.float64],
) -> dict[str, str]:
    """What a file tells besides its arithmetic: how recordings are read, and what its scores mean.

    Args:
        frontend: says rate, channel and shortest length of a recording.
        name: of the system.
        machine: machine type that it was fitted to.
        section: of it.
        clip_s: median length of the healthy clips.
        threshold: scores above it are alarms.
        threshold_method: how it was found.
        training_scores: of healthy clips that the scorer had not seen; p-values come from them.
    """
    return {
        "asdbench_version": __version__,
        "name": name,
        "machine": machine,
        "section": section,
        "sample_rate_hz": str(frontend.sample_rate_hz),
        "channel": frontend.channel,
        "min_samples": str(frontend.min_samples),
        "clip_s": repr(float(clip_s)),
        "threshold": repr(float(threshold)),
        "threshold_method": threshold_method,
        "training_scores": json.dumps([float(f"{score:.9g}") for score in np.sort(training_scores)]),
    }


def write_checked(
    path: Path, content: bytes, clips: Iterable[tuple[str, NDArray[np.float32], float]], spread: float
) -> float:
    """Write a model after it has given the system's own scores, clip by clip; otherwise write nothing.

    Args:
        path: of the .onnx file.
        content: of it.
        clips: name, waveform (samples,) at the front end's rate, and the system's score; read one by one.
        spread: standard deviation of the training scores.

    Returns:
        The largest difference, in the larger of |score| and ``spread``; at most ``TOLERANCE``.

    Raises:
        ExportError: a score differs by more, or is no number.
    """
    model = OnnxDetector(content)
    largest = 0.0
    for name, waveform, score in clips:
        exported = model.score_waveform(waveform)
        difference = abs(exported - score) / max(abs(score), spread, np.finfo(np.float64).tiny)
        if not difference <= TOLERANCE:
            raise ExportError(
                f"The exported model gives {exported:.9g} for {name}, the detector {score:.9g}: they differ by "
                f"{difference:.2g} of the larger of the score and the spread of the training scores ({TOLERANCE:g} is "
                f"accepted).\nNothing was written to {path}. A scorer that magnifies rounding less may do: "
                "mahalanobis-lw, knn."
            )
        largest = max(largest, difference)
    write_bytes(path, content)
    return largest
