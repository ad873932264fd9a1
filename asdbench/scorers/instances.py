"""Objects of the user's own, and detectors of other libraries by name, as scorers."""

import inspect
import sys
from abc import abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from typing import Any, ClassVar, Self

import numpy as np

from asdbench.core.errors import UsageError
from asdbench.registry.cards import Param, ScorerCard
from asdbench.scorers.base import Clips, Embeddings, Scorer, ScorerError, Scores, doubles, require_clips

Scoring = Callable[[Embeddings], Any]


def as_scorer(instance: Any) -> Scorer:
    """The object as a scorer; one of asdbench's own is taken as it is.

    Detectors of scikit-learn (a higher ``score_samples`` or ``decision_function`` is more normal) and of PyOD (a higher
    ``decision_function`` is more anomalous) are known by their class, a pipeline by its last step. Of any other object,
    and of one with a ``score`` of its own, ``score(embeddings)`` gives n values, higher is more anomalous.

    Raises:
        UsageError: it has no ``fit``, or nothing that scores.
    """
    if isinstance(instance, Scorer):
        return instance
    if not callable(getattr(instance, "fit", None)):
        raise _unusable(instance, "it has no method fit")
    return InstanceScorer(instance, *_scoring(instance))


class InstanceScorer(Scorer):
    """Calls an object's ``fit`` and the method that scores by it, whose values are multiplied by ``sign``."""

    def __init__(self, instance: Any, scoring: Scoring, sign: int) -> None:
        super().__init__()
        self._instance = instance
        self._scoring = scoring
        self._sign = sign

    def fit(self, embeddings: Embeddings, clips: Clips = None) -> Self:
        """Fit the object to training embeddings (n, dim); ``clips`` are passed where its ``fit`` takes them."""
        with global_seed(self.seed):  # from which detectors draw that are given no random_state
            if "clips" in _parameters(self._instance.fit):
                self._instance.fit(embeddings, clips=clips)
            else:
                self._instance.fit(embeddings)
        return self

    def score(self, embeddings: Embeddings) -> Scores:
        """Anomaly score of each row, float64 (n,)."""
        with global_seed(self.seed):
            return self._sign * np.asarray(self._scoring(embeddings), np.float64)


def _scoring(instance: Any) -> tuple[Scoring, int]:
    """The method that scores, and 1 where a higher value is more anomalous, else -1."""
    if _is_of(instance, "sklearn.pipeline", "Pipeline"):
        scoring, sign = _scoring(instance.steps[-1][1])
        if scoring.__name__ == "score":  # which a pipeline calls with labels
            raise _unusable(instance, "its last step is no detector of scikit-learn or PyOD")
        return getattr(instance, scoring.__name__), sign
    if _is_of(instance, "pyod.models.base", "BaseDetector"):
        return instance.decision_function, 1
    if _is_of(instance, "sklearn.base", "BaseEstimator") and not _has_own_score(instance):
        if type(instance).__name__ == "LocalOutlierFactor":
            instance.set_params(novelty=True)  # which scores clips other than those of its training
        for name in ("score_samples", "decision_function"):
            if callable(getattr(instance, name, None)):
                return getattr(instance, name), -1
        raise _unusable(instance, "scikit-learn gives it neither score_samples nor decision_function")
    if not callable(getattr(instance, "score", None)):
        raise _unusable(instance, "it has no method score")
    return instance.score, 1


def _has_own_score(instance: Any) -> bool:
    """Whether a class of somebody's own, no kind of scikit-learn's detectors and densities, says what ``score`` is."""
    maker = next((one for one in type(instance).__mro__ if "score" in vars(one)), None)
    return (
        maker is not None
        and not maker.__module__.startswith("sklearn.")
        and not any(_is_of(instance, "sklearn.base", kind) for kind in ("OutlierMixin", "DensityMixin"))
    )


def _is_of(instance: Any, module: str, name: str) -> bool:
    """Whether a class of that module and name is among the object's, without importing the library."""
    return any(one.__module__ == module and one.__name__ == name for one in type(instance).__mro__)


def _parameters(function: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    try:
        return dict(inspect.signature(function).parameters)
    except (TypeError, ValueError):  # of a C extension
        return {}


def _unusable(instance: Any, reason: str) -> UsageError:
    return UsageError(
        f"An object of the class {type(instance).__name__} is no scorer: {reason}.\n"
        "Accepted: a name, an object with fit(embeddings) and score(embeddings), a detector of scikit-learn or PyOD."
    )


@contextmanager
def global_seed(seed: int) -> Iterator[None]:
    """Seed the global generators that some detectors draw from; what was there before is restored."""
    torch = sys.modules.get("torch")
    numpy_state, torch_state = np.random.get_state(), torch.get_rng_state() if torch else None
    np.random.seed(seed)
    if torch:
        torch.manual_seed(seed)
    try:
        yield
    finally:
        np.random.set_state(numpy_state)
        if torch:
            torch.set_rng_state(torch_state)


class LibraryDetector(Scorer):
    """A scorer around a library's detector class, found by name.

    Attributes:
        library: prefix of the scorer's name.
    """

    library: ClassVar[str]

    def __init__(self, *, detector: str, **params: Any) -> None:
        super().__init__()
        self._class = self.find(detector)
        self._name = f"{self.library}:{detector}"
        self._params = params
        self._model: Any = None
        if self._class.__name__ in ("OneClassSVM", "OCSVM"):
            self.held_out_fits = 100  # their scores grow with the number of clips

    @staticmethod
    @abstractmethod
    def find(name: str) -> type[Any]:
        """The library's class of that name."""

    def fit(self, embeddings: Embeddings, clips: Clips = None) -> Self:
        """Fit the detector."""
        rows = doubles(self._name, embeddings)
        arguments = _parameters(self._class)
        neighbours = self._params.get("n_neighbors")
        if neighbours is None and "n_neighbors" in arguments:
            neighbours = arguments["n_neighbors"].default
        if isinstance(neighbours, int):
            require_clips(self._name, len(rows), neighbours + 1, "scorer.n_neighbors", len(rows) - 1)
        given = {
            name: value
            for name, value in self._params.items()
            if value is not None and name in arguments and value != arguments[name].default
        }
        if "random_state" in arguments:
            given["random_state"] = self.seed
        try:
            with redirect_stdout(sys.stderr), global_seed(self.seed):
                self._model = self._class(**given)
                self._scorer = as_scorer(self._model)
                self._scorer.seed = self.seed
                self._model.fit(rows)
        except (ValueError, TypeError, RuntimeError, FloatingPointError) as error:
            raise ScorerError(f"{self._name} failed on embeddings of shape {rows.shape}: {error}") from error
        return self

    def score(self, embeddings: Embeddings) -> Scores:
        """Anomaly score of each row, float64 (n,)."""
        return self._scorer.score(doubles(self._name, embeddings)).ravel()


def card_from_signature(detector: type[Any], target: str, name: str, libraries: tuple[str, ...]) -> ScorerCard:
    """Card whose parameters are the keyword arguments of ``detector``, and ``detector`` itself.

    Defaults that are no plain values (None, objects) appear as None and are left to the detector.
    """
    params = {"detector": Param(default=name, type="str", choices=(name,), help="The library's class.")}
    for argument in inspect.signature(detector).parameters.values():
        if argument.kind in (argument.VAR_KEYWORD, argument.VAR_POSITIONAL) or argument.name == "random_state":
            continue
        plain = isinstance(argument.default, bool | int | float | str)
        params[argument.name] = Param(default=argument.default if plain else None, type="any", help="")
    summary = (inspect.getdoc(detector) or name).strip().partition("\n")[0]
    return ScorerCard(summary=summary, target=target, version=2, libraries=libraries, params=params)
