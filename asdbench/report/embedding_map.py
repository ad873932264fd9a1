"""A map of what the extractor made of the clips: where training and test clips lie, by domain and label."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from asdbench.core.errors import RequirementError
from asdbench.datasets.clips import BlindClip, Dataset
from asdbench.pages.figures import MUTED, drawing_style, new_figure
from asdbench.report.contents import SectionView
from asdbench.report.groups import DOMAIN_COLOURS, Group, draw_groups

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Method = Literal["pca", "umap", "none", "auto"]
FEW = 10  # clips that UMAP makes nothing of
DRAWN = 1500  # dots of a map; of more, every second, third ... is drawn
SEED = 0
MARKERS = {"train": ".", "normal": "o", "anomaly": "D", "unlabelled": "x"}


@dataclass(frozen=True)
class Placed:
    """Clips in the plane of a map.

    Attributes:
        places: (n, 2), or (n, 1) where the embedding is one number.
        kinds: "train", "normal", "anomaly" or "unlabelled", of each clip.
        domains: "source", "target" or an empty text, of each clip.
        sections: of each clip.
        axes: what the axes are.
        method: how the places were found, in words.
    """

    places: NDArray[np.float64]
    kinds: NDArray[np.str_]
    domains: NDArray[np.str_]
    sections: NDArray[np.str_]
    axes: tuple[str, ...]
    method: str


def settled(method: Method) -> Literal["pca", "umap", "none"]:
    """What ``auto`` means here, and whether UMAP can be had.

    Raises:
        RequirementError: UMAP was asked for and is not installed.
    """
    from importlib.util import find_spec

    there = find_spec("umap") is not None
    if method == "umap" and not there:
        raise RequirementError(
            "--embedding-map umap needs the package umap-learn, which is not installed.\n"
            "Install it with: pip install umap-learn, or take --embedding-map pca"
        )
    if method == "auto":
        return "umap" if there else "pca"
    return method


def place(
    clips: Sequence[BlindClip],
    rows: NDArray[np.float32],
    table: Dataset,
    views: Sequence[SectionView],
    method: Literal["pca", "umap"],
    members: Sequence[str] = (),
) -> Placed:
    """Project the embeddings of one machine type's training and test clips into a plane.

    Args:
        clips: of the machine type.
        rows: their embeddings, (n, dim).
        table: the data set, which tells split, domain and label of each clip.
        views: the machine type's test clips as the report shows them; their labels and domains come first.
        method: "pca", of the embeddings as they are (centred, not scaled), or "umap".
        members: of an ensemble, whose scores the embeddings are; each is divided by its deviation.
    """
    by_place: dict[tuple[str, str], Any] = {}
    for clip in table:
        by_place.setdefault((clip.key, clip.section), clip)  # training clips stand before test clips
    told: Mapping[tuple[str, str], tuple[int | None, str]] = {
        (view.section, name): (None if view.labels is None else int(view.labels[row]), str(view.domains[row]))
        for view in views
        for row, name in enumerate(view.names)
    }
    kinds, domains = [], []
    for blind in clips:
        clip = by_place[blind.key, blind.section]
        label, domain = clip.label, clip.domain or ""
        if clip.split == "test":
            stem = clip.path.name
            known = told.get((clip.section, stem)) or told.get((clip.section, clip.path.stem)) or (None, "")
            label = label if known[0] is None else known[0]
            domain = known[1] or domain
        kinds.append("train" if clip.split == "train" else {0: "normal", 1: "anomaly", None: "unlabelled"}[label])
        domains.append(domain)
    values = np.asarray(rows, np.float64)
    what = f"{values.shape[1]} dimensions"
    if members:
        deviations = values.std(axis=0)
        values = values / np.where(deviations > 0.0, deviations, 1.0)
        what = f"the anomaly scores of the members ({', '.join(members)}), each in units of its deviation"
    axes: tuple[str, ...]
    if values.shape[1] == 1:
        places, axes, text = values, ("embedding",), "The embedding of a clip is one number."
    elif method == "umap" and len(values) > FEW:
        places, axes, text = _umap(values), ("UMAP 1", "UMAP 2"), "UMAP; only nearness means something, not the axes."
    else:
        places, shares = principal_components(values)
        axes = tuple(
            f"component {number} ({100 * share:.0f} % of the variance)" for number, share in enumerate(shares, 1)
        )
        text = (
            f"The two principal components of {what}; they hold {100 * sum(shares):.1f} % of the "
            "variance of training and test clips together."
        )
    sections = np.array([clip.section for clip in clips])
    return Placed(places, np.array(kinds), np.array(domains), sections, axes, text)


def principal_components(values: NDArray[np.float64]) -> tuple[NDArray[np.float64], tuple[float, float]]:
    """Places (n, 2) on the first two principal axes, and the share of the variance that each explains."""
    from sklearn.decomposition import PCA

    if len(values) < 2 or not np.ptp(values, axis=0).any():
        return np.zeros((len(values), 2)), (0.0, 0.0)
    small = min(values.shape) <= 3
    pca = PCA(2, svd_solver="full" if small else "arpack", random_state=SEED)
    places = pca.fit_transform(values)
    first, second = (float(share) for share in pca.explained_variance_ratio_)
    return places, (first, second)


def _umap(values: NDArray[np.float64]) -> NDArray[np.float64]:
    import warnings

    import umap  # type: ignore[import-not-found, unused-ignore]  # optional

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that a seed makes it run on one core
        reducer = umap.UMAP(n_components=2, random_state=SEED, n_neighbors=min(15, len(values) - 1), init="pca")
        return np.asarray(reducer.fit_transform(values), np.float64)


def draw_map(placed: Placed, section: str) -> "Figure":
    """The clips of one section in front of those of the others, which are grey; a histogram of one-number embeddings.

    All sections of a machine type are drawn on the same axes.
    """
    own = placed.sections == section
    if placed.places.shape[1] == 1:
        return draw_groups(_rows_of(placed, own), None, placed.axes[0])
    step = -(-int(own.sum()) // DRAWN)
    with drawing_style():
        figure = new_figure(360, 392)
        axes = figure.add_subplot()
        others = placed.places[~own][:: -(-int((~own).sum()) // 400) or 1]
        axes.plot(*others.T, ".", color=MUTED, alpha=0.15, markersize=3)
        for kind, marker in MARKERS.items():
            for domain, colour in DOMAIN_COLOURS.items():
                chosen = placed.places[own & (placed.kinds == kind) & (placed.domains == domain)][::step]
                if not len(chosen):
                    continue
                name = ", ".join(part for part in ({"train": "training"}.get(kind, kind), domain) if part)
                axes.plot(
                    *chosen.T,
                    linestyle="none",
                    marker=marker,
                    color=colour,
                    alpha=0.4 if kind == "train" else 0.9,
                    markersize={"train": 6, "anomaly": 4.6}.get(kind, 5),
                    markerfacecolor=colour if kind in ("train", "anomaly") else "none",
                    markeredgewidth=0 if kind == "train" else 1.1,
                    label=name,
                )
        axes.margins(0.05)
        axes.set_xlabel(placed.axes[0])
        axes.set_ylabel(placed.axes[1])
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_ticks([])
        figure.legend(loc="outside lower left", ncols=2, handletextpad=0.2, columnspacing=1.2)
    return figure


def thinned(placed: Placed, section: str) -> int:
    """Which share of the section's clips is drawn: 1 is all, 3 every third."""
    return max(1, -(-int((placed.sections == section).sum()) // DRAWN)) if placed.places.shape[1] > 1 else 1


def _rows_of(placed: Placed, own: NDArray[np.bool_]) -> list[Group]:
    groups = []
    for kind in MARKERS:
        for domain in DOMAIN_COLOURS:
            chosen = own & (placed.kinds == kind) & (placed.domains == domain)
            if chosen.any():
                name = ", ".join(part for part in ({"train": "training"}.get(kind, kind), domain) if part)
                anomalous = {"anomaly": True, "unlabelled": None}.get(kind, False)
                groups.append(Group(name, domain, anomalous, placed.places[chosen, 0]))
    return groups
