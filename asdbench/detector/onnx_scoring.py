"""Scoring with an exported model: needs onnxruntime, numpy, scipy and soundfile, and no torch."""

import json
from math import ceil, gcd
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asdbench.core.errors import UsageError
from asdbench.core.packages import needed_by
from asdbench.datasets.audio import BadRecording, one_channel_at
from asdbench.detector.recordings import Sound
from asdbench.detector.scoring import Model, ScoresRecordings
from asdbench.protocols.threshold import Threshold, ThresholdRule

INPUT, OUTPUT = "waveform", "score"
Samples = NDArray[np.float32]


class OnnxDetector(ScoresRecordings):
    """A detector that ``asdbench export`` wrote; decoding, channel and sampling rate are those of the system.

        detector = OnnxDetector("pump.onnx")
        detector.score("monday.wav").decisions

    Runs on one thread, so that what it gives does not depend on the machine's cores.

    Raises:
        UsageError: no model that asdbench exported.
        RequirementError: onnxruntime is missing.
    """

    def __init__(self, model: str | Path | bytes) -> None:  # of a file, or its content
        self._session = _session(model)
        self.metadata: dict[str, str] = dict(self._session.get_modelmeta().custom_metadata_map)
        try:
            self.name, self.machine, self.section = (self.metadata[key] for key in ("name", "machine", "section"))
            self.sample_rate_hz = int(self.metadata["sample_rate_hz"])
            self.channel = self.metadata["channel"]
            self.min_samples = int(self.metadata["min_samples"])  # of the shortest waveform that it takes
            self.clip_s = float(self.metadata["clip_s"])  # of the healthy clips
            self.threshold = float(self.metadata["threshold"])
            self.threshold_method = self.metadata["threshold_method"]
            # Of healthy clips, in ascending order, float64 (n,).
            self.training_scores = np.array(json.loads(self.metadata["training_scores"]), np.float64)
            if self.sample_rate_hz < 1 or not np.isfinite([self.clip_s, self.threshold, *self.training_scores]).all():
                raise ValueError("numbers out of range")
        except (KeyError, ValueError, TypeError) as error:
            raise UsageError(
                f"{_called(model)} is an ONNX model, but none that asdbench exported, by its metadata: {error}.\n"
                "Write one: asdbench export DETECTOR --onnx FILE"
            ) from error

    @property
    def machines(self) -> dict[str, list[str]]:
        """The machine type and section that it was exported for."""
        return {self.machine: [self.section]}

    def settled(self, machine: str | None = None, section: str | None = None) -> tuple[str, str]:
        """The machine type and section that are meant. Raises UsageError: another one than those of the file."""
        for asked, known in ((machine, self.machine), (section, self.section)):
            if asked not in (None, known):
                raise UsageError(
                    f"The model was exported for {self.machine}, section {self.section}, not for '{asked}'.\n"
                    "Export another one: asdbench export DETECTOR --machine NAME --section NN --onnx FILE"
                )
        return self.machine, self.section

    def _model(self, machine: str, section: str, rule: ThresholdRule | None) -> Model:
        return Model(
            lambda sounds: [self._scored(one) for one in sounds],
            self.sample_rate_hz,
            self.channel,
            self.clip_s,
            rule.fit(self.training_scores) if rule else Threshold(self.threshold, self.threshold_method),
            self.training_scores,
        )

    def _scored(self, sound: Sound) -> float | BadRecording:
        try:
            return self.score_waveform(self.convert(sound.samples, int(sound.sample_rate_hz)))
        except BadRecording as reason:
            return reason

    def convert(self, samples: Samples, rate_hz: int) -> Samples:
        """The same of a recording in memory, float32 (samples, channels) in [-1, 1] at ``rate_hz``.

        Raises:
            BadRecording: the recording cannot be used, or is too short.
        """
        waveform = one_channel_at(self.sample_rate_hz, self.channel, samples, rate_hz, resample)
        if len(waveform) < self.min_samples:
            raise BadRecording(f"too short: {len(waveform)} samples, at least {self.min_samples} are needed")
        return waveform

    def score_waveform(self, waveform: Samples) -> float:
        """Score of a waveform (samples,) at the model's rate.

        Raises:
            BadRecording: the model does not take its length.
        """
        try:
            score = float(self._session.run([OUTPUT], {INPUT: np.asarray(waveform, np.float32)})[0][0])
        except Exception as error:  # onnxruntime's errors have no common base
            raise BadRecording(f"the model fails on its {len(waveform)} samples: {_first_line(error)}") from error
        if not np.isfinite(score):
            raise BadRecording(f"the model gives no score for its {len(waveform)} samples; it may be too short")
        return score


def _session(model: str | Path | bytes) -> Any:
    with needed_by("Scoring with an .onnx file"):
        import onnxruntime
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4  # what fails is raised, and said once
    # All optimisations take longer, and twice the memory, than they save on one clip, and on the next 20 of a ResNet.
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    try:
        if not isinstance(model, bytes):
            Path(model).open("rb").close()  # whose errors say more than onnxruntime's
        given = model if isinstance(model, bytes) else str(model)
        return onnxruntime.InferenceSession(given, options, providers=["CPUExecutionProvider"])
    except OSError as error:
        raise UsageError(f"{_called(model)} cannot be read: {error.strerror or error}.") from error
    except Exception as error:  # onnxruntime's errors have no common base
        raise UsageError(f"{_called(model)} cannot be opened as an ONNX model: {_first_line(error)}") from error


def _called(model: str | Path | bytes) -> str:
    return "The model" if isinstance(model, bytes) else str(model)


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]


def resample(samples: Samples, rate_hz: int, wanted_hz: int) -> Samples:
    """Windowed-sinc resampling of (samples,), with the filters of ``torchaudio.functional.resample`` (its defaults).

    Args:
        samples: at ``rate_hz``.
        rate_hz: without a common divisor with ``wanted_hz``, or with one.
        wanted_hz: of the result, float32 (ceil(samples * wanted_hz / rate_hz),).
    """
    zero_crossings, rolloff = 6, 0.99
    common = gcd(rate_hz, wanted_hz)
    old, new = rate_hz // common, wanted_hz // common
    cutoff = min(old, new) * rolloff
    width = ceil(zero_crossings * old / cutoff)
    # In single precision, as torchaudio makes them: their rounding is larger than that of the sums.
    steps = np.arange(-width, width + old, dtype=np.float32) / np.float32(old)
    places = steps - (np.arange(new, dtype=np.float32) / np.float32(new))[:, None]
    angle = np.clip(places * np.float32(cutoff), -zero_crossings, zero_crossings)
    window = np.cos(angle * np.float32(np.pi / zero_crossings / 2)) ** 2
    filters = np.sinc(angle) * window * np.float32(cutoff / old)
    padded = np.pad(samples, (width, width + old))
    pieces = np.lib.stride_tricks.sliding_window_view(padded, 2 * width + old)[::old]
    result: Samples = (pieces @ filters.T).ravel()[: ceil(np.float32(len(samples) * new / old))]
    return result
