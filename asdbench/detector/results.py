"""What a detector says of recordings. numpy alone is imported, so that an exported detector starts quickly."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from asdbench.core.errors import UsageError
from asdbench.protocols.threshold import p_values

if TYPE_CHECKING:
    import pandas


@dataclass(frozen=True)
class Window:
    """A part of a long recording.

    Attributes:
        start_s: where it begins.
        score: higher is more anomalous; None where it cannot be scored.
        error: why not.
    """

    start_s: float
    score: float | None
    error: str | None = None


@dataclass(frozen=True)
class ScoredRecording:
    """One recording; either a score, or an error.

    Attributes:
        path: as it was given, or below the folder that was given.
        score: higher is more anomalous; of windows that of the highest.
        threshold: above which a score is anomalous.
        anomalous: whether it lies above; of windows whether the alarm went off.
        p_value: share of healthy clips that score as high, the recording counted among them: (k + 1) / (n + 1).
        error: why it cannot be scored.
        windows: of a recording that is scored in windows.
        file: where it is; None for an array.
    """

    path: str
    score: float | None = None
    threshold: float | None = None
    anomalous: bool | None = None
    p_value: float | None = None
    error: str | None = None
    windows: tuple[Window, ...] = ()
    file: Path | None = None

    def to_json(self) -> dict[str, Any]:
        """As ``asdbench score --json`` has it."""
        if self.error is not None:
            return {"path": self.path, "error": self.error}
        content: dict[str, Any] = {
            "path": self.path,
            "score": self.score,
            "threshold": self.threshold,
            "anomalous": self.anomalous,
            "p_value": self.p_value,
        }
        if self.windows:
            content["windows"] = [
                {"start_s": one.start_s, "score": one.score} if one.error is None
                else {"start_s": one.start_s, "error": one.error}
                for one in self.windows
            ]  # fmt: skip
        return content


@dataclass(frozen=True)
class Alarm:
    """When windows raise an alarm: ``count`` of ``among`` in a row lie above the threshold."""

    count: int = 1
    among: int = 1

    def is_raised(self, above: Sequence[bool]) -> bool:
        """Whether it goes off anywhere; of fewer windows than ``among`` all are looked at together."""
        sums = np.convolve(above, np.ones(min(self.among, len(above)), int)) if len(above) else np.zeros(1)
        return bool(sums.max() >= self.count)


def alarm_of(text: str) -> Alarm:
    """Read ``3/5``; ``3`` is three in a row. Raises UsageError: it is neither."""
    count, slash, among = text.partition("/")
    try:
        alarm = Alarm(int(count), int(among) if slash else int(count))
    except ValueError:
        alarm = Alarm(0, 0)
    if not 1 <= alarm.count <= alarm.among:
        raise UsageError(f"An alarm after '{text}': accepted is K/N with 1 <= K <= N; 3/5 is three windows of five.")
    return alarm


class Scored(Sequence[ScoredRecording]):
    """The results for some recordings, in their order.

    Attributes:
        clips: one for each recording.
        threshold: of the machine type and section.
        method: where the threshold comes from.
        notes: what the user should know.
    """

    def __init__(
        self, clips: Sequence[ScoredRecording], threshold: float, method: str, notes: Sequence[str] = ()
    ) -> None:
        self.clips = tuple(clips)
        self.threshold = threshold
        self.method = method
        self.notes = tuple(notes)

    def __len__(self) -> int:
        return len(self.clips)

    def __getitem__(self, place: Any) -> Any:
        return self.clips[place]

    @property
    def scores(self) -> NDArray[np.float64]:
        """Anomaly scores, float64 (n,); NaN where a recording cannot be scored."""
        return np.array([np.nan if one.score is None else one.score for one in self.clips], np.float64)

    @property
    def decisions(self) -> NDArray[np.int64]:
        """1 where a recording is anomalous, int64 (n,); 0 also where it cannot be scored, which ``scores`` tell."""
        return np.array([bool(one.anomalous) for one in self.clips], np.int64)

    @property
    def p_values(self) -> NDArray[np.float64]:
        """How unusual each is among the healthy clips, float64 (n,); NaN where a recording cannot be scored."""
        return np.array([np.nan if one.p_value is None else one.p_value for one in self.clips], np.float64)

    @property
    def errors(self) -> list[ScoredRecording]:
        """Recordings that cannot be scored."""
        return [one for one in self.clips if one.error is not None]

    def to_json(self) -> dict[str, Any]:
        """One object: ``threshold``, ``threshold_method``, ``notes`` and ``clips``."""
        return {
            "threshold": self.threshold,
            "threshold_method": self.method,
            "notes": list(self.notes),
            "clips": [one.to_json() for one in self.clips],
        }

    def to_frame(self) -> "pandas.DataFrame":
        """One row for each recording: path, score, threshold, anomalous, p_value, error."""
        import pandas

        columns = ["path", "score", "threshold", "anomalous", "p_value", "error"]
        return pandas.DataFrame([{key: getattr(one, key) for key in columns} for one in self.clips], columns=columns)

    def __repr__(self) -> str:
        return f"<Scored: {int(self.decisions.sum())} of {len(self)} anomalous, {len(self.errors)} not scored>"

    def _repr_html_(self) -> str:
        alarms = int(self.decisions.sum())
        head = f"{alarms} of {len(self)} anomalous; threshold {self.threshold:.4g} ({escape(self.method)})"
        return f"<p>{head}</p>{self.to_frame().to_html()}"


def result_of(
    path: str,
    file: Path | None,
    windows: Sequence[Window],
    threshold: float,
    healthy: NDArray[np.float64],
    alarm: Alarm,
    *,
    whole: bool,
) -> ScoredRecording:
    """The result for one recording, of the windows that it was scored in.

    Args:
        path: what it is called.
        file: where it is; None for an array.
        windows: at least one; the whole recording is one as well.
        threshold: above which a score is anomalous.
        healthy: scores of the training clips, by scorers that have not seen them.
        alarm: when windows raise one.
        whole: the one window is the recording, and is not listed.
    """
    scores = [one.score for one in windows if one.score is not None]
    if not scores:
        return ScoredRecording(path, error=windows[0].error or "it holds nothing to score", file=file)
    score = max(scores)
    return ScoredRecording(
        path,
        score=score,
        threshold=threshold,
        anomalous=alarm.is_raised([one.score is not None and one.score > threshold for one in windows]),
        p_value=float(p_values(healthy, np.array([score]))[0]),
        windows=() if whole else tuple(windows),
        file=file,
    )
