"""A detector as one ONNX model, waveform in and score out, written only where it gives the detector's scores."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from asdbench import __version__
from asdbench.core.errors import AsdbenchError, RequirementError, UsageError
from asdbench.core.files import write_bytes
from asdbench.core.packages import needed_by
from asdbench.datasets.audio import BadRecording
from asdbench.detector.detector import Detector
from asdbench.detector.onnx_scoring import INPUT, OUTPUT, OnnxDetector
from asdbench.detector.recordings import Sound, read_whole, recordings_of
from asdbench.extractors.base import Extractor
from asdbench.frontends.base import Frontend
from asdbench.scorers.base import Scorer

NOISES = 8  # recordings that the model is checked on where none are given
LENGTHS = (1.0, 0.5, 2.0, 1.3)  # of them, in lengths of the healthy clips
TOLERANCE = 1e-4  # of the larger of |score| and the spread of the training scores


class ExportError(AsdbenchError):
    """A model that does not give the scores of the system that it was made of."""


def export_onnx(
    detector: Detector,
    path: Path,
    machine: str | None = None,
    section: str | None = None,
    recordings: Sequence[str | Path] = (),
) -> float:
    """Write the model for one machine type and section.

    Args:
        detector: that is exported.
        path: of the .onnx file.
        machine: machine type; may be left out where there is one.
        section: its section; the first when left out.
        recordings: on which model and detector are compared; without any on noise and tones of several lengths.

    Returns:
        The largest difference between scores, in the larger of |score| and the spread of the training scores.

    Raises:
        RequirementError: a part cannot be exported, or a package is missing.
        UsageError: no such machine type or section, or a recording cannot be used.
        ExportError: the model gives other scores; nothing is written.
    """
    machine, section = detector.settled(machine, section)
    if len(detector.members) > 1:
        raise RequirementError(
            f"{detector.name} is an ensemble, which is not exported as one model.\n"
            "Export a detector of one of its members."
        )
    member, (scorer,) = detector.members[0], detector.scorer(machine, section).fitted
    threshold, scores = detector.threshold(machine, section), detector.training_scores(machine, section)
    clip_s = detector.content.machines[machine].clip_s
    metadata = {
        "asdbench_version": __version__,
        "name": detector.name,
        "machine": machine,
        "section": section,
        "sample_rate_hz": str(member.frontend.sample_rate_hz),
        "channel": member.frontend.channel,
        "min_samples": str(member.frontend.min_samples),
        "clip_s": repr(float(clip_s)),
        "threshold": repr(float(threshold.value)),
        "threshold_method": threshold.method,
        "training_scores": json.dumps([float(f"{score:.9g}") for score in np.sort(scores)]),
    }
    model = onnx_model(member.frontend, member.extractor(machine), scorer, metadata)
    clips = []
    for sound in _sounds(detector, clip_s, recordings):
        waveform = member.waveform(sound)
        (score,) = [waveform] if isinstance(waveform, BadRecording) else detector.scores_of([sound], machine, section)
        if isinstance(waveform, BadRecording) or isinstance(score, BadRecording):
            if recordings:
                raise UsageError(f"{sound.name} cannot be scored: {score}.\nName others: --check PATH")
            continue  # shorter than the extractor takes
        clips.append((sound.name, waveform, score))
    return write_checked(path, model, clips, float(np.std(scores)))


def onnx_model(frontend: Frontend, extractor: Extractor, scorer: Scorer, metadata: Mapping[str, str]) -> bytes:
    """The content of an .onnx file that scores waveforms as the fitted system does.

    Its input ``waveform`` is float32 (samples,) or (batch, samples) at the front end's sampling rate, of any length
    that the system takes; its output ``score`` is float64 (batch,). Needs the package ``onnx``.

    Args:
        frontend: as it was built.
        extractor: fitted or loaded; its network is put on the CPU.
        scorer: fitted.
        metadata: texts that the file shall hold, which ``OnnxDetector`` reads.

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


def _sounds(detector: Detector, clip_s: float, recordings: Sequence[str | Path]) -> list[Sound]:
    """What model and detector are compared on."""
    if recordings:
        sounds = []
        for one in recordings_of(recordings):
            try:
                sounds.append(read_whole(one.file, clip_s))
            except BadRecording as reason:
                raise UsageError(f"--check {one.path}: {reason}.\nName others: --check PATH") from reason
        return sounds
    rng, rate_hz, sounds = np.random.default_rng(0), detector.sample_rate_hz, []
    for number in range(NOISES):
        count = max(detector.min_samples, round(LENGTHS[number % len(LENGTHS)] * (clip_s or 1.0) * rate_hz))
        tone = np.sin(2 * np.pi * 100.0 * (1 + number) * np.arange(count) / rate_hz)
        noise = rng.standard_normal(count)
        samples = np.asarray(0.05 * tone + 10.0 ** -(1 + number % 3) * noise, np.float32)[:, None]
        sounds.append(Sound(samples, rate_hz, f"noise {number}"))
    return sounds
