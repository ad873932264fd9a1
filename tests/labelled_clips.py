"""Training clips that have a domain, for tests of scorers."""

from asdbench.datasets.clips import TrainingClip


def labelled(domains):
    """A training clip of each domain named; None is a clip without one."""
    return [TrainingClip(f"{place:04d}", "fan", "00", domain, ()) for place, domain in enumerate(domains)]


def source_then_target(source, target):
    return labelled(["source"] * source + ["target"] * target)
