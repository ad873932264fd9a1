"""asdbench: benchmark harness and leaderboard for anomalous sound detection.

    import asdbench as asd
    runs = asd.run("synthetic", extractor="raw-mel", scorer=["knn", "mahalanobis-lw"], seeds=range(3))
    runs.to_frame()

Names are imported when they are first used, so that importing the package takes no torch.
"""

from typing import TYPE_CHECKING, Any

from asdbench.core.lazy import importer

if TYPE_CHECKING:
    from asdbench.api.components import extractor, scorer, system
    from asdbench.api.evaluating import compare, evaluate, transfer
    from asdbench.api.fitting import fit
    from asdbench.api.loading import load, open_runs
    from asdbench.api.reproducing import Reproduction, reproduce
    from asdbench.api.running import run
    from asdbench.api.runs import Run, Runs
    from asdbench.api.tuning import Study, tune
    from asdbench.detector.detector import Detector
    from asdbench.detector.recordings import Sound

__version__ = "1.0.0"

_HOME = {
    "load": "api.loading",
    "extractor": "api.components",
    "scorer": "api.components",
    "system": "api.components",
    "run": "api.running",
    "Run": "api.runs",
    "Runs": "api.runs",
    "open_runs": "api.loading",
    "reproduce": "api.reproducing",
    "Reproduction": "api.reproducing",
    "evaluate": "api.evaluating",
    "compare": "api.evaluating",
    "transfer": "api.evaluating",
    "tune": "api.tuning",
    "Study": "api.tuning",
    "fit": "api.fitting",
    "Detector": "detector.detector",
    "Sound": "detector.recordings",
}

__all__ = [
    "Detector",
    "Reproduction",
    "Run",
    "Runs",
    "Sound",
    "Study",
    "__version__",
    "build",
    "compare",
    "evaluate",
    "extractor",
    "fit",
    "load",
    "open_runs",
    "reproduce",
    "run",
    "scorer",
    "system",
    "transfer",
    "tune",
]


__getattr__ = importer("asdbench", _HOME)


def __dir__() -> list[str]:
    return __all__


def build(name: str, /, *, kind: str | None = None, profile: str | None = None, **params: object) -> Any:
    """Build anything that the registry names, its parameters filled from the card.

    ``asdbench.build("simclr", epochs=3)``. ``kind`` ("extractors", "scorers" ...) decides when two kinds share
    the name.

    Raises:
        asdbench.core.errors.UsageError: no such name or parameter, or a value that it does not take.
    """
    from asdbench.core.errors import UsageError
    from asdbench.registry import load_catalog

    catalog = load_catalog()
    if kind is None:
        kinds = [entry.kind for entry in catalog.find_anywhere(name)]
        if len(kinds) > 1:
            raise UsageError(f"'{name}' is in {' and '.join(kinds)}. Say which: build('{name}', kind='{kinds[0]}')")
        kind = kinds[0]
    return catalog.component(kind, name, params, profile).build()
