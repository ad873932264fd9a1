"""What a test set must hold for its official score to be defined."""

from collections.abc import Sequence

import numpy as np

from asdbench.core.errors import DataError, RequirementError
from asdbench.datasets.clips import Clip, Dataset
from asdbench.protocols.definitions import DEFINITIONS, SectionScores


def require_scorable(table: Dataset) -> None:
    """Refuse test clips whose official score is not defined; without any labels scores are written, not evaluated.

    Raises:
        RequirementError: there are no test clips at all.
        DataError: some clips carry labels and others do not, or a machine type lacks test clips, or a section training
            clips, a class or a domain.
    """
    test = table.select(split="test")
    if not len(test):
        raise RequirementError(
            f"{table.name} has no test clips, so nothing can be evaluated. A detector needs none: asdbench fit\n"
            "Test clips lie in test/, of known label in test/normal and test/anomaly, or have split = test in a table."
        )
    problems = [f"{machine}: no test clips" for machine in table.machines if machine not in test.machines]
    problems += [
        f"{machine}, section {section}: no training clips"
        for machine, section in test.sections
        if not len(table.select(machines=[machine], section=section, split="train"))
    ]
    for machine, section in test.sections if table.labelled else []:
        clips = list(test.select(machines=[machine], section=section))
        where = f"{machine}, section {section}"
        unlabelled = sum(clip.label is None for clip in clips)
        if unlabelled:
            problems.append(f"{where}: {unlabelled} of {len(clips)} test clips carry no label")
        else:
            problems += [f"{where}: {reason}" for reason in undefined_terms(table.protocol, _rows(clips))]
    if problems:
        raise DataError(
            f"The test clips of {table.name} cannot be evaluated:",
            problems,
            "Add the missing clips or labels, or leave the machine out: --machine NAME picks machine types.",
        )


def undefined_terms(protocol: str, rows: SectionScores) -> list[str]:
    """Why terms of the section's official score are not defined; empty when all are."""
    names = {0: "normal", 1: "anomalous"}
    missing = [name for label, name in names.items() if not (rows.labels == label).any()]
    if missing:
        return [f"no {name} test clips; AUC is not defined for one class" for name in missing]
    reasons = []
    for term in DEFINITIONS[protocol].terms(rows):
        domain = term.name.partition("_")[2]
        metric = "pAUC" if term.metric == "pauc" else "AUC"
        for label, name in names.items():
            if not (rows.labels[term.mask] == label).any():
                reasons.append(f"no {name} test clips of the {domain} domain; {metric}_{domain} is not defined")
    return reasons


def _rows(clips: Sequence[Clip]) -> SectionScores:
    return SectionScores(
        labels=np.array([clip.label for clip in clips], np.int64),
        domains=np.array([clip.domain or "" for clip in clips]),
        scores=np.zeros(len(clips)),
        decisions=None,
    )
