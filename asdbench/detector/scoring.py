"""From recordings to results, whichever model scores them: whole or in windows, bad ones with their reason."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asdbench.core.errors import UsageError
from asdbench.datasets.audio import BadRecording
from asdbench.detector.recordings import Given, Recording, Sound, read_whole, read_windows, recordings_of, sound_of
from asdbench.detector.results import Alarm, Scored, ScoredRecording, Window, result_of

AT_ONCE = 32  # recordings, or windows, in memory together
OTHER_LENGTH = 0.1  # by which windows may differ from the healthy clips without a note
ALARM = Alarm()
ScoresOf = Callable[[Sequence[Sound]], Sequence[float | BadRecording]]  # a score, or why there is none


def score_recordings(
    scores_of: ScoresOf,
    given: Given | Sequence[Given],
    *,
    threshold: float,
    method: str,
    healthy: NDArray[np.float64],
    clip_s: float,
    window_s: float | None = None,
    hop_s: float | None = None,
    alarm: Alarm = ALARM,
    notes: Sequence[str] = (),
    jobs: int = 1,
) -> Scored:
    """Score recordings, a few at a time.

    Args:
        scores_of: makes the scores of sounds.
        given: files, folders, ``Sound`` for arrays; one or several.
        threshold: above which a score is anomalous.
        method: where it comes from.
        healthy: scores of the training clips.
        clip_s: length of the healthy clips.
        window_s: score windows of this length; None scores recordings whole.
        hop_s: from the beginning of a window to that of the next; None is the window's length.
        alarm: when windows raise one.
        notes: what the user should know of the model.
        jobs: threads for decoding.

    Raises:
        UsageError: a hop that is longer than the window, or a folder without recordings.
    """
    hop_s = window_s if hop_s is None else hop_s
    if window_s is None and (hop_s is not None or alarm != ALARM):
        raise UsageError("A hop, or an alarm of several windows, needs the length of a window: --window 10")
    if window_s is not None and hop_s is not None and not 0 < hop_s <= window_s:
        raise UsageError(
            f"--hop {hop_s:g}: it is above 0 and at most the window, {window_s:g} s, so that nothing is skipped."
        )
    recordings = _recordings(given)

    def result(one: Sound | Recording, windows: Sequence[Window]) -> ScoredRecording:
        name, file = (one.name, None) if isinstance(one, Sound) else (one.path, one.file)
        return result_of(name, file, windows, threshold, healthy, alarm, whole=window_s is None)

    if window_s is None:
        clips = list(_whole(scores_of, recordings, clip_s, result, jobs))
    else:
        assert hop_s is not None
        clips = [result(one, _windows(scores_of, one, window_s, hop_s)) for one in recordings]
        if clip_s and abs(window_s - clip_s) > OTHER_LENGTH * clip_s:
            notes = [*notes, f"Windows last {window_s:g} s, healthy clips {clip_s:g}: the threshold was set on those."]
    return Scored(clips, threshold, method, notes)


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


def _whole(
    scores_of: ScoresOf, recordings: Sequence[Sound | Recording], clip_s: float, result: Any, jobs: int
) -> Iterator[Any]:
    def read(one: Sound | Recording) -> Sound | BadRecording:
        try:
            if isinstance(one, Sound):
                return sound_of(one.samples, one.sample_rate_hz, one.name)
            return read_whole(one.file, clip_s)
        except BadRecording as reason:
            return reason

    with ThreadPoolExecutor(jobs) as pool:
        for start in range(0, len(recordings), AT_ONCE):
            chosen = recordings[start : start + AT_ONCE]
            for one, score in zip(chosen, _scores(scores_of, list(pool.map(read, chosen))), strict=True):
                yield result(one, [_window(0.0, score)])


def _windows(scores_of: ScoresOf, one: Sound | Recording, window_s: float, hop_s: float) -> list[Window]:
    windows: list[Window] = []
    try:
        pieces = read_windows(one.file, window_s, hop_s) if isinstance(one, Recording) else _cut(one, window_s, hop_s)
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
