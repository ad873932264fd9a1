"""How good a run is without labels: how well it tells held-out training clips from the same with a patch of another."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from asdbench.core.digests import derive_seed
from asdbench.core.errors import AsdbenchError
from asdbench.core.progress import Progress
from asdbench.datasets import BlindClip, TrainingClip
from asdbench.frontends.decoding import TrainingWaveforms
from asdbench.frontends.pack import InMemoryFeatures
from asdbench.harness.cells import Cell
from asdbench.harness.embedding import EmbeddingStage
from asdbench.harness.fits import Embedded
from asdbench.harness.plan import Plan
from asdbench.harness.scoring import fitted_scorer, scores_of_training
from asdbench.registry.cards import ScorerCard
from asdbench.scorers.base import Embeddings, Scores
from asdbench.selection import Outliers, criterion, outlier_features
from asdbench.selection.criterion import Fitted


@dataclass(frozen=True)
class Pasted:
    """Features of pasted recordings of a machine type: by section the clips they are made of, and their keys."""

    features: InMemoryFeatures
    made_of: Mapping[str, Sequence[int]]

    def clips(self, machine: str, section: str) -> list[BlindClip]:
        """The recordings of a section."""
        return [BlindClip(f"{section}.{number}", machine, section) for number in range(len(self.made_of[section]))]


class Judge:
    """Judges runs on one machine type; every front end hears the same pasted recordings, which are made once.

    Args:
        plan: cache, device and threads.
        machine: machine type.
        progress: where the work is reported.
    """

    def __init__(self, plan: Plan, machine: str, progress: Progress) -> None:
        self._plan = plan
        self._machine = machine
        self._progress = progress
        self._heard: dict[str, Pasted] = {}

    def merit(self, cell: Cell) -> float:
        """Merit of a run in (0, 1], the mean over sections weighted by their training clips.

        Raises:
            AsdbenchError: it cannot be judged; the message says why.
        """
        training = _by_section(cell.dataset.select(machines=[self._machine]).training_view())
        seen = [self._seen(member, training) for member in cell.members or (cell,)]
        total = 0.0
        for section, clips in training.items():
            rows = np.concatenate([rows for rows, _ in (one[section] for one in seen)], axis=1)
            made = np.concatenate([outliers.rows for _, outliers in (one[section] for one in seen)], axis=1)
            fitted: Fitted = partial(fitted_scorer, cell.scorer, cell.seed, self._machine, section)
            if cell.members:
                dims = [one[section][0].shape[1] for one in seen]
                fitted = partial(Together, cell, self._machine, section, dims)
            total += criterion(rows, clips, fitted, Outliers(made, seen[0][section][1].made_of)) * len(clips)
        return total / sum(map(len, training.values()))

    def _seen(
        self, cell: Cell, training: Mapping[str, Sequence[TrainingClip]]
    ) -> dict[str, tuple[Embeddings, Outliers]]:
        """Embeddings of training clips and of pasted recordings, by section."""
        assert isinstance(cell.scorer.card, ScorerCard)
        stage = EmbeddingStage(cell, self._plan.cache, self._progress, self._plan.cores)
        done = Embedded()
        stage.add_group(cell.group_of(self._machine), done)
        if self._machine not in done.rows:
            raise AsdbenchError(next((failure.reason for failure in done.failures), "it has no embeddings"))
        place = {clip.key: row for row, clip in enumerate(cell.dataset.blind(self._machine))}
        pasted = self._pasted(cell)
        found = {}
        for section, own in training.items():
            rows = done.rows[self._machine][[place[clip.key] for clip in own]]
            made = stage.embed_others(pasted.clips(self._machine, section), pasted.features, self._machine)
            found[section] = rows, Outliers(made, np.array(pasted.made_of[section]))
        return found

    def _pasted(self, cell: Cell) -> Pasted:
        name = repr(cell.frontend.identity())
        if name not in self._heard:
            self._heard[name] = _paste(self._plan, cell, self._machine)
        return self._heard[name]


class Together:
    """An ensemble fitted to some training clips: its members' scorers, and then its own to their training scores.

    Args:
        cell: the run of the ensemble.
        machine: machine type.
        section: its number.
        dims: of each member's embeddings.
        rows: embeddings (n, sum of dims), the members' side by side.
        clips: what is known of the rows.
    """

    def __init__(
        self,
        cell: Cell,
        machine: str,
        section: str,
        dims: Sequence[int],
        rows: Embeddings,
        clips: Sequence[TrainingClip],
    ) -> None:
        self._places = np.cumsum(dims)[:-1]
        self._scorers = []
        columns = []
        for member, own in zip(cell.members, self._split(rows), strict=True):
            fitted = partial(fitted_scorer, member.scorer, cell.seed, machine, section)
            self._scorers.append(scorer := fitted(own, clips))
            columns.append(scores_of_training(scorer, own, clips, fitted, member.scorer.name))
        self._own = fitted_scorer(cell.scorer, cell.seed, machine, section, _side_by_side(columns), clips)

    def score(self, rows: Embeddings) -> Scores:
        """Anomaly score of each row, float64 (m,)."""
        scored = [scorer.score(own) for scorer, own in zip(self._scorers, self._split(rows), strict=True)]
        return self._own.score(_side_by_side(scored))

    def _split(self, rows: Embeddings) -> list[Embeddings]:
        return np.split(rows, self._places, axis=1)


def _side_by_side(columns: Sequence[Scores]) -> Embeddings:
    return np.stack(columns, axis=1).astype(np.float32)  # as an ensemble's embeddings are kept


def _by_section(clips: Sequence[TrainingClip]) -> dict[str, list[TrainingClip]]:
    found: dict[str, list[TrainingClip]] = {}
    for clip in clips:
        found.setdefault(clip.section, []).append(clip)
    return found


def _paste(plan: Plan, cell: Cell, machine: str) -> Pasted:
    """The same pasted recordings for every front end, as that of the cell hears them."""
    own = cell.dataset.select(machines=[machine], split="train")
    frontend = cell.frontend.build()
    waveforms = TrainingWaveforms({clip.key: clip.path for clip in own}, frontend)
    arrays, made_of = {}, {}
    for section, clips in _by_section(own.training_view()).items():
        seed = derive_seed(cell.seed, "outliers", machine, section)
        found = list(outlier_features(clips, waveforms, frontend, seed, plan.cores))
        made_of[section] = [host for host, _ in found]
        arrays.update({f"{section}.{number}": features for number, (_, features) in enumerate(found)})
    return Pasted(InMemoryFeatures(arrays), made_of)
