"""Why a recording is suspicious: the regions of time and frequency that raise its score, and its nearest healthy clip.

A region is replaced by the healthy mean, and the recording scored again; what the score falls by is the region's
contribution (occlusion: Zeiler and Fergus, Visualizing and Understanding Convolutional Networks, 2014). Regions are cut
out of the waveform's short-time Fourier transform: magnitudes become those of the healthy clips' mean, phases stay. So
it works for every system, whatever its features are.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from asdbench.core.errors import DataError
from asdbench.datasets.audio import BadRecording
from asdbench.detector.recordings import Given, Recording, Sound, read_whole, sound_of
from asdbench.detector.spectrograms import FRAMES, LogMelPictures, MelScale, averaged
from asdbench.frontends.decoding import Waveform
from asdbench.harness.record import UsedComponent
from asdbench.protocols.threshold import p_values

if TYPE_CHECKING:
    from asdbench.detector.detector import Detector

EXAMPLES = 48  # healthy clips that are stored as pictures
SEGMENT_S, SEGMENTS = 1.0, (4, 16)  # length of a region where their number allows it
BANDS = 8
LOWEST_HZ = 50.0
FRAME_S = 0.064  # of the Fourier transform that regions are cut out of
AT_ONCE = 16  # recordings with a region replaced that are scored together
LEVELS_DB = (-120.0, 20.0)  # of the stored pictures, in 256 steps


class Region(NamedTuple):
    """A part of a recording, and by how much the score falls without it."""

    start_s: float
    end_s: float
    low_hz: float
    high_hz: float
    contribution: float


@dataclass(frozen=True, eq=False)
class Explanation:
    """Why a recording has its score.

    Attributes:
        path: of the recording.
        score: of it.
        threshold: of the detector.
        p_value: share of healthy clips that score as high, itself counted in.
        as_high: how many of the healthy clips score as high.
        healthy: how many there are.
        times_s: edges of the segments, (segments + 1,).
        frequencies_hz: edges of the bands, (bands + 1,).
        contributions: by how much the score falls when a region becomes the healthy mean, float64 (bands, segments).
        log_mel_db: of the recording, (bins, frames).
        seconds: its length.
        nearest: name of the nearest healthy clip, among those that the detector holds pictures of.
        nearest_log_mel_db: of that clip, (bins, frames).
        nearest_seconds: its length.
        scale: where frequencies lie in the log-mels.
        sound: samples (n,) and sample rate (Hz), to listen to.
    """

    path: str
    score: float
    threshold: float
    p_value: float
    as_high: int
    healthy: int
    times_s: NDArray[np.float64]
    frequencies_hz: NDArray[np.float64]
    contributions: NDArray[np.float64]
    log_mel_db: NDArray[np.float32]
    seconds: float
    nearest: str
    nearest_log_mel_db: NDArray[np.float32]
    nearest_seconds: float
    scale: MelScale
    sound: tuple[Waveform, int]

    def regions(self, count: int = 3) -> list[Region]:
        """The regions that raise the score most, the strongest first."""
        order = np.argsort(self.contributions, axis=None)[::-1][:count]
        found = []
        for band, segment in (np.unravel_index(one, self.contributions.shape) for one in order):
            times, hz = self.times_s[segment : segment + 2], self.frequencies_hz[band : band + 2]
            found.append(Region(*map(float, (*times, *hz, self.contributions[band, segment]))))
        return [one for one in found if one.contribution > 0]


def explain(detector: "Detector", recording: Given, machine: str, section: str) -> Explanation:
    """See ``Detector.explain``."""
    from scipy.signal import istft, stft

    content = detector.content.machines[machine]
    try:
        if isinstance(recording, Sound):
            sound = sound_of(recording.samples, recording.sample_rate_hz, recording.name)
        else:
            file = recording.file if isinstance(recording, Recording) else Path(recording).expanduser()
            sound = read_whole(file, content.clip_s)
        waveforms = [_usable(member.waveform(sound)) for member in detector.members]
        rows = [row[None] for row in map(_usable, detector.embed([[one] for one in waveforms], machine, section)[0])]
    except BadRecording as reason:
        name = recording.name if isinstance(recording, Sound) else getattr(recording, "path", recording)
        raise DataError(f"{name} cannot be explained: {reason}.") from reason
    score = float(detector.scorer(machine, section).score(rows)[0])
    healthy, training = detector.arrays(machine), detector.training_scores(machine, section)
    seconds = len(sound.samples) / sound.sample_rate_hz
    top_hz = min(member.frontend.sample_rate_hz for member in detector.members) / 2
    times_s = np.linspace(0.0, seconds, int(np.clip(round(seconds / SEGMENT_S), *SEGMENTS)) + 1)
    frequencies_hz = _bands(top_hz)
    spectra = []
    for member, waveform in zip(detector.members, waveforms, strict=True):
        rate_hz = member.frontend.sample_rate_hz
        length = min(round(FRAME_S * rate_hz), len(waveform))
        hz, s, spectrum = stft(waveform, rate_hz, nperseg=length)
        mean = np.interp(hz, np.linspace(0, top_hz, len(healthy["healthy.spectrum"])), healthy["healthy.spectrum"])
        missing = (mean[:, None] / np.maximum(np.abs(spectrum), 1e-12) - 1.0) * spectrum  # to the healthy mean
        spectra.append((hz, s, missing, rate_hz, length))

    def replaced(band: int, segment: int) -> list[Waveform]:
        result = []
        for waveform, (hz, s, missing, rate_hz, length) in zip(waveforms, spectra, strict=True):
            inside = (hz >= frequencies_hz[band]) & (hz < frequencies_hz[band + 1])
            during = (s >= times_s[segment]) & (s < times_s[segment + 1])
            change = istft(np.where(inside[:, None] & during, missing, 0), rate_hz, nperseg=length)[1]
            result.append((waveform + change[: len(waveform)]).astype(np.float32))
        return result

    places = [(band, segment) for band in range(BANDS) for segment in range(len(times_s) - 1)]
    without: list[float | BadRecording] = []
    for start in range(0, len(places), AT_ONCE):
        batch = [replaced(*place) for place in places[start : start + AT_ONCE]]
        without += detector.scores_of_waveforms([list(one) for one in zip(*batch, strict=True)], machine, section)
    falls = [0.0 if isinstance(one, BadRecording) else score - one for one in without]
    near = int(np.argmin(_distances(detector.training_rows(machine)[0][healthy["healthy.places"]], rows[0])))
    pictures = LogMelPictures(detector.content.members[0].frontend)
    own = np.ascontiguousarray(waveforms[0])
    return Explanation(
        path=sound.name,
        score=score,
        threshold=detector.threshold(machine, section).value,
        p_value=float(p_values(training, np.array([score]))[0]),
        as_high=int((training >= score).sum()),
        healthy=len(training),
        times_s=times_s,
        frequencies_hz=frequencies_hz,
        contributions=np.array(falls, np.float64).reshape(BANDS, -1),
        log_mel_db=averaged(pictures.levels_db(own), FRAMES),
        seconds=seconds,
        nearest=content.examples[near],
        nearest_log_mel_db=_levels(healthy["healthy.levels"][near][:, : healthy["healthy.frames"][near]]),
        nearest_seconds=float(healthy["healthy.seconds"][near]),
        scale=pictures.scale,
        sound=(own, pictures.rate_hz),
    )


def healthy_arrays(
    paths: Sequence[Path], rows: NDArray[np.float32], frontend: UsedComponent
) -> tuple[dict[str, NDArray[Any]], list[str]]:
    """What a detector stores of training clips, ``rows`` (n, dim) or (n, bands, dim), for explanations; their names."""
    from scipy.signal import stft

    pictures = LogMelPictures(frontend)
    places = _spread(rows, EXAMPLES)
    waveforms = [pictures.read(paths[place]) for place in places]
    length = round(FRAME_S * pictures.rate_hz)
    magnitudes = [
        np.abs(stft(one, pictures.rate_hz, nperseg=length)[2]).mean(axis=1) for one in waveforms if len(one) >= length
    ]
    levels = [averaged(pictures.levels_db(one), FRAMES) for one in waveforms]
    stored = np.zeros((len(places), pictures.scale.n_mels, max(one.shape[1] for one in levels)), np.uint8)
    low, high = LEVELS_DB
    for place, one in enumerate(levels):
        stored[place, :, : one.shape[1]] = np.clip(np.rint((one - low) / (high - low) * 255), 0, 255)
    return {
        "healthy.places": np.array(places, np.int64),
        "healthy.levels": stored,
        "healthy.frames": np.array([one.shape[1] for one in levels], np.int64),
        "healthy.seconds": np.array([len(one) / pictures.rate_hz for one in waveforms], np.float64),
        "healthy.spectrum": np.asarray(np.mean(magnitudes, axis=0) if magnitudes else np.zeros(2), np.float32),
    }, [paths[place].name for place in places]


def _usable(one: Any) -> Any:
    if isinstance(one, BadRecording):
        raise one
    return one


def _bands(top_hz: float) -> NDArray[np.float64]:
    """Edges of bands of equal width on the mel scale."""
    low, high = (2595.0 * np.log10(1.0 + hz / 700.0) for hz in (LOWEST_HZ, top_hz))
    mel = np.linspace(low, high, BANDS + 1)
    edges = 700.0 * (10.0 ** (mel / 2595.0) - 1.0)
    edges[0], edges[-1] = 0.0, top_hz + 1.0
    return np.asarray(edges)


def _levels(stored: NDArray[np.uint8]) -> NDArray[np.float32]:
    low, high = LEVELS_DB
    return np.asarray(stored / 255.0 * (high - low) + low, np.float32)


def _spread(rows: NDArray[np.float32], count: int) -> list[int]:
    """Rows that lie far apart: the one nearest to the mean, then always the farthest from those before it."""
    if len(rows) <= count:
        return list(range(len(rows)))
    chosen = [int(np.argmin(_distances(rows, rows.mean(axis=0))))]
    distances = _distances(rows, rows[chosen[0]])
    while len(chosen) < count:
        chosen.append(int(np.argmax(distances)))
        distances = np.minimum(distances, _distances(rows, rows[chosen[-1]]))
    return sorted(chosen)


def _distances(rows: NDArray[np.float32], row: NDArray[np.float32]) -> NDArray[np.float32]:
    """Of each of the rows from one, (n,), over all bands where embeddings have several."""
    return np.asarray(np.linalg.norm((rows - row).reshape(len(rows), -1), axis=1))
