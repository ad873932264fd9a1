"""Distance to centres of the source clips and to every target clip."""

import numpy as np
from scipy.spatial.distance import cdist

from asdbench.core.threads import one_thread
from asdbench.scorers.bank import Distances, directions
from asdbench.scorers.base import ArrayScorer, Clips, Embeddings, Scores, doubles
from asdbench.scorers.domains import in_order, source_and_target


class TargetCentres(ArrayScorer):
    """Distance to the nearest of the k-means centres of the source clips and of all target clips.

    Wilkinghoff (2023, section 3): many source clips are summed up, and every target clip is a reference. With cosine
    distance the clips are scaled to length 1 before k-means and the centres are not scaled again, as in the author's
    programs: the score is ``1 - x.c``, so a centre of clips that point many ways is far from everything.

    Args:
        n_clusters: centres; all source clips where there are fewer.
        restarts: runs of k-means from differing starts; the tightest is taken.
        metric: "euclidean" or "cosine".
    """

    name = "kmeans-target"
    fewest = 1

    def __init__(self, *, n_clusters: int, restarts: int, metric: str) -> None:
        super().__init__()
        self._n_clusters = n_clusters
        self._restarts = restarts
        self._cosine = metric == "cosine"
        self._references: Distances = np.empty((0, 0))

    def _learn(self, rows: Distances, clips: Clips) -> None:
        source, target = source_and_target(rows, clips)
        if not len(target):
            self.notes.append("there are no target clips, so distances are to centres alone")
        if not len(source):
            self.notes.append("there are no source clips, so distances are to the target clips alone")
        self._references = np.concatenate([self.centres(source), target])

    def centres(self, source: Distances) -> Distances:
        """Centres (n_clusters, dim) of the source rows; the rows where there are not more of them than that."""
        distinct = len(np.unique(source, axis=0))
        if distinct <= self._n_clusters:
            if len(source):
                self.notes.append(
                    f"{distinct} differing source clips are taken as they are, for {self._n_clusters} centres"
                )
            return source
        from sklearn.cluster import KMeans

        means = KMeans(self._n_clusters, n_init=self._restarts, random_state=self.seed)
        with one_thread():  # sums would depend on the number of threads
            return np.asarray(means.fit(in_order(source)).cluster_centers_)

    def _score(self, rows: Distances) -> Scores:
        if not self._cosine:
            return np.asarray(cdist(rows, self._references).min(axis=1))
        # Not by a matrix product, whose rounding differs between one clip and many.
        lengths = [np.square(these).sum(axis=1) for these in (rows, self._references)]
        products = (lengths[0][:, None] + lengths[1] - cdist(rows, self._references, "sqeuclidean")) / 2
        return np.asarray(1 - products.max(axis=1))

    def _rows(self, embeddings: Embeddings) -> Distances:
        rows = doubles(self.name, embeddings)
        return directions(rows) if self._cosine else rows
