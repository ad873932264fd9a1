"""Log-mel pictures of single clips, on one colour scale, and their sound."""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from asdbench.datasets.audio import BadRecording, read_audio
from asdbench.harness.record import UsedComponent
from asdbench.pages.figures import drawing_style, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SIZE_PX = (360, 210)
FRAMES = 240  # columns of a picture; longer clips are averaged down to them
COLOURS = 64  # of the scale, so that pictures stay small
SPAN_DB = 70.0  # of the scale, below its loudest
LONGEST_S = 10.0  # of a clip's sound in the page
TICKS_HZ = (125, 250, 500, 1000, 2000, 4000, 8000, 16000, 32000, 64000)


@dataclass(frozen=True)
class MelScale:
    """Where a frequency lies among mel bins."""

    n_mels: int  # bins
    f_min_hz: float  # lower edge of the lowest
    f_max_hz: float  # upper edge of the highest
    htk: bool  # O'Shaughnessy's formula, as HTK has it, instead of Slaney's

    def bin_of(self, frequency_hz: float) -> float:
        """Bin whose centre lies at a frequency, counted from 0, with its fraction."""
        low, high, mel = (self._mel(value) for value in (self.f_min_hz, self.f_max_hz, frequency_hz))
        return float((mel - low) / (high - low) * (self.n_mels + 1) - 1)

    def _mel(self, frequency_hz: float) -> float:
        if self.htk:
            return float(2595.0 * np.log10(1.0 + frequency_hz / 700.0))
        linear = frequency_hz / (200.0 / 3.0)
        return linear if frequency_hz < 1000.0 else float(15.0 + 27.0 * np.log(frequency_hz / 1000.0) / np.log(6.4))


class LogMelPictures:
    """Makes log-mels as the run's front end does; where that is another one, log-mels of the card's defaults.

    Args:
        frontend: of the run; its sample rate and channel hold in any case.
    """

    def __init__(self, frontend: UsedComponent) -> None:
        from asdbench.registry import load_catalog

        settings: dict[str, Any] = frontend.params
        self.as_seen = frontend.name == "log-mel"
        if not self.as_seen:
            settings = {key: settings[key] for key in ("sample_rate_hz", "channel") if key in settings}
            if "sample_rate_hz" in settings:
                settings["f_max_hz"] = settings["sample_rate_hz"] / 2
        component = load_catalog().component("frontends", "log-mel", settings)
        params: dict[str, Any] = component.params
        self.rate_hz: int = params["sample_rate_hz"]
        self.channel: str = params["channel"]
        self.scale = MelScale(params["n_mels"], params["f_min_hz"], params["f_max_hz"], params["mel_scale"] == "htk")
        self._frontend = component.build()

    def read(self, path: Path) -> NDArray[np.float32]:
        """Samples of a recording, one channel. Raises BadRecording: it is gone or cannot be used."""
        try:
            samples = read_audio(path, self.rate_hz, self.channel)
        except OSError as error:
            raise BadRecording(f"cannot be read: {error.strerror or error}") from error
        if len(samples) < self._frontend.min_samples:
            raise BadRecording("too short")
        return samples

    def levels_db(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """Log-mel, (bins, frames), in dB."""
        import torch

        levels: NDArray[np.float32] = self._frontend(torch.from_numpy(samples)[None])[0, 0].numpy()
        return levels


def common_scale_db(pictures: Sequence[NDArray[np.float32]]) -> tuple[float, float]:
    """Lowest and highest level of one colour scale for several pictures: their loudest, and 70 dB below at most."""
    high = max(float(np.percentile(picture, 99.9)) for picture in pictures)
    low = min(float(np.percentile(picture, 1)) for picture in pictures)
    return max(low, high - SPAN_DB), max(high, low + 1.0)


def draw_log_mel(
    levels_db: NDArray[np.float32], seconds: float, scale: MelScale, ends_db: tuple[float, float]
) -> "Figure":
    """Time to the right, frequency upwards on the mel scale, colour for the level."""
    import matplotlib as mpl

    shown = averaged(levels_db, FRAMES)
    with drawing_style():
        figure = new_figure(*SIZE_PX, arranged=False)
        axes = figure.add_axes((0.15, 0.21, 0.66, 0.75))
        image = axes.imshow(
            shown,
            origin="lower",
            aspect="auto",
            interpolation="none",
            extent=(0.0, seconds, -0.5, scale.n_mels - 0.5),
            cmap=mpl.colormaps["magma"].resampled(COLOURS),
            vmin=ends_db[0],
            vmax=ends_db[1],
        )
        label_axes(figure, image, scale, "level in dB")
    return figure


def label_axes(figure: "Figure", image: Any, scale: MelScale, of_colours: str) -> None:
    """Label time and frequency of the picture that a figure holds, and what its colours stand for."""
    axes, ticks = image.axes, frequency_ticks(scale)
    names = [f"{hz / 1000:g} k" if hz >= 1000 else str(hz) for hz in ticks]
    axes.set_yticks([scale.bin_of(hz) for hz in ticks], names)
    axes.set_ylim(-0.5, scale.n_mels - 0.5)
    axes.set_ylabel("frequency in Hz")
    axes.set_xlabel("time in s")
    bar = figure.colorbar(image, cax=figure.add_axes((0.83, 0.21, 0.025, 0.75)))
    bar.outline.set_visible(False)
    bar.set_label(of_colours)


def frequency_ticks(scale: MelScale) -> list[int]:
    """Octaves that lie within the picture and apart, from the highest down."""
    ticks: list[int] = []
    for hz in reversed(TICKS_HZ):
        top = scale.bin_of(ticks[-1]) if ticks else float("inf")
        if hz >= scale.f_min_hz and scale.bin_of(hz) <= min(scale.n_mels - 0.5, top - 0.1 * scale.n_mels):
            ticks.append(hz)
    return [hz for hz in ticks if scale.bin_of(hz) >= -0.5]


def averaged(levels_db: NDArray[np.float32], frames: int) -> NDArray[np.float32]:
    """At most ``frames`` columns, each the mean of its neighbours."""
    count = levels_db.shape[1]
    if count <= frames:
        return levels_db
    edges = np.linspace(0, count, frames + 1).astype(int)[:-1]
    sums = np.add.reduceat(levels_db, edges, axis=1)
    return np.asarray(sums / np.diff([*edges, count]), np.float32)


def wav_address(samples: NDArray[np.float32], rate_hz: int) -> str:
    """The first ten seconds as the data address of a 16-bit WAV file."""
    import soundfile

    file = io.BytesIO()
    soundfile.write(file, np.clip(samples[: int(LONGEST_S * rate_hz)], -1.0, 1.0), rate_hz, "PCM_16", format="WAV")
    return "data:audio/wav;base64," + base64.b64encode(file.getvalue()).decode()
