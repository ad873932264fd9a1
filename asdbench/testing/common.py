"""Checks that every kind of component goes through first: its card, and that it can be built."""

from typing import Any

from asdbench.core.errors import UsageError
from asdbench.registry import contracts
from asdbench.testing.checks import Checks, require
from asdbench.testing.subjects import Subject


def built(checks: Checks, subject: Subject) -> Any:
    """Check card and constructor, and build it once; None where that fails.

    Raises:
        UsageError: the component itself refuses its parameters.
    """
    if subject.component is not None and not checks.holds(
        "card", "a card whose parameters are the arguments of the constructor", lambda: _card_fits(subject)
    ):
        return None
    if subject.component is not None and subject.component.home is None:
        subject.build()  # one of asdbench's own that refuses its parameters was asked for in the wrong way

    def build() -> Any:
        made = subject.build()
        lack = contracts.missing("scorers" if subject.kind == "steps" else subject.kind, made)
        require(not lack, lack)
        return made

    return checks.holds("build", "an object with the methods that are called", build)


def _card_fits(subject: Subject) -> bool:
    assert subject.component is not None
    parts = getattr(subject.component, "parts", ()) or (subject.component,)
    faults = [fault for part in parts for fault in contracts.misfits(part.load(), part.card.params)]
    faults += [fault for part in parts if (fault := contracts.abstract_methods(part.load()))]
    for kind, names in (("frontends", (subject.frontend,)), ("augmentations", subject.augmentations)):
        for name in names if subject.kind == "extractors" else ():
            try:
                subject.part(kind, name)
            except UsageError as error:
                faults.append(str(error))
    require(not faults, "; ".join(faults))
    return True
