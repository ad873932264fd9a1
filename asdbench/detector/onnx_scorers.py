"""Fitted scorers as ONNX graphs, in double precision: embeddings (batch, dim) -> scores (batch,)."""

import math
from functools import singledispatch
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asdbench.core.errors import RequirementError
from asdbench.detector.onnx_values import Value, joined
from asdbench.scorers.bank import Bank, placed
from asdbench.scorers.base import Scorer
from asdbench.scorers.domain_mahalanobis import DomainMahalanobis
from asdbench.scorers.domain_neighbours import DomainBanks
from asdbench.scorers.domains import Standard
from asdbench.scorers.identity import Identity
from asdbench.scorers.local_density import LocalDensity
from asdbench.scorers.mahalanobis import Mahalanobis
from asdbench.scorers.memmixup import MemMixup
from asdbench.scorers.mixture import GaussianMixture
from asdbench.scorers.neighbours import LocalOutlierFactor, NearestNeighbours
from asdbench.scorers.rescaled import RescaledBank
from asdbench.scorers.residual_subspace import ResidualSubspace
from asdbench.scorers.steps.by_domain import OfDomains
from asdbench.scorers.steps.unit_length import Normalised
from asdbench.scorers.steps.whiten import Whitened
from asdbench.scorers.target_centres import TargetCentres

Numbers = NDArray[np.float64]


@singledispatch
def scorer_graph(scorer: Scorer, rows: Value) -> Value:
    """Scores of embeddings, as the fitted scorer gives them. Raises RequirementError: it cannot be exported."""
    name = getattr(scorer, "_name", None) or getattr(scorer, "name", type(scorer).__name__)
    raise RequirementError(
        f"The scorer {name} cannot be exported to ONNX.\nExported are: the mahalanobis and knn families, "
        "elliptic-envelope, gmm, identity, kmeans-target, lof, residual-subspace, with the steps by-domain, "
        "unit-length and whiten. Any other is scored with the detector's own file."
    )


@scorer_graph.register
def _(scorer: Identity, rows: Value) -> Value:
    return rows.take(0, 1)


@scorer_graph.register
def _(scorer: Mahalanobis, rows: Value) -> Value:
    model = scorer._model
    return _squared(rows, model.location_, model.get_precision()).sqrt()


@scorer_graph.register
def _(scorer: DomainMahalanobis, rows: Value) -> Value:
    return _smallest([_squared(rows, mean, spread.precision) for mean, spread in scorer._domains]).sqrt()


@scorer_graph.register
def _(scorer: NearestNeighbours, rows: Value) -> Value:
    near = nearest(scorer._bank, rows)
    if scorer._method == "largest":
        return near.take(scorer._bank.k - 1, 1)
    if scorer._method == "mean":
        return near.mean(1)
    middle = (scorer._bank.k - 1) // 2, scorer._bank.k // 2
    return near.take(np.array(middle), 1).mean(1)


@scorer_graph.register
def _(scorer: DomainBanks, rows: Value) -> Value:
    if isinstance(scorer, MemMixup) and scorer._unit_length:
        rows = directions_of(rows)
    return _smallest(
        [
            standardised(nearest(bank, rows).mean(1), scorer._standards.get(name, Standard()))
            for name, bank in scorer._banks.items()
        ]
    )


@scorer_graph.register
def _(scorer: LocalDensity, rows: Value) -> Value:
    return _smallest([nearest(bank, rows).take(0, 1) for bank in scorer._banks])


@scorer_graph.register
def _(scorer: LocalOutlierFactor, rows: Value) -> Value:
    model = scorer._model
    references = placed(model._fit_X, model.metric)
    distances, places = _distances(rows, references, model.metric).sorted(count=model.n_neighbors_)
    reach = distances.maximum(rows.graph.constant(model._distances_fit_X_[:, -1]).take(places, 0))
    density = 1.0 / (reach.mean(1, keep=True) + 1e-10)
    return (rows.graph.constant(model._lrd).take(places, 0) / density).mean(1)


@scorer_graph.register
def _(scorer: TargetCentres, rows: Value) -> Value:
    if not scorer._cosine:
        return _distances(rows, scorer._references, "euclidean").min(1)
    return 1.0 - (directions_of(rows) @ scorer._references.T).max(1)


@scorer_graph.register
def _(scorer: GaussianMixture, rows: Value) -> Value:
    model = scorer._model
    dim = model.means_.shape[1]
    logs = []
    for place, (mean, weight) in enumerate(zip(model.means_, model.weights_, strict=True)):
        factor = model.precisions_cholesky_ if scorer._covariance == "tied" else model.precisions_cholesky_[place]
        full = np.ndim(factor) == 2
        scaled = (rows - mean) @ factor if full else (rows - mean) * (factor * np.ones(dim))
        diagonal = np.diag(factor) if full else factor * np.ones(dim)
        constant = math.log(weight) + np.log(diagonal).sum() - 0.5 * dim * math.log(2.0 * math.pi)
        logs.append(((scaled**2.0).sum(1, keep=True) * -0.5) + float(constant))
    likelihoods = joined(logs, 1)
    largest = likelihoods.max(1, keep=True)
    return -1.0 * ((likelihoods - largest).exp().sum(1).log() + largest.op("Squeeze", [1]))


@scorer_graph.register
def _(scorer: ResidualSubspace, rows: Value) -> Value:
    rows = (rows - scorer._mean) / scorer._divisor
    outside = rows - (rows @ scorer._components.T) @ scorer._components
    return (outside**2.0).sum(1).sqrt()


@scorer_graph.register
def _(scorer: Normalised, rows: Value) -> Value:
    return scorer_graph(scorer._inner, directions_of(rows).single().double())


@scorer_graph.register
def _(scorer: Whitened, rows: Value) -> Value:
    model = scorer._components
    scaled = model.components_.T / np.sqrt(model.explained_variance_)
    return scorer_graph(scorer._inner, ((rows - model.mean_) @ scaled).single().double())


@scorer_graph.register
def _(scorer: OfDomains, rows: Value) -> Value:
    units = [(inner, Standard(mean, spread)) for inner, mean, spread in scorer._fitted.values()]
    return _smallest([standardised(scorer_graph(inner, rows), standard) for inner, standard in units])


def standardised(scores: Value, standard: Standard) -> Value:
    """``(score - mean) / deviation``."""
    return (scores - float(standard.mean)) / float(standard.deviation)


def directions_of(rows: Value) -> Value:
    """Rows scaled to length one; rows of length zero stay."""
    lengths = rows.length(keep=True)
    return rows / lengths.op("Equal", 0.0).op("Where", 1.0, lengths)


def nearest(bank: Bank, rows: Value) -> Value:
    """Distances to the k nearest rows of a bank, rescaled where it does so, nearest first, (batch, k)."""
    distances = _distances(rows, bank._rows, bank._metric)
    if isinstance(bank, RescaledBank):
        divisors, offsets = bank.terms()
        distances = distances / divisors - offsets
    return distances.sorted(count=bank.k)[0]


def _distances(rows: Value, references: NDArray[np.floating[Any]], metric: str) -> Value:
    """Distances (batch, references) to rows that are placed as the metric wants them.

    Euclidean ones by a matrix product about the references' mean, which takes no more memory than the result; in double
    precision what cancels is far below the tolerance.
    """
    if metric == "manhattan":
        return (rows.expand(1) - references).abs().sum(-1)
    if metric == "cosine":
        unit = directions_of(rows)
        is_zero = rows.length(keep=True).op("Equal", 0.0).double()
        rows = joined([unit, is_zero], 1)
    mean = references.mean(axis=0, dtype=np.float64)
    centred, bank = rows - mean, rows.graph.constant(references) - mean
    products = centred @ bank.transpose(1, 0)
    squared: Value = ((centred**2.0).sum(1, keep=True) + (bank**2.0).sum(1) - products * 2.0).maximum(0.0)
    return squared * 0.5 if metric == "cosine" else squared.sqrt()


def _squared(rows: Value, mean: Numbers, precision: Numbers) -> Value:
    """``(x - mean)^T precision (x - mean)`` of each row, (batch,)."""
    offset = rows - mean
    return ((offset @ precision) * offset).sum(1).maximum(0.0)


def _smallest(scores: list[Value]) -> Value:
    return scores[0] if len(scores) == 1 else scores[0].op("Min", *scores[1:])
