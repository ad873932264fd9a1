"""``asd.fit``: from healthy recordings to a detector."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from asdbench.api.arguments import listed, whole_number
from asdbench.api.loading import load
from asdbench.api.running import Data, combinations, run_spec, source_of
from asdbench.core.errors import UsageError
from asdbench.core.files import require_writable
from asdbench.core.paths import cache_root
from asdbench.core.progress import Progress, Silent
from asdbench.datasets.folds import FOLDS
from asdbench.detector.detector import Detector
from asdbench.detector.fitting import fit_cell
from asdbench.harness.plan import cells_of, settle_device
from asdbench.registry import load_catalog


def fit(
    data: Data = "synthetic",
    extractor: Any = None,
    scorer: Any = None,
    *,
    system: Any = None,
    false_alarms: float | None = None,
    threshold: str | float | None = None,
    per_domain: bool = False,
    held_out: int = FOLDS,
    augmentations: str | Sequence[str] | None = None,
    frontend: str | None = None,
    params: dict[str, object] | None = None,
    seed: int = 0,
    machines: str | Sequence[str] = (),
    split: Literal["dev", "eval"] | None = None,
    data_root: str | Path | None = None,
    profile: str = "auto",
    device: Literal["auto", "cpu", "cuda"] = "auto",
    threads: int = 1,
    plugin_path: str | Path | Sequence[str | Path] = (),
    progress: Progress | None = None,
) -> Detector:
    """Fit a system to healthy recordings and set a threshold; only training clips are used.

    Args:
        data: healthy recordings: a folder, a table, a data set, or what ``asdbench.load`` takes.
        extractor: a name, ``asdbench.extractor(...)``, or an object as ``asdbench.run`` takes it.
        scorer: the same; several extractors with a scorer each make an ensemble, as ``asdbench.run`` takes them.
        system: a published system, in the place of extractor and scorer.
        false_alarms: rate of healthy clips that may be called anomalous; sets the threshold (conformal prediction).
        threshold: "gamma:0.9" (the challenge's rule, and the default), or a number.
        per_domain: the rate holds in each domain of the recordings, not only over all of them.
        held_out: of an extractor that is trained, further trainings on part of the recordings, by which the others are
            scored for the threshold; 0 for none, which is quicker, and alarms more often than asked for.
        augmentations: names, in place of the extractor's.
        frontend: name, in place of the extractor's.
        params: parameters by ``component.param``, as ``-p`` of the command line.
        seed: base seed.
        machines: only these machine types.
        split: of a challenge's data.
        data_root: where the challenges' data lie.
        profile: of the extractor's card.
        device: "auto" takes a GPU where there is one.
        threads: of one training on the CPU.
        plugin_path: folders with ``registry/`` and modules of your own.
        progress: where the work is reported; None shows nothing.

    Returns:
        The detector, not yet saved.

    Raises:
        UsageError: a name or parameter that does not exist, or a rate that the clips cannot promise.
        RequirementError: recordings are missing or cannot be used.
        AsdbenchError: a training failed.

    Examples:
        >>> import asdbench as asd
        >>> data = asd.load("synthetic", machines=["fan"])
        >>> detector = asd.fit(data, extractor="raw-mel", scorer="knn", false_alarms=0.1)
        >>> detector.threshold().method
        'at most 0.1 false alarms, by 100 training scores'
    """
    progress = progress or Silent()
    given = listed(extractor), listed(scorer), listed(system)
    if max(map(len, given)) > 1:
        raise UsageError(
            "fit takes one extractor and one scorer, or one system. An ensemble is one extractor: 'A:B,C:D'."
        )
    held_out = whole_number("held_out", held_out)
    if held_out < 0:
        raise UsageError(f"held_out={held_out}: a whole number from 0, for none.")
    spec = run_spec(
        [one for kind in given for one in kind],
        seeds=seed,
        machines=machines,
        augmentations=augmentations,
        plugin_path=plugin_path,
        frontend=frontend,
        profile=profile,
        device=device,
        threads=threads,
        threshold=threshold,
        false_alarms=false_alarms,
        per_domain=per_domain,
    )
    rule = spec.rule
    table = load(
        data, split=split, data_root=data_root, machines=machines, plugin_path=spec.plugin_path, progress=progress
    ).select(split="train")
    spec = spec.model_copy(update={"dataset": [source_of(table).name]})
    catalog = load_catalog(spec.plugin_path)
    (spec,) = combinations(spec, catalog, *given, params or {}, [table])
    require_writable(cache_root())
    (cell,) = [one for one in cells_of(table, spec, catalog, settle_device(spec, progress)) if not one.implied]
    return fit_cell(cell, rule, held_out=held_out, progress=progress)
