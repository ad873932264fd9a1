"""For authors of extractors, scorers, steps, augmentations and front ends: the checks that all built-in ones pass.

    from asdbench.testing import check_scorer

    def test_my_scorer():
        check_scorer("cosine", plugin_path=["mine"])   # or the class, or an object

The clips are made in memory and tiny. On the command line: ``asdbench check NAME``.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

from asdbench.core.errors import UsageError
from asdbench.registry import contracts
from asdbench.testing.checks import Check, CheckError, Checks, Stop, random_state, require
from asdbench.testing.extractors import check_embeddings
from asdbench.testing.frontends import check_alterations, check_features
from asdbench.testing.scorers import check_fit_and_scores
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
    "checks_of",
]

CHECKS_OF: Mapping[str, Callable[[Checks, Subject, Any], None]] = {
    "extractors": check_embeddings,
    "scorers": check_fit_and_scores,
    "steps": check_fit_and_scores,
    "augmentations": check_alterations,
    "frontends": check_features,
}
Folders = Sequence[str | Path]


def check_extractor(
    extractor: Any,
    *,
    frontend: str | None = None,
    augmentations: Sequence[str] | None = None,
    fit_on: Literal["dataset", "machine", "machine-among-others"] = "dataset",
    plugin_path: Folders = (),
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
    return _require_all(subject_of("extractors", extractor, params, plugin_path, frontend, augmentations, fit_on))


def check_scorer(scorer: Any, *, plugin_path: Folders = (), **params: object) -> list[Check]:
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

    Examples:
        >>> from asdbench.testing import check_scorer
        >>> {check.name for check in check_scorer("knn", n_neighbors=3)} >= {"seed", "blindness", "direction"}
        True
    """
    return _require_all(subject_of("scorers", scorer, params, plugin_path))


def check_step(step: Any, *, plugin_path: Folders = (), **params: object) -> list[Check]:
    """Check a step, with the scorer knn behind it; arguments and errors as of ``check_scorer``."""
    return _require_all(subject_of("steps", step, params, plugin_path))


def check_augmentation(augmentation: Any, *, plugin_path: Folders = (), **params: object) -> list[Check]:
    """Check an augmentation; arguments and errors as of ``check_scorer``."""
    return _require_all(subject_of("augmentations", augmentation, params, plugin_path))


def check_frontend(frontend: Any, *, plugin_path: Folders = (), **params: object) -> list[Check]:
    """Check a front end; arguments and errors as of ``check_scorer``."""
    return _require_all(subject_of("frontends", frontend, params, plugin_path))


def _require_all(subject: Subject) -> list[Check]:
    checks = checks_of(subject)
    if not all(check.passed for check in checks):
        raise CheckError(subject.kind, subject.name, checks)
    return checks


def checks_of(subject: Subject) -> list[Check]:
    """Do all checks of a component: card and constructor first, then those of its kind, as far as they can be done.

    Raises:
        RequirementError: something that it needs is not there.
        UsageError: it refuses its parameters.
    """
    checks = Checks()
    with random_state(0), suppress(Stop):  # what a component does to the global generators ends here
        CHECKS_OF[subject.kind](checks, subject, _built(checks, subject))
    return checks.done


def _built(checks: Checks, subject: Subject) -> Any:
    component = subject.component
    if component is not None:
        with checks.expect("card", "a card whose parameters are the arguments of the constructor", needed=True):
            components = getattr(component, "parts", ()) or (component,)
            faults = [fault for part in components for fault in contracts.misfits(part.load(), part.card.params)]
            faults += filter(None, (contracts.abstract_methods(part.load()) for part in components))
            if subject.kind == "extractors":
                names = [("frontends", subject.frontend), *(("augmentations", name) for name in subject.augmentations)]
                for name in names:
                    try:
                        subject.component_of(*name)
                    except UsageError as error:
                        faults.append(str(error))
            require(not faults, "; ".join(faults))
        if component.home is None:
            subject.build()  # one of asdbench's own that refuses its parameters was asked for in the wrong way
    with checks.expect("build", "an object with the methods that are called", needed=True):
        made = subject.build()
        lack = contracts.missing("scorers" if subject.kind == "steps" else subject.kind, made)
        require(not lack, lack)
    return made
