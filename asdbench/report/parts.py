"""The report's parts as the template wants them: pictures with their words, machine type by machine type."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from asdbench.core.errors import AsdbenchError
from asdbench.datasets.audio import BadRecording
from asdbench.datasets.clips import Clip
from asdbench.harness.learned import network_text
from asdbench.pages.figures import figure_svg
from asdbench.registry.ensembles import AND
from asdbench.report.contents import Contents, SectionView
from asdbench.report.decisions import Mistake, typical_normal, worst_mistakes
from asdbench.report.embedding_map import draw_map, place, thinned
from asdbench.report.replay import Replay
from asdbench.report.roc import Curve, draw_roc, section_curves
from asdbench.report.scores import draw_scores
from asdbench.report.spectrograms import LogMelPictures, common_scale_db, draw_log_mel, wav_address
from asdbench.report.training import draw_curves

if TYPE_CHECKING:
    from typing import Literal

    from markupsafe import Markup


@dataclass(frozen=True)
class Picture:
    """A picture, or why there is none."""

    svg: "Markup | None"
    words: str = ""


@dataclass(frozen=True)
class SectionPart:
    """One section: its ROC and its scores."""

    view: SectionView
    roc: Picture
    scores: Picture
    curves: list[Curve]


@dataclass(frozen=True)
class ClipPart:
    """One clip that is looked at closely.

    Attributes:
        mistake: which clip.
        attributes: of the clip, "vel 6, loc A".
        log_mel: its picture.
        audio: data address of its sound; empty without.
    """

    mistake: Mistake
    attributes: str
    log_mel: Picture
    audio: str


@dataclass(frozen=True)
class CloseLook:
    """The clips of a machine type that are looked at closely; ``typical`` are normal clips to compare them with."""

    machine: str
    false_alarms: list[ClipPart]
    misses: list[ClipPart]
    typical: list[ClipPart]
    missing: str


def section_part(contents: Contents, view: SectionView) -> SectionPart:
    """ROC and scores of a section."""
    named = f"{view.machine}, section {view.section}"
    rows = view.rows
    if rows is None:
        curves, roc = [], Picture(None, "No ROC: nobody tells which clips are anomalies.")
    else:
        curves = section_curves(contents.record.dataset.protocol, rows)
        areas = ", ".join(f"{curve.name} {100 * curve.auc:.1f} %" for curve in curves)
        roc = Picture(figure_svg(draw_roc(curves), f"ROC of {named}. AUC: {areas}."), _pauc_words(curves))
    scores = Picture(figure_svg(draw_scores(view), f"Anomaly scores of {named}"), _score_words(view))
    return SectionPart(view, roc, scores, curves)


def _pauc_words(curves: list[Curve]) -> str:
    values = [
        f"{100 * curve.pauc:.1f} % ({'all clips' if curve.name == 'all' else curve.name})"
        for curve in curves
        if "pauc" in curve.counted
    ]
    return f"pAUC, the shaded region up to 10 % false alarms, McClish-standardised: {', '.join(values)}."


def _score_words(view: SectionView) -> str:
    if view.threshold is None:
        words = "The record holds no threshold of this section."
    else:
        words = (
            f"Threshold {view.threshold.value:.4g} ({view.threshold.method}); clips right of it are called anomalous."
        )
    if view.scores.min() == view.scores.max():
        words += f" Every score is {view.scores[0]:g}."
    return words


def map_pictures(
    contents: Contents, machine: str, replay: Replay | str, method: "Literal['pca', 'umap']"
) -> tuple[dict[str, Picture], str]:
    """A map for each section of a machine type, and in words how it was made, or why there is none."""
    if isinstance(replay, str):
        return {}, replay
    if machine not in replay.dataset.machines:
        return {}, f"The recordings hold no {machine} any more."
    try:
        clips, rows = replay.embeddings(machine)
    except (AsdbenchError, OSError) as error:
        return {}, str(error)
    name = contents.record.extractor.name
    members = name.split(AND) if AND in name else ()
    placed = place(clips, rows, replay.dataset, contents.sections_of(machine), method, members)
    pictures = {}
    for section in sorted(set(placed.sections.tolist())):
        step = thinned(placed, section)
        words = f"Drawn is every {_ordinal(step)} clip." if step > 1 else ""
        svg = figure_svg(draw_map(placed, section), f"Embeddings of {machine}, section {section}")
        pictures[section] = Picture(svg, words)
    return pictures, placed.method


def _ordinal(number: int) -> str:
    return {2: "second", 3: "third"}.get(number, f"{number}th")


def close_look(contents: Contents, machine: str, replay: Replay | str, number: int, audio: bool) -> CloseLook:
    """The worst false alarms and misses of a machine type, with typical normal clips of their domains."""
    views = contents.sections_of(machine)
    false_alarms, misses = worst_mistakes(views, number)
    domains = sorted({mistake.domain for mistake in (*false_alarms, *misses)})
    typical = [found for domain in domains if (found := typical_normal(views, domain)) is not None]
    groups = (false_alarms, misses, typical)
    missing = ""
    pictures: dict[tuple[str, str], Picture] = {}
    sounds: dict[tuple[str, str], str] = {}
    clips: dict[tuple[str, str], Clip] = {}
    if isinstance(replay, str):
        missing = replay
    else:
        clips = {
            (clip.section, clip.path.stem): clip for clip in replay.dataset.select(machines=[machine], split="test")
        }
        try:
            pictures, sounds = _log_mels(contents, clips, [one for group in groups for one in group], audio)
        except AsdbenchError as error:
            missing = str(error)

    def part(mistake: Mistake) -> ClipPart:
        key = _key(mistake)
        clip = clips.get(key)
        attributes = ", ".join(" ".join(pair) for pair in clip.attributes) if clip is not None else ""
        return ClipPart(mistake, attributes, pictures.get(key, Picture(None, "")), sounds.get(key, ""))

    parts = [[part(one) for one in group] for group in groups]
    return CloseLook(machine, parts[0], parts[1], parts[2], missing)


def _key(mistake: Mistake) -> tuple[str, str]:
    name = mistake.name
    return mistake.view.section, name[:-4] if name.endswith(".wav") else name


def _log_mels(
    contents: Contents, clips: Mapping[tuple[str, str], Clip], chosen: list[Mistake], audio: bool
) -> tuple[dict[tuple[str, str], Picture], dict[tuple[str, str], str]]:
    maker = LogMelPictures(contents.record.frontend)
    pictures: dict[tuple[str, str], Picture] = {}
    sounds: dict[tuple[str, str], str] = {}
    read = {}
    for key in dict.fromkeys(map(_key, chosen)):
        if key not in clips:
            pictures[key] = Picture(None, "The data set has no recording of this name any more.")
            continue
        try:
            samples = maker.read(clips[key].path)
        except BadRecording as error:
            pictures[key] = Picture(None, f"The recording cannot be shown: {error}")
            continue
        read[key] = (maker.levels_db(samples), len(samples) / maker.rate_hz)
        if audio:
            sounds[key] = wav_address(samples, maker.rate_hz)
    if read:
        ends = common_scale_db([levels for levels, _ in read.values()])
        for key, (levels, seconds) in read.items():
            svg = figure_svg(draw_log_mel(levels, seconds, maker.scale, ends), f"Log-mel of {key[1]}")
            pictures[key] = Picture(svg)
    return pictures, sounds


def training_pictures(contents: Contents) -> list[tuple[str, Picture]]:
    """For each trained network of the machine types that are shown: whose it is, and its curves."""
    pictures = []
    for network in contents.record.training:
        if not set(network.machines) & set(contents.machines):
            continue
        figure = draw_curves(network)
        names = ", ".join(network.machines)
        size = [] if network.parameters is None else [f"{network.parameters:,} learned parameters".replace(",", " ")]
        if network.macs is not None:
            size.append(f"{network.macs / 1e6:,.1f} million multiply-accumulates for a clip".replace(",", " "))
        words = ", ".join(size)
        if network.learning is not None:
            words = "; ".join(filter(None, [words, network_text(network.learning)]))
        svg = None if figure is None else figure_svg(figure, f"Training curves of the network of {names}")
        pictures.append((names, Picture(svg, words)))
    return pictures
