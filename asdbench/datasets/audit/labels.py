"""What is wrong with names, folders and attributes."""

from collections.abc import Iterator

from asdbench.datasets.audit.findings import Finding, Place, counted
from asdbench.datasets.audit.holdings import Holdings

FIRST_WITH_ATTRIBUTES = 2022  # before, names of some machine types only had them


def names(holdings: Holdings) -> Iterator[Finding]:
    """Files that cannot be used for what their names, folders or attribute files say; ``run`` refuses them as well."""
    for machine, part in holdings.parts.items():
        places = []
        for problem in part.problems:
            file, _, note = holdings.relative(problem).partition(": ")
            places.append(Place(file, note))
        if places:
            message = counted(len(places), "file or row", "files or rows") + " that cannot be used"
            yield Finding("file", "error", machine, "", message, tuple(places))


def attributes(holdings: Holdings) -> Iterator[Finding]:
    """Training clips, and test clips with labels, whose attributes neither name nor attribute file tells.

    Nothing is said of machine types whose card says that they are hidden, nor where no clip of a folder has any.
    """
    card, own = holdings.card, holdings.expected
    for machine, part in holdings.parts.items():
        if own is not None and own.machines[machine].attributes_hidden:
            continue
        due = card is not None and card.year >= FIRST_WITH_ATTRIBUTES
        for split in ("train", "test"):
            clips = [one for one in part.recordings if one.split == split and one.facts.label is not None]
            bare = [one for one in clips if not one.facts.attributes]
            if bare and (due or len(bare) < len(clips)) and clips:
                yield Finding(
                    "attributes", "warning", machine, "",
                    f"{len(bare)} of {counted(len(clips), f'{split} clip')} without attributes"
                    + (", which the card does not say are hidden" if due else ""),
                    tuple(Place(holdings.relative(one.path)) for one in bare),
                )  # fmt: skip
