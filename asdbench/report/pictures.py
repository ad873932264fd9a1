"""What the report's template shows of each machine type: pictures with captions, closely looked at clips, networks."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from asdbench.core.errors import AsdbenchError
from asdbench.datasets.audio import BadRecording
from asdbench.datasets.clips import Clip
from asdbench.detector.explanation_page import article
from asdbench.detector.fitting import fit_cell
from asdbench.detector.spectrograms import LogMelPictures, common_scale_db, draw_log_mel, wav_address
from asdbench.harness.learned import network_text
from asdbench.harness.replay import Replay
from asdbench.pages.figures import figure_svg
from asdbench.registry.ensembles import AND
from asdbench.report.contents import Contents, SectionView
from asdbench.report.decisions import ScoredClip, scored_clips, typical_normal, worst_mistakes
from asdbench.report.embedding_map import draw_map, place, thinned
from asdbench.report.roc import Curve, draw_roc, section_curves
from asdbench.report.scores import draw_scores
from asdbench.report.training import draw_curves

if TYPE_CHECKING:
    from markupsafe import Markup


@dataclass(frozen=True)
class Picture:
    """A picture, or why there is none."""

    svg: "Markup | None"
    caption: str = ""


@dataclass(frozen=True)
class SectionPictures:
    """ROC and scores of one section."""

    view: SectionView
    roc: Picture
    scores: Picture


@dataclass(frozen=True)
class ShownClip:
    """One clip that is looked at closely."""

    clip: ScoredClip  # which clip
    attributes: str  # of the clip, "vel 6, loc A"
    log_mel: Picture  # its picture
    audio: str  # data address of its sound; empty without


@dataclass(frozen=True)
class CloseLook:
    """The clips of a machine type that are looked at closely; ``typical`` are normal clips to compare them with."""

    machine: str
    false_alarms: list[ShownClip]
    misses: list[ShownClip]
    typical: list[ShownClip]
    missing: str


def section_pictures(contents: Contents, view: SectionView) -> SectionPictures:
    """ROC and scores of a section."""
    named = f"{view.machine}, section {view.section}"
    if view.rows is None:
        roc = Picture(None, "No ROC: it is not known which clips are anomalies.")
    else:
        curves = section_curves(contents.record.dataset.protocol, view.rows)
        areas = ", ".join(f"{curve.name} {100 * curve.auc:.1f} %" for curve in curves)
        roc = Picture(figure_svg(draw_roc(curves), f"ROC of {named}. AUC: {areas}."), _pauc_caption(curves))
    scores = Picture(figure_svg(draw_scores(view), f"Anomaly scores of {named}"), _score_caption(view))
    return SectionPictures(view, roc, scores)


def _pauc_caption(curves: Sequence[Curve]) -> str:
    values = [
        f"{100 * curve.pauc:.1f} % ({'all clips' if curve.name == 'all' else curve.name})"
        for curve in curves
        if "pauc" in curve.counted
    ]
    return f"pAUC, the shaded region up to 10 % false alarms, McClish-standardised: {', '.join(values)}."


def _score_caption(view: SectionView) -> str:
    caption = "The record has no threshold of this section."
    if view.threshold is not None:
        limit = f"{view.threshold.value:.4g} ({view.threshold.method})"
        caption = f"Threshold {limit}; clips right of it are called anomalous."
    same = f" Every score is {view.scores[0]:g}." if view.scores.min() == view.scores.max() else ""
    return caption + same


def map_pictures(
    contents: Contents, machine: str, replay: Replay | str, method: Literal["pca", "umap"]
) -> tuple[dict[str, Picture], str]:
    """A map for each section of a machine type, and how it was made, or why there is none."""
    if isinstance(replay, str):
        return {}, replay
    if machine not in replay.dataset.machines:
        return {}, f"The recordings hold no {machine} any more."
    try:
        clips, embeddings = replay.embeddings(machine)
    except (AsdbenchError, OSError) as error:
        return {}, str(error)
    name = contents.record.extractor.name
    members = name.split(AND) if AND in name else ()
    placed = place(clips, embeddings, replay.dataset, contents.sections_of(machine), method, members)
    pictures = {}
    for section in sorted(set(placed.sections.tolist())):
        step = thinned(placed, section)
        ordinal = {2: "second", 3: "third"}.get(step, f"{step}th")
        svg = figure_svg(draw_map(placed, section), f"Embeddings of {machine}, section {section}")
        pictures[section] = Picture(svg, f"Drawn is every {ordinal} clip." if step > 1 else "")
    return pictures, placed.method


def close_look(contents: Contents, machine: str, replay: Replay | str, number: int, audio: bool) -> CloseLook:
    """The worst false alarms and misses of a machine type, with typical normal clips of their domains."""
    views = contents.sections_of(machine)
    false_alarms, misses = worst_mistakes(views, number)
    domains = sorted({clip.domain for clip in (*false_alarms, *misses)})
    typical = [clip for domain in domains if (clip := typical_normal(views, domain)) is not None]
    missing = replay if isinstance(replay, str) else ""
    pictures: dict[tuple[str, str], tuple[Picture, str]] = {}
    recordings: dict[tuple[str, str], Clip] = {}
    if not isinstance(replay, str):
        test_clips = replay.dataset.select(machines=[machine], split="test")
        recordings = {(clip.section, clip.stem): clip for clip in test_clips}
        keys = list(dict.fromkeys(_key(clip) for clip in (*false_alarms, *misses, *typical)))
        try:
            pictures = _log_mels(contents, {key: recordings.get(key) for key in keys}, audio)
        except AsdbenchError as error:
            missing = str(error)

    def shown(clips: Sequence[ScoredClip]) -> list[ShownClip]:
        result = []
        for clip in clips:
            recording = recordings.get(_key(clip))
            attributes = ", ".join(" ".join(pair) for pair in recording.attributes) if recording is not None else ""
            result.append(ShownClip(clip, attributes, *pictures.get(_key(clip), (Picture(None), ""))))
        return result

    return CloseLook(machine, shown(false_alarms), shown(misses), shown(typical), missing)


def _key(clip: ScoredClip) -> tuple[str, str]:
    return clip.section, clip.name.removesuffix(".wav")


def _log_mels(
    contents: Contents, recordings: dict[tuple[str, str], Clip | None], audio: bool
) -> dict[tuple[str, str], tuple[Picture, str]]:
    """Log-mel picture of each recording, and the data address of its sound where ``audio`` is wanted."""
    maker = LogMelPictures(contents.record.frontend)
    pictures: dict[tuple[str, str], tuple[Picture, str]] = {}
    samples = {}
    for key, recording in recordings.items():
        if recording is None:
            pictures[key] = Picture(None, "The data set has no recording of this name any more."), ""
            continue
        try:
            samples[key] = maker.read(recording.path)
        except BadRecording as error:
            pictures[key] = Picture(None, f"The recording cannot be shown: {error}"), ""
    levels_db = {key: maker.levels_db(one) for key, one in samples.items()}
    ends_db = common_scale_db(list(levels_db.values())) if levels_db else (0.0, 0.0)
    for key, levels in levels_db.items():
        figure = draw_log_mel(levels, len(samples[key]) / maker.rate_hz, maker.scale, ends_db)
        sound = wav_address(samples[key], maker.rate_hz) if audio else ""
        pictures[key] = Picture(figure_svg(figure, f"Log-mel of {key[1]}")), sound
    return pictures


def training_pictures(contents: Contents) -> list[tuple[str, Picture]]:
    """For each trained network of the machine types that are shown: whose it is, and its curves."""
    pictures = []
    for network in contents.record.training:
        if not set(network.machines) & set(contents.machines):
            continue
        names = ", ".join(network.machines)
        size = [] if network.parameters is None else [f"{network.parameters:,} learned parameters".replace(",", " ")]
        if network.macs is not None:
            size.append(f"{network.macs / 1e6:,.1f} million multiply-accumulates for a clip".replace(",", " "))
        learning = [] if network.learning is None else [network_text(network.learning)]
        caption = "; ".join(filter(None, [", ".join(size), *learning]))
        figure = draw_curves(network)
        svg = None if figure is None else figure_svg(figure, f"Training curves of the network of {names}")
        pictures.append((names, Picture(svg, caption)))
    return pictures


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
