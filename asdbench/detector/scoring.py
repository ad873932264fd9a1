"""From recordings to results, whichever model scores them: whole or in windows, bad ones with their reason."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asdbench.core.errors import UsageError
from asdbench.datasets.audio import BadRecording
from asdbench.detector.cautions import unlike_healthy
from asdbench.detector.recordings import Given, Recording, Sound, read_whole, read_windows, recordings_of, sound_of
from asdbench.detector.results import Alarm, Scored, ScoredRecording, Window, alarm_of, result_of
from asdbench.protocols.threshold import Threshold, ThresholdRule

AT_ONCE = 32  # recordings, or windows, in memory together
SHORTEST_S = 0.001  # from one window to the next: no recorder has rates below 2 kHz
OTHER_LENGTH = 0.1  # by which recordings may differ from the healthy clips without a note
ScoresOf = Callable[[Sequence[Sound]], Sequence[float | BadRecording]]  # a score, or why there is none


@dataclass(frozen=True)
class Model:
    """What scores recordings of one machine type and section."""

    scores_of: ScoresOf  # makes the scores of sounds
    sample_rate_hz: int  # that sounds are resampled to
    channel: str  # of recordings with several
    clip_s: float  # length of the healthy clips
    threshold: Threshold  # above which a score is anomalous, and where it comes from
    healthy: NDArray[np.float64]  # scores of the healthy clips, float64 (n,)
    notes: Sequence[str] = ()  # what the user should know
    jobs: int = 1  # threads for decoding


class ScoresRecordings:
    """Base of what scores recordings: a detector, and a model that was exported from one."""

    def settled(self, machine: str | None = None, section: str | None = None) -> tuple[str, str]:
        """The machine type and section that are meant."""
        raise NotImplementedError

    def _model(self, machine: str, section: str, rule: ThresholdRule | None) -> Model:
        """What scores as that section, with its own threshold or another rule's."""
        raise NotImplementedError

    def score(
        self,
        recordings: Given | Sequence[Given],
        machine: str | None = None,
        section: str | None = None,
        *,
        false_alarms: float | None = None,
        threshold: str | float | None = None,
        window_s: float | None = None,
        hop_s: float | None = None,
        alarm_after: str | tuple[int, int] = (1, 1),
    ) -> Scored:
        """Score recordings of one machine type and section.

        Args:
            recordings: files, folders, ``Sound`` for arrays; one or several.
            machine: machine type; may be left out where the detector knows one.
            section: its number ("00"); the first one when left out.
            false_alarms: another rate than the detector's.
            threshold: another threshold: a number, or "gamma:0.9".
            window_s: score windows of this length; None scores recordings whole.
            hop_s: from the beginning of a window to that of the next; None is the window's length.
            alarm_after: (3, 5) or "3/5" alarms when three of five windows in a row lie above the threshold.

        Returns:
            A result for each recording; one that cannot be scored says why.

        Raises:
            UsageError: a machine type or section that it was not fitted to, or an option that fits no other.

        Examples:
            >>> import asdbench as asd
            >>> data = asd.load("synthetic", machines=["fan"])
            >>> detector = asd.fit(data, extractor="raw-mel", scorer="knn", false_alarms=0.1)
            >>> scored = detector.score([data.clips[0].path])
            >>> bool(scored.scores[0] > scored.threshold) == scored[0].anomalous
            True
        """
        machine, section = self.settled(machine, section)
        asked = false_alarms is not None or threshold is not None
        model = self._model(machine, section, ThresholdRule.asked(threshold, false_alarms) if asked else None)
        alarm = alarm_of(alarm_after) if isinstance(alarm_after, str) else Alarm(*alarm_after)
        if window_s is None and (hop_s is not None or alarm != Alarm()):
            raise UsageError("A hop, or an alarm of several windows, needs the length of a window: --window 10")
        if window_s is not None and window_s < SHORTEST_S:
            raise UsageError(f"--window {window_s:g}: it is at least {SHORTEST_S:g} s.")
        if window_s is not None and hop_s is not None and not SHORTEST_S <= hop_s <= window_s:
            raise UsageError(
                f"--hop {hop_s:g}: it is at least {SHORTEST_S:g} s, and at most the window, {window_s:g} s, so that "
                "nothing is skipped."
            )
        given, forms = _recordings(recordings), _Forms(model)

        def result(one: Sound | Recording, windows: Sequence[Window]) -> ScoredRecording:
            name, file = (one.name, None) if isinstance(one, Sound) else (one.path, one.file)
            return result_of(name, file, windows, model.threshold.value, model.healthy, alarm, whole=window_s is None)

        if window_s is None:
            clips = list(_whole(forms, given, model, result))
        else:
            clips = [result(one, _windows(forms, one, window_s, hop_s or window_s)) for one in given]
        noted = [note for note in (*model.notes, model.threshold.note) if note]
        noted += forms.notes(window_s)
        if window_s is None:
            noted += unlike_healthy(np.array([one.p_value for one in clips if one.p_value is not None]))
        elif any(len(one.windows) > 1 for one in clips) and alarm == Alarm():
            noted.append("One window above the threshold is an alarm; of many windows some are: --alarm-after K/N.")
        return Scored(clips, model.threshold.value, model.threshold.method, noted)


class _Forms:
    """Scores sounds, and says afterwards which of them were not like the healthy clips in form."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._rates: dict[int, set[str]] = defaultdict(set)  # names of recordings
        self._channels: dict[int, set[str]] = defaultdict(set)
        self._lengths: set[str] = set()

    def __call__(self, sounds: Sequence[Sound]) -> Sequence[float | BadRecording]:
        for one in sounds:
            self._rates[int(one.sample_rate_hz)].add(one.name)
            self._channels[one.samples.shape[1]].add(one.name)
            seconds, clip_s = len(one.samples) / one.sample_rate_hz, self._model.clip_s
            if clip_s and abs(seconds - clip_s) > OTHER_LENGTH * clip_s:
                self._lengths.add(one.name)
        return self._model.scores_of(sounds)

    def notes(self, window_s: float | None) -> Iterator[str]:
        model = self._model
        for rate_hz, names in sorted(self._rates.items()):
            if rate_hz != model.sample_rate_hz:
                yield f"{_counted(names)} at {rate_hz} Hz: resampled to {model.sample_rate_hz}."
        for channels, names in sorted(self._channels.items()):
            if channels > 1:
                taken = "their mean is" if model.channel == "mean" else f"channel {model.channel} is"
                yield f"{_counted(names)} with {channels} channels: {taken} taken."
        if window_s is not None and abs(window_s - model.clip_s) > OTHER_LENGTH * model.clip_s:
            yield f"Windows last {window_s:g} s, healthy clips {model.clip_s:g} s: the threshold was set on those."
        elif window_s is None and self._lengths:
            yield f"{_counted(self._lengths)} of another length than the healthy clips ({model.clip_s:g} s)."


def _counted(names: set[str]) -> str:
    return next(iter(names)) if len(names) == 1 else f"{len(names)} recordings"


def _recordings(given: Given | Sequence[Given]) -> list[Sound | Recording]:
    listed = [given] if isinstance(given, str | Path | Sound | Recording) else list(given)
    found: list[Sound | Recording] = []
    for place, one in enumerate(listed):
        if isinstance(one, Sound):
            found.append(one if one.name else Sound(one.samples, one.sample_rate_hz, f"recording {place} (an array)"))
        elif isinstance(one, Recording):
            found.append(one)
        else:
            found += recordings_of([one])
    return found


def _whole(scores_of: ScoresOf, recordings: Sequence[Sound | Recording], model: Model, result: Any) -> Iterator[Any]:
    def read(one: Sound | Recording) -> Sound | BadRecording:
        try:
            if isinstance(one, Sound):
                return sound_of(one.samples, one.sample_rate_hz, one.name)
            return replace(read_whole(one.file, model.clip_s), name=one.path)
        except BadRecording as reason:
            return reason

    with ThreadPoolExecutor(model.jobs) as pool:
        for start in range(0, len(recordings), AT_ONCE):
            chosen = recordings[start : start + AT_ONCE]
            for one, score in zip(chosen, _scores(scores_of, list(pool.map(read, chosen))), strict=True):
                yield result(one, [_window(0.0, score)])


def _windows(scores_of: ScoresOf, one: Sound | Recording, window_s: float, hop_s: float) -> list[Window]:
    windows: list[Window] = []
    try:
        if isinstance(one, Sound):
            pieces = _cut(one, window_s, hop_s)
        else:
            read = read_windows(one.file, window_s, hop_s)
            pieces = ((start_s, replace(sound, name=one.path)) for start_s, sound in read)
        while batch := list(islice(pieces, AT_ONCE)):
            scores = _scores(scores_of, [sound for _, sound in batch])
            windows += [_window(start, score) for (start, _), score in zip(batch, scores, strict=True)]
    except BadRecording as reason:  # also in the middle: a recording that is cut off is not half scored
        return [_window(0.0, reason)]
    return windows


def _cut(sound: Sound, window_s: float, hop_s: float) -> Iterator[tuple[float, Sound]]:
    whole = sound_of(sound.samples, sound.sample_rate_hz, sound.name)
    rate_hz = int(whole.sample_rate_hz)
    size, hop = round(window_s * rate_hz), max(1, round(hop_s * rate_hz))
    last = max(0, len(whole.samples) - size)
    for start in [*range(0, last, hop), last]:
        yield start / rate_hz, Sound(whole.samples[start : start + size], rate_hz, whole.name)


def _scores(scores_of: ScoresOf, sounds: Sequence[Sound | BadRecording]) -> list[float | BadRecording]:
    """A score for each sound; what could not be read keeps its reason."""
    good = [one for one in sounds if isinstance(one, Sound)]
    scores = iter(scores_of(good) if good else ())
    return [next(scores) if isinstance(one, Sound) else one for one in sounds]


def _window(start_s: float, score: float | BadRecording) -> Window:
    if isinstance(score, BadRecording):
        return Window(start_s, None, str(score))
    return Window(start_s, float(score))


def open_detector(path: Path, *, plugin_path: Sequence[Path] = (), device: str = "auto") -> Any:
    """A ``Detector``, or for an .onnx file what scores with onnxruntime, numpy, scipy and soundfile alone.

    Raises:
        RequirementError: there is no such file, it is damaged, or something that it needs is not there.
    """
    if path.suffix.lower() == ".onnx":
        from asdbench.detector.onnx_scoring import OnnxDetector

        return OnnxDetector(path)
    from asdbench.detector.detector import Detector

    return Detector.load(path, plugin_path=plugin_path, device=device)
