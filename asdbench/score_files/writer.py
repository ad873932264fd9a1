"""Write score and decision files: ``file name,value``, no header, under the year's official names."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from asdbench.core.files import write_text
from asdbench.datasets.clips import Clip, Domain
from asdbench.score_files.names import Kind, file_name


def write_score_files(
    folder: Path,
    layout: str,
    clips: Sequence[Clip],
    scores: "np.typing.ArrayLike",
    decisions: "np.typing.ArrayLike",
) -> None:
    """Write the files of one section, rows ordered by file name; scores are written to the last digit.

    Args:
        folder: where to; made when it is not there.
        layout: of the data set; 2020 and 2021 have names of their own.
        clips: test clips of one section of one machine type.
        scores: one for each clip.
        decisions: 0 or 1 for each clip.
    """
    values: dict[Kind, list[str]] = {
        "anomaly_score": [repr(float(value)) for value in np.asarray(scores)],
        "decision_result": [str(int(value)) for value in np.asarray(decisions)],
    }
    parts: tuple[Domain | None, ...] = ("source", "target") if layout == "dcase2021" else (None,)
    for kind, column in values.items():
        for domain in parts:
            rows = [
                (clip.name, value)
                for clip, value in zip(clips, column, strict=True)
                if domain is None or clip.domain == domain
            ]
            if rows:
                name = file_name(kind, layout, clips[0].machine, clips[0].section, domain)
                write_text(folder / name, "".join(f"{clip},{value}\n" for clip, value in sorted(rows)))
