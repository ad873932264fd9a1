"""Detectors of other libraries as scorers, with cards made from their own signatures."""

import inspect
import sys
from abc import abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from typing import Any, ClassVar, Self

import numpy as np

from asdbench.registry.cards import Param, ScorerCard
from asdbench.scorers.base import Clips, Embeddings, FittedScorer, ScorerError, doubles, require_clips


def card_from_signature(detector: type[Any], target: str, name: str, libraries: tuple[str, ...]) -> ScorerCard:
    """Card whose parameters are the keyword arguments of ``detector``, and ``detector`` itself.

    Defaults that are no plain values (None, objects) appear as None and are left to the detector.
    """
    params = {"detector": Param(default=name, type="str", choices=(name,), help="The library's class.")}
    for argument in inspect.signature(detector).parameters.values():
        if argument.kind in (argument.VAR_KEYWORD, argument.VAR_POSITIONAL) or argument.name == "random_state":
            continue
        default = None if argument.default is argument.empty else argument.default
        simple = default if isinstance(default, bool | int | float | str) else None
        params[argument.name] = Param(default=simple, type="any", help="")
    summary = (inspect.getdoc(detector) or name).strip().partition("\n")[0]
    return ScorerCard(summary=summary, target=target, version=1, libraries=libraries, params=params)


def given_arguments(detector: type[Any], params: dict[str, Any], seed: int) -> dict[str, Any]:
    """Arguments for ``detector``: those that differ from its own defaults, and the seed where it takes one."""
    signature = inspect.signature(detector).parameters
    given = {
        name: value
        for name, value in params.items()
        if value is not None and (name in signature) and value != signature[name].default
    }
    if "random_state" in signature:
        given["random_state"] = seed
    return given


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


class LibraryDetector(FittedScorer):
    """A scorer around a library's detector class, found by name.

    Attributes:
        library: prefix of the scorer's name.
        name: by which the command line knows the scorer.
    """

    library: ClassVar[str]

    def __init__(self, *, detector: str, **params: Any) -> None:
        super().__init__()
        self._class = self.find(detector)
        self.name = f"{self.library}:{detector}"  # type: ignore[misc]  # of this one detector
        self._params = params

    @staticmethod
    @abstractmethod
    def find(name: str) -> type[Any]:
        """The library's class of that name."""

    def arguments(self) -> dict[str, Any]:
        """What the class is called with."""
        return given_arguments(self._class, self._params, self.seed)

    def _neighbours(self) -> int | None:
        """How many neighbours the detector looks at, where it has such a parameter."""
        known = inspect.signature(self._class).parameters.get("n_neighbors")
        value = self._params.get("n_neighbors") or (known.default if known else None)
        return value if isinstance(value, int) else None

    def fit(self, embeddings: Embeddings, clips: Clips = None) -> Self:
        """Fit the detector.

        Raises:
            ScorerError: the detector refuses the embeddings or its parameters, or looks at more neighbours than
                there are.
        """
        rows = doubles(self.name, embeddings)
        neighbours = self._neighbours()
        if neighbours is not None:
            require_clips(self.name, len(rows), neighbours + 1, "scorer.n_neighbors", len(rows) - 1)
        try:
            with redirect_stdout(sys.stderr), global_seed(self.seed):
                self._model = self._class(**self.arguments())
                self._model.fit(rows)
        except (ValueError, TypeError, RuntimeError, FloatingPointError) as error:
            raise ScorerError(f"{self.name} failed on embeddings of shape {rows.shape}: {error}") from error
        return self
