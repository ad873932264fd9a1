"""The most suspicious clips of a run, explained; labels decide nothing here."""

from dataclasses import dataclass

from asdbench.core.errors import AsdbenchError
from asdbench.detector.explanation_page import article
from asdbench.detector.fitting import fit_cell
from asdbench.harness.replay import Replay
from asdbench.report.contents import Contents
from asdbench.report.decisions import scored_clips


@dataclass(frozen=True)
class Suspicious:
    """Explanations of a machine type's clips as HTML, the highest above its threshold first; or why there are none."""

    machine: str
    articles: list[str]
    missing: str


def suspicious(contents: Contents, machine: str, replay: Replay | str, number: int) -> Suspicious:
    """Explain the clips of a machine type that lie highest above their section's threshold, whatever their labels."""
    if isinstance(replay, str):
        return Suspicious(machine, [], replay)
    clips = [clip for clip in scored_clips(contents.sections_of(machine)) if clip.threshold is not None]
    clips.sort(key=lambda clip: (-clip.above, clip.section, clip.name))
    try:
        paths = {
            (clip.section, clip.path.stem): clip.path
            for clip in replay.dataset.select(machines=[machine], split="test")
        }
        replay.require_fits(machine)
        thresholds = {machine: contents.record.thresholds[machine]}
        detector = fit_cell(replay.cell, thresholds=thresholds, machines=[machine])
        articles = []
        for clip in clips[:number]:
            path = paths[clip.section, clip.name.removesuffix(".wav")]
            explanation = detector.explain(path, machine, clip.section)
            articles.append(article(explanation, clip.name, clip.above > 0, explanation.threshold, audio=False))
    except KeyError as error:
        return Suspicious(machine, [], f"The data set has no recording {error} any more.")
    except (AsdbenchError, OSError) as error:
        return Suspicious(machine, [], str(error))
    return Suspicious(machine, articles, "")
