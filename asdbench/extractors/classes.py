"""Classes of training clips, for extractors that learn to tell them apart."""

from collections.abc import Mapping, Sequence

from asdbench.datasets.clips import TrainingClip

Class = tuple[str, ...]


def classes_of(clips: Sequence[TrainingClip]) -> Mapping[str, Class]:
    """Class of each clip by its key: machine type and section, or attributes where the machine type has one section.

    A machine type with one section and no attributes is one class.
    """
    sections: dict[str, set[str]] = {}
    for clip in clips:
        sections.setdefault(clip.machine, set()).add(clip.section)
    return {
        clip.key: (
            (clip.machine, clip.section)
            if len(sections[clip.machine]) > 1
            else (clip.machine, *(f"{name}={value}" for name, value in clip.attributes))
        )
        for clip in clips
    }
