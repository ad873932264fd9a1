"""Detectors of other libraries that are scorers without a card, by name; found without importing the libraries."""

import importlib.util
import re
from functools import cache
from pathlib import Path

from asdbench.core.errors import did_you_mean

# Names of scorers with a prefix need no card: a function makes one from the library's own signature.
PREFIXES = {
    "pyod": "asdbench.scorers.pyod_detector:card_of",
    "sklearn": "asdbench.scorers.sklearn_detector:card_of",
}
OF_SKLEARN = (  # looking for them imports all of scikit-learn, which takes seconds; a test compares
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


def nearest_detector(prefix: str, name: str) -> str:
    """A question that names the nearest detector of a library with its prefix; empty when none is near."""
    known = detectors_of(prefix)
    return did_you_mean(name, known).replace("'", f"'{prefix}:", 1)


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
