"""For authors of extractors, scorers, steps, augmentations and front ends: the checks that all built-in ones pass.

    from asdbench.testing import check_scorer

    def test_my_scorer():
        check_scorer("cosine", plugin_path=["mine"])   # or the class, or an object

The clips are made in memory and tiny. On the command line: ``asdbench check NAME``.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from asdbench.testing.checks import Check, CheckError, random_state
from asdbench.testing.extractors import extractor_checks
from asdbench.testing.frontends import augmentation_checks, frontend_checks
from asdbench.testing.scorers import scorer_checks
from asdbench.testing.subjects import Subject, subject_of

__all__ = [
    "CHECKS_OF",
    "Check",
    "CheckError",
    "check_augmentation",
    "check_extractor",
    "check_frontend",
    "check_scorer",
    "check_step",
]

CHECKS_OF: Mapping[str, Callable[[Subject], list[Check]]] = {
    "extractors": extractor_checks,
    "scorers": scorer_checks,
    "steps": scorer_checks,
    "augmentations": augmentation_checks,
    "frontends": frontend_checks,
}


def check_extractor(
    extractor: Any,
    *,
    frontend: str | None = None,
    augmentations: Sequence[str] | None = None,
    fit_on: Literal["dataset", "machine", "machine-among-others"] = "dataset",
    plugin_path: Sequence[str | Path] = (),
    **params: object,
) -> list[Check]:
    """Check an extractor. One that has ``epochs`` is trained for two, unless ``epochs`` is given.

    Args:
        extractor: a name, ``asdbench.extractor(...)``, a class, an object, or a torch module.
        frontend: in place of the card's; "log-mel" of a class or object.
        augmentations: in place of the card's.
        fit_on: of a class or object; a card says it itself.
        plugin_path: folders with ``registry/`` and modules of your own.
        params: parameters by name; of a class its arguments.

    Returns:
        All checks, each of which holds.

    Raises:
        CheckError: checks fail; all of them are listed.
        UsageError: no such name or parameter.
        RequirementError: something that it needs is not there, weights for instance.
    """
    return _checked(subject_of("extractors", extractor, params, plugin_path, frontend, augmentations, fit_on))


def check_scorer(scorer: Any, *, plugin_path: Sequence[str | Path] = (), **params: object) -> list[Check]:
    """Check an anomaly scorer.

    Args:
        scorer: a name ("knn", "whiten+knn", "pyod:IForest"), ``asdbench.scorer(...)``, a class, or an object.
        plugin_path: folders with ``registry/`` and modules of your own.
        params: parameters by name; of a class its arguments.

    Returns:
        All checks, each of which holds.

    Raises:
        CheckError: checks fail; all of them are listed.
        UsageError: no such name or parameter.

    Example:
        >>> from asdbench.testing import check_scorer
        >>> {check.name for check in check_scorer("knn", n_neighbors=3)} >= {"seed", "blindness", "direction"}
        True
    """
    return _checked(subject_of("scorers", scorer, params, plugin_path))


def check_step(step: Any, *, plugin_path: Sequence[str | Path] = (), **params: object) -> list[Check]:
    """Check a step, with the scorer knn behind it; arguments and errors as of ``check_scorer``."""
    return _checked(subject_of("steps", step, params, plugin_path))


def check_augmentation(augmentation: Any, *, plugin_path: Sequence[str | Path] = (), **params: object) -> list[Check]:
    """Check an augmentation; arguments and errors as of ``check_scorer``."""
    return _checked(subject_of("augmentations", augmentation, params, plugin_path))


def check_frontend(frontend: Any, *, plugin_path: Sequence[str | Path] = (), **params: object) -> list[Check]:
    """Check a front end; arguments and errors as of ``check_scorer``."""
    return _checked(subject_of("frontends", frontend, params, plugin_path))


def _checked(subject: Subject) -> list[Check]:
    with random_state(0):  # what a component does to the global generators ends here
        checks = CHECKS_OF[subject.kind](subject)
    if not all(check.passed for check in checks):
        raise CheckError(subject.kind, subject.name, checks)
    return checks
