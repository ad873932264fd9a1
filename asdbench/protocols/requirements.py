"""What a test set must hold for its official score to be defined."""

from asdbench.core.errors import DataError
from asdbench.datasets.clips import ClipTable

PROTOCOLS = ("dcase2020", "dcase2023")


def protocol_of(table: ClipTable) -> str:
    """The protocol that a data set's layout calls for."""
    return table.layout


def require_scorable(table: ClipTable) -> bool:
    """Whether the test clips carry labels; without, scores can be written but not evaluated.

    Raises:
        DataError: some clips carry labels and others do not, or a section lacks training clips, a class or a domain.
    """
    test = table.select(split="test")
    problems = [
        f"{machine}, section {section}: no training clips"
        for machine, section in test.sections
        if not len(table.select(machines=[machine], section=section, split="train"))
    ]
    labelled = any(clip.label is not None for clip in test)
    for machine, section in test.sections if labelled else []:
        clips = list(test.select(machines=[machine], section=section))
        where = f"{machine}, section {section}"
        unlabelled = sum(clip.label is None for clip in clips)
        if unlabelled:
            problems.append(f"{where}: {unlabelled} of {len(clips)} test clips carry no label")
            continue
        for label, word in ((0, "normal"), (1, "anomalous")):
            if not any(clip.label == label for clip in clips):
                problems.append(f"{where}: no {word} test clips; AUC is not defined for one class")
        if table.layout != "dcase2020":
            problems += [
                f"{where}: no normal test clips of the {domain} domain; AUC_{domain} is not defined"
                for domain in ("source", "target")
                if not any(clip.domain == domain and clip.label == 0 for clip in clips)
                and any(clip.label == 0 for clip in clips)
            ]
    if problems:
        raise DataError(
            f"The test clips of {table.name} cannot be evaluated:",
            problems,
            "Add the missing clips, or leave the machine out: --machine NAME picks machine types.",
        )
    return labelled
