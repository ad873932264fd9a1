"""A map of what the extractor made of the clips: where training and test clips lie, by domain and label."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from asdbench.core.errors import RequirementError
from asdbench.datasets.clips import BlindClip, Clip, Dataset
from asdbench.pages.figures import MUTED, drawing_style, new_figure
from asdbench.report.contents import SectionView
from asdbench.report.scores import DOMAIN_COLOURS, Group, draw_groups

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Method = Literal["pca", "umap", "none", "auto"]
FEW = 10  # clips that UMAP makes nothing of
DRAWN = 1500  # dots of a map; of more, every second, third ... is drawn
SEED = 0
MARKERS = {"train": ".", "normal": "o", "anomaly": "D", "unlabelled": "x"}
KINDS = {0: "normal", 1: "anomaly", None: "unlabelled"}


@dataclass(frozen=True)
class Placed:
    """Clips in the plane of a map."""

    places: NDArray[np.float64]  # (n, 2), or (n, 1) where the embedding is one number
    kinds: NDArray[np.str_]  # "train", "normal", "anomaly" or "unlabelled", of each clip
    domains: NDArray[np.str_]  # "source", "target" or an empty text, of each clip
    sections: NDArray[np.str_]  # of each clip
    axes: tuple[str, ...]  # what the axes are
    method: str  # how the places were computed, a sentence

    def groups(self, section: str) -> Iterator[tuple[str, str, str, NDArray[np.float64]]]:
        """Kind, domain, name and places of the section's clips."""
        for kind in MARKERS:
            for domain in DOMAIN_COLOURS:
                chosen = (self.sections == section) & (self.kinds == kind) & (self.domains == domain)
                name = ", ".join(filter(None, ["training" if kind == "train" else kind, domain]))
                if chosen.any():
                    yield kind, domain, name, self.places[chosen]


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
    embeddings: NDArray[np.float32],
    dataset: Dataset,
    views: Sequence[SectionView],
    method: Literal["pca", "umap"],
    members: Sequence[str] = (),
) -> Placed:
    """Project the embeddings of one machine type's training and test clips into a plane.

    Args:
        clips: of the machine type.
        embeddings: of the clips, (n, dim) or (n, bands, dim).
        dataset: which knows split, domain and label of each clip.
        views: the machine type's test clips as the report shows them; their labels and domains come first.
        method: "pca", of the embeddings as they are (centred, not scaled), or "umap".
        members: of an ensemble, whose scores the embeddings are; each is divided by its deviation.
    """
    known: dict[tuple[str, str], Clip] = {}
    for clip in dataset:
        known.setdefault((clip.key, clip.section), clip)  # training clips stand before test clips
    shown = {(view.section, name): (view, row) for view in views for row, name in enumerate(view.names)}
    kinds, domains = [], []
    for blind in clips:
        clip = known[blind.key, blind.section]
        label, domain = clip.label, str(clip.domain or "")
        row_shown = shown.get((clip.section, clip.name)) or shown.get((clip.section, clip.stem))
        if clip.split == "test" and row_shown:
            view, row = row_shown
            label = label if view.labels is None else int(view.labels[row])
            domain = str(view.domains[row]) or domain
        kinds.append("train" if clip.split == "train" else KINDS[label])
        domains.append(domain)
    values = np.asarray(embeddings, np.float64).reshape(len(embeddings), -1)
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
        axes = tuple(f"component {one} ({100 * share:.0f} % of the variance)" for one, share in enumerate(shares, 1))
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
    if placed.places.shape[1] == 1:
        anomalous = {"anomaly": True, "unlabelled": None}
        groups = [
            Group(name, domain, anomalous.get(kind, False), places[:, 0])
            for kind, domain, name, places in placed.groups(section)
        ]
        return draw_groups(groups, None, placed.axes[0])
    with drawing_style():
        figure = new_figure(360, 392)
        axes = figure.add_subplot()
        others = placed.places[placed.sections != section]
        axes.plot(*others[:: _step(len(others), 400)].T, ".", color=MUTED, alpha=0.15, markersize=3)
        for kind, domain, name, places in placed.groups(section):
            colour = DOMAIN_COLOURS[domain]
            axes.plot(
                *places[:: thinned(placed, section)].T,
                linestyle="none",
                marker=MARKERS[kind],
                color=colour,
                alpha=0.4 if kind == "train" else 0.9,
                markersize={"train": 6, "anomaly": 4.6}.get(kind, 5),
                markerfacecolor=colour if kind in ("train", "anomaly") else "none",
                markeredgewidth=0 if kind == "train" else 1.1,
                label=name,
            )
        axes.margins(0.05)
        axes.set(xlabel=placed.axes[0], ylabel=placed.axes[1], xticks=[], yticks=[])
        figure.legend(loc="outside lower left", ncols=2, handletextpad=0.2, columnspacing=1.2)
    return figure


def thinned(placed: Placed, section: str) -> int:
    """Which share of the section's clips is drawn: 1 is all, 3 every third."""
    return _step(int((placed.sections == section).sum()), DRAWN) if placed.places.shape[1] > 1 else 1


def _step(count: int, most: int) -> int:
    return max(1, -(-count // most))
