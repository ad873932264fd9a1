"""Write a detector as one ONNX model, when that gives the detector's scores."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from asdbench.core.errors import RequirementError, UsageError
from asdbench.datasets.audio import BadRecording
from asdbench.detector.detector import Detector
from asdbench.detector.onnx_graph import metadata_of, onnx_model, write_checked
from asdbench.detector.recordings import Sound, read_whole, recordings_of

NOISES = 8  # recordings that the model is checked on where none are given
LENGTHS = (1.0, 0.5, 2.0, 1.3)  # of them, in lengths of the healthy clips


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
        AsdbenchError: the model gives other scores; nothing is written.
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
    metadata = metadata_of(
        member.frontend,
        name=detector.name,
        machine=machine,
        section=section,
        clip_s=clip_s,
        threshold=threshold.value,
        threshold_method=threshold.method,
        training_scores=scores,
    )
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
