"""Explanations as HTML: one article for a recording, and the page of ``asdbench score --explain``."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from asdbench.core.errors import RequirementError
from asdbench.core.files import require_writable, write_bytes
from asdbench.detector.explanation import Explanation, Region
from asdbench.detector.recordings import Sound, read_windows
from asdbench.detector.results import Scored
from asdbench.detector.spectrograms import SIZE_PX, common_scale_db, draw_log_mel, label_axes, wav_address
from asdbench.pages import asset, render_page, require_own_page, template
from asdbench.pages.figures import drawing_style, figure_svg, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from asdbench.detector.detector import Detector

TEMPLATES = Path(__file__).parent / "templates"
MARKER = "asdbench explanation"  # by which a page is known as one, and may be written anew
MOST = 20  # recordings on a page
HIGHEST = 3  # that are shown where none is anomalous


def write_explanations(
    detector: "Detector",
    scored: Scored,
    to: Path,
    machine: str | None = None,
    section: str | None = None,
    window_s: float | None = None,
    hop_s: float | None = None,
) -> int:
    """Write a page about the most suspicious of some recordings, of long ones their highest window; how many are on it.

    Raises:
        UsageError: a file is in the way that is no such page.
    """
    require_own_page(to, MARKER, "--explain")
    good = sorted((one for one in scored if one.error is None), key=lambda one: -(one.score or 0.0))
    alarms = [one for one in good if one.anomalous]
    shown = alarms[:MOST] or good[:HIGHEST]
    articles, scorings = [], 0
    for one in shown:
        highest = max(one.windows, key=lambda part: -np.inf if part.score is None else part.score, default=None)
        file, start_s = one.file or Path(one.path), highest.start_s if highest else 0.0
        recording: Path | Sound = file
        if window_s is not None:
            windows = read_windows(file, window_s, hop_s or window_s)
            recording = next(sound for begins_s, sound in windows if begins_s == start_s)
        explanation = detector.explain(recording, machine, section)
        articles.append(
            article(
                explanation, one.path, bool(one.anomalous), scored.threshold, start_s, windowed=window_s is not None
            )
        )
        scorings = explanation.contributions.size
    body = template("explanations.html", TEMPLATES).render(
        name=detector.name,
        alarms=len(alarms),
        total=len(good),
        errors=scored.errors,
        threshold=scored.threshold,
        method=scored.method,
        notes=scored.notes,
        articles=articles,
        scorings=scorings,
    )
    page = render_page("Why these recordings are suspicious", body, styles=[stylesheet()], marker=MARKER)
    write_bytes(to, page.encode(errors="backslashreplace"))  # bytes of a name that are no UTF-8
    return len(shown)


def require_explanations(detector: Any, to: Path | None = None) -> None:
    """Refuse what only scores, and a place where no page can be written.

    Raises:
        RequirementError: it is a model that was exported.
        UsageError: a file is in the way that is no such page, or nothing can be written there.
    """
    if not hasattr(detector, "explain"):
        raise RequirementError("An exported model cannot explain; take the detector that it was exported from.")
    if to is not None:
        require_own_page(to, MARKER, "--explain")
        require_writable(to.parent, "--explain FILE.html")


def stylesheet() -> str:
    """The style of articles, for a page that shows some."""
    return asset(TEMPLATES, "explanations.css")


def article(
    one: Explanation,
    path: str,
    anomalous: bool,
    threshold: float,
    start_s: float = 0.0,
    *,
    windowed: bool = False,
    audio: bool = True,
) -> str:
    """One recording as HTML.

    Args:
        one: the explanation.
        path: what the recording is called.
        anomalous: the decision on it.
        threshold: that it was compared with.
        start_s: of the window that is explained, within the recording.
        windowed: whether it is a window of the recording.
        audio: put its sound into the page.
    """
    from markupsafe import Markup

    ends_db = common_scale_db([one.log_mel_db, one.nearest_log_mel_db])
    own = draw_log_mel(one.log_mel_db, one.seconds, one.scale, ends_db)
    regions = one.regions()
    _add_boxes(own, one, regions)
    nearest = draw_log_mel(one.nearest_log_mel_db, one.nearest_seconds, one.scale, ends_db)
    html: str = template("explanation.html", TEMPLATES).render(
        one=one,
        path=path,
        anomalous=anomalous,
        threshold=threshold,
        start_s=start_s,
        windowed=windowed,
        regions=regions,
        own=figure_svg(own, f"Log-mel of {path}"),
        map=figure_svg(_map(one), f"Contributions of regions of {path}"),
        nearest=figure_svg(nearest, f"Log-mel of the healthy clip {one.nearest}"),
        audio=wav_address(*one.sound) if audio else "",
        hertz=lambda hz: f"{hz:.0f} Hz" if hz < 1000 else f"{hz / 1000:.1f} kHz",
    )
    return Markup(html)


def mel_bin(one: Explanation, frequency_hz: float) -> float:
    """Where a frequency lies in the log-mel, or which end is next to it, in bins."""
    return float(np.clip(one.scale.bin_of(frequency_hz), -0.5, one.scale.n_mels - 0.5))


def _add_boxes(figure: "Figure", one: Explanation, regions: Sequence[Region]) -> None:
    from matplotlib.patches import Rectangle

    for region in regions:
        low, high = mel_bin(one, region.low_hz), mel_bin(one, region.high_hz)
        place, width = (region.start_s, low), region.end_s - region.start_s
        for colour, line in (("black", 2.6), ("white", 1.2)):  # seen on dark and on bright
            figure.axes[0].add_patch(Rectangle(place, width, high - low, fill=False, edgecolor=colour, linewidth=line))


def _map(one: Explanation) -> "Figure":
    """Contributions over time and frequency, the latter as in the log-mels."""
    with drawing_style():
        figure = new_figure(*SIZE_PX, arranged=False)
        axes = figure.add_axes((0.15, 0.21, 0.66, 0.75))
        values = np.maximum(one.contributions, 0.0)
        mesh = axes.pcolormesh(
            one.times_s,
            [mel_bin(one, hz) for hz in one.frequencies_hz],
            values,
            cmap="viridis",
            vmin=0.0,
            vmax=max(values.max(), 1e-12),
            rasterized=True,
        )
        label_axes(figure, mesh, one.scale, "fall of the score")
    return figure
