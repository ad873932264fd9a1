"""Detectors of other libraries that are scorers without a card, by name; found without importing the libraries."""

import importlib.util
import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from asdbench.core.errors import nearest

# Names of scorers with a prefix need no card: a function makes one from the library's own signature.
PREFIXES = {"pyod": "asdbench.scorers.pyod_detector:card_of", "sklearn": "asdbench.scorers.sklearn_detector:card_of"}
OF_SKLEARN = (  # looking for them imports all of scikit-learn, which takes seconds
    "covariance.EllipticEnvelope",
    "ensemble.IsolationForest",
    "linear_model.SGDOneClassSVM",
    "neighbors.LocalOutlierFactor",
    "svm.OneClassSVM",
)


@cache
def detectors_of(prefix: str) -> tuple[str, ...]:
    """What may stand after "pyod:" or "sklearn:", sorted; some need further packages."""
    return OF_SKLEARN if prefix == "sklearn" else _of_pyod()


def nearest_detector(name: str, prefixes: Iterable[str] = PREFIXES) -> str:
    """A question that names the nearest detector with its prefix, for the name of a class as well; else empty."""
    known = {}
    for prefix in prefixes:
        for detector in detectors_of(prefix):
            known[detector] = known[detector.rpartition(".")[2]] = f"{prefix}:{detector}"
    near = nearest(name, known)
    return f" Did you mean '{known[near]}'?" if near else ""


def _of_pyod() -> tuple[str, ...]:
    """The class of each module of pyod.models that has its name."""
    spec = importlib.util.find_spec("pyod")
    names = []
    for folder in (spec.submodule_search_locations or []) if spec else []:
        for path in Path(folder).glob("models/[a-z]*.py"):
            letters = "_?".join(path.stem.replace("_", ""))
            found = re.search(rf"^class ({letters})\b", path.read_text("utf-8"), re.MULTILINE | re.IGNORECASE)
            names += [found[1]] if found and not path.stem.startswith(("base", "sklearn_base", "gaal_base")) else []
    return tuple(sorted(names, key=str.casefold))
