"""``asd.extractor``, ``asd.scorer``, ``asd.system``: things of the registry, usable by themselves."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from asdbench.api.arguments import plain, several
from asdbench.core.digests import derive_seed
from asdbench.core.errors import DataError, UsageError
from asdbench.datasets import Dataset
from asdbench.datasets.audio import BadRecording
from asdbench.datasets.clips import TrainingClip
from asdbench.extractors.base import Extractor as FittedExtractor
from asdbench.harness.fits import embed_features
from asdbench.harness.outputs import checked_scores
from asdbench.harness.scoring import scores_of_training
from asdbench.registry import Component, load_catalog
from asdbench.scorers.base import Scorer as FittedScorer


class Named:
    """A thing of the registry with the parameters given by hand.

    Attributes:
        kind: "extractors", "scorers" or "systems".
        name: in the registry.
        given: the parameters given by hand, in their own types.
    """

    kind = ""

    def __init__(self, name: str, given: dict[str, Any], plugin_path: Sequence[str | Path] = ()) -> None:
        self.name = name
        self.given = {key: plain(value) for key, value in given.items()}
        self.plugin_path = tuple(Path(folder).expanduser() for folder in several(plugin_path))

    @property
    def params(self) -> dict[str, Any]:
        """Every parameter: the card's defaults, and what was given. Of a system what was given."""
        return dict(self.given)

    @property
    def given_by_component(self) -> dict[str, Any]:
        """What was given, by ``component.param``, as systems are given it."""
        scope = "" if self.kind == "systems" else f"{self.name}."
        return {f"{scope}{key}": value for key, value in self.given.items()}

    def __repr__(self) -> str:
        given = "".join(f", {key}={value!r}" for key, value in self.given.items())
        return f"asdbench.{self.kind[:-1]}({self.name!r}{given})"


class _Component(Named):
    """One component, whose card knows all parameters."""

    def __init__(self, name: str, given: dict[str, Any], plugin_path: Sequence[str | Path] = ()) -> None:
        super().__init__(name, given, plugin_path)
        self.given = {key: self.params[key] for key in self.given}

    @property
    def component(self) -> Component:
        """The card with every parameter settled."""
        return load_catalog(self.plugin_path).component(self.kind, self.name, self.given)

    @property
    def params(self) -> dict[str, Any]:
        """Every parameter: the card's defaults, and what was given."""
        return dict(self.component.params)


class Scorer(_Component):
    """An anomaly scorer that works on plain arrays; made by ``asdbench.scorer``.

    Attributes:
        training_scores: after ``fit``, scores of the training rows by scorers that have not seen them, float64 (n,).
        notes: after ``fit``, what the user should know of it (a singular covariance, say).
    """

    kind = "scorers"
    training_scores: NDArray[np.float64]
    notes: Sequence[str] = ()
    _fitted: FittedScorer | None = None

    def fit(
        self,
        embeddings: ArrayLike,
        clips: Sequence[TrainingClip] | None = None,
        *,
        domains: Sequence[str] | None = None,
        seed: int = 0,
    ) -> Self:
        """Fit to the embeddings of normal clips.

        Args:
            embeddings: (n, dim), or (n, bands, dim) for scorers that take bands; finite.
            clips: what is known of the rows, as a data set's ``training`` gives it; None is nothing.
            domains: "source" or "target" for each row, for scorers that separate them; in the place of ``clips``.
            seed: base seed of scorers that draw.

        Raises:
            UsageError: the array has another shape or is not finite, or what is known is not one for each row.
            AsdbenchError: the scorer cannot be fitted to it.
        """
        rows = _rows(embeddings)
        known = list(clips) if clips is not None else _placeholders(len(rows), domains)
        if len(known) != len(rows):
            raise UsageError(f"{self.name}.fit: {len(rows)} rows, but {len(known)} clips or domains.")

        def fitted(some: NDArray[np.float32], of: Sequence[TrainingClip]) -> FittedScorer:
            scorer: FittedScorer = self.component.build()
            scorer.seed = derive_seed(seed, "scorer", self.name)
            scorer.fit(some, of)
            return scorer

        self._fitted, self._shape = fitted(rows, known), rows.shape[1:]
        self.training_scores = scores_of_training(self._fitted, rows, known, fitted, self.name)
        self.notes = tuple(self._fitted.notes)
        return self

    def score(self, embeddings: ArrayLike) -> NDArray[np.float64]:
        """Anomaly score of each row, float64 (n,); higher is more anomalous.

        Raises:
            UsageError: it is not fitted, or the array has another shape or is not finite.
            AsdbenchError: scores are not finite or not one for each row.
        """
        if self._fitted is None:
            raise UsageError(f"{self.name} is not fitted: asdbench.scorer({self.name!r}).fit(X).score(Y)")
        rows = _rows(embeddings)
        if rows.shape[1:] != self._shape:
            raise UsageError(f"{self.name} was fitted to rows of the shape {self._shape}, not {rows.shape[1:]}.")
        return checked_scores(self._fitted.score(rows), len(rows), self.name)


class Extractor(_Component):
    """A feature extractor; made by ``asdbench.extractor``."""

    kind = "extractors"
    _fitted: FittedExtractor | None = None

    def fit(self, data: str | Path | Dataset, machine: str | None = None, *, seed: int = 0) -> Self:
        """Train on the training clips of a data set, or take the same training out of the cache.

        Args:
            data: a data set, or what ``asdbench.load`` takes.
            machine: machine type, for extractors that are trained for each; may be left out where there is one.
            seed: base seed.

        Raises:
            UsageError: several machine types, and none is named.
            AsdbenchError: the training failed.
        """
        from asdbench.api.running import fitted_extractor

        self._fitted = fitted_extractor(self, data, machine, seed)
        return self

    def embed_audio(
        self, waveforms: Sequence[ArrayLike], sample_rate_hz: int, *, device: str = "cpu"
    ) -> NDArray[np.float32]:
        """Embeddings of recordings in memory, by the front end of the extractor's card.

        Args:
            waveforms: each (samples,) or (samples, channels), floating point in [-1, 1].
            sample_rate_hz: of all of them; they are resampled to the front end's.
            device: "cpu" or "cuda".

        Returns:
            Float32 (n, dim), in their order, or (n, bands, dim) of an encoder with ``pool_over="band"``; with
            ``pooling="none"`` a list of the patches (patches, dim) of each.

        Raises:
            UsageError: the extractor has to be trained, and was not.
            DataError: recordings that cannot be used; all of them are named.

        Examples:
            >>> import asdbench as asd, numpy as np
            >>> noise = np.random.default_rng(0).normal(0, 0.1, (2, 16000))
            >>> asd.extractor("raw-mel").embed_audio(list(noise), 16000).shape
            (2, 256)
        """
        from asdbench.detector.member import features_of
        from asdbench.detector.recordings import sound_of

        component = self.component
        extractor: FittedExtractor = self._fitted or component.build()
        if self._fitted is None and extractor.needs_fit:
            raise UsageError(
                f"{self.name} has to be trained before it embeds: "
                f'asdbench.extractor({self.name!r}).fit("synthetic").embed_audio(...)'
            )
        frontend = load_catalog(self.plugin_path).component("frontends", component.card.frontend).build()  # type: ignore[attr-defined]
        features, problems = [], []
        for place, waveform in enumerate(waveforms):
            try:
                features.append(features_of(sound_of(np.asarray(waveform), sample_rate_hz), frontend))
            except BadRecording as reason:
                problems.append(f"recording {place}: {reason}")
        if problems:
            raise DataError(f"{len(problems)} of {len(waveforms)} recordings cannot be embedded:", problems)
        if not features:
            return np.empty((0, 0), np.float32)
        seed = derive_seed(0, "extractor", self.name)
        return embed_features(extractor, self.name, features, frontend, seed=seed, device=device, threads=1)


class System(Named):
    """A published system, as its card says, made of several components; made by ``asdbench.system``."""

    kind = "systems"


def scorer(name: str, *, plugin_path: Sequence[str | Path] = (), **params: object) -> Scorer:
    """An anomaly scorer by name.

    Args:
        name: of the registry ("knn", "by-domain+mahalanobis-lw"), or ``pyod:IForest``, ``sklearn:svm.OneClassSVM``.
        plugin_path: folders with ``registry/`` and modules of your own.
        params: parameters by name.

    Raises:
        UsageError: no such name or parameter, or a value that it does not take.

    Examples:
        >>> import asdbench as asd, numpy as np
        >>> rows = np.random.default_rng(0).normal(size=(50, 4))
        >>> scores = asd.scorer("knn", n_neighbors=3).fit(rows).score(rows + 10)
        >>> scores.shape, bool(scores.min() > 5)
        ((50,), True)
    """
    return Scorer(name, params, plugin_path)


def extractor(name: str, *, plugin_path: Sequence[str | Path] = (), **params: object) -> Extractor:
    """A feature extractor by name.

    Args:
        name: of the registry, "simclr" for instance.
        plugin_path: folders with ``registry/`` and modules of your own.
        params: parameters by name.

    Raises:
        UsageError: no such name or parameter, or a value that it does not take.

    Examples:
        >>> import asdbench as asd
        >>> asd.extractor("simclr", epochs=3).params["epochs"]
        3
    """
    return Extractor(name, params, plugin_path)


def system(name: str, *, plugin_path: Sequence[str | Path] = (), **params: object) -> System:
    """A published system by name.

    Args:
        name: of its card.
        plugin_path: folders with ``registry/`` and modules of your own.
        params: by ``component.param``: ``system("shin2023-simclr-ml", **{"simclr.epochs": 3})``.

    Raises:
        UsageError: there is no such system.

    Examples:
        >>> import asdbench as asd
        >>> asd.system("shin2023-simclr-ml")
        asdbench.system('shin2023-simclr-ml')
    """
    made = System(name, params, plugin_path)
    _ = load_catalog(made.plugin_path).find("systems", name).system
    return made


def _rows(embeddings: ArrayLike) -> NDArray[np.float32]:
    rows = np.asarray(embeddings)
    if rows.ndim not in (2, 3) or rows.dtype.kind not in "fiub":
        raise UsageError(
            f"Embeddings are an array of numbers (n, dim) or (n, bands, dim), not {rows.dtype} {rows.shape}."
        )
    finite = np.isfinite(rows).all(axis=tuple(range(1, rows.ndim)))
    if not finite.all():
        raise UsageError(f"{int(np.sum(~finite))} of {len(rows)} embeddings are not finite.")
    return np.ascontiguousarray(rows, np.float32)


def _placeholders(count: int, domains: Sequence[str] | None) -> list[TrainingClip]:
    if domains is not None and (len(domains) != count or not set(domains) <= {"source", "target"}):
        raise UsageError(f"domains: one of 'source' and 'target' for each of {count} rows.")
    named = [None] * count if domains is None else domains
    return [TrainingClip(f"row {place}", "", "00", domain, ()) for place, domain in enumerate(named)]  # type: ignore[arg-type]
