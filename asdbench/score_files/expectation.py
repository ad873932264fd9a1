"""What a complete set of score files holds: machine types, sections and numbers of clips of a challenge's split."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from asdbench.datasets.clip_counts import mismatches
from asdbench.score_files.ground_truth import Key, Truth

if TYPE_CHECKING:
    from asdbench.registry.challenge_card import ChallengeCard


@dataclass(frozen=True)
class Expectation:
    """What should be there.

    Attributes:
        name: of the data set, in words.
        sections: every (machine type, section) that a complete set has.
        counts: clips of a section by domain and label, where they are known.
    """

    name: str
    sections: tuple[Key, ...]
    counts: Mapping[Key, Mapping[Any, int]] = field(default_factory=dict)

    @property
    def machines(self) -> list[str]:
        """Machine types."""
        return list(dict.fromkeys(machine for machine, _ in self.sections))

    def wrong_counts(self, key: Key, clips: Collection[Truth]) -> str | None:
        """How the clips found differ in number from those of the data set; None where they do not."""
        differing = mismatches(self.counts.get(key, {}), [(clip.domain, clip.label) for clip in clips])
        return f"{', '.join(differing)} clips of {self.name}" if differing else None


def expectation_of(name: str, card: "ChallengeCard", split: str) -> Expectation:
    """What a split of a challenge holds."""
    own = card.splits[split]  # type: ignore[index]
    keys = tuple((machine, section) for machine in own.machines for section in own.sections_of(machine))
    return Expectation(f"{name} {split}", keys, {key: own.counts_of(*key).test for key in keys})


def likeliest_split(card: "ChallengeCard", found: Collection[Key]) -> str | None:
    """The split that most of the found (machine type, section) pairs belong to; None when none of them does."""
    shared = {split: len(set(expectation_of("", card, split).sections) & set(found)) for split in card.splits}
    best = max(shared, key=lambda split: shared[split])
    return best if shared[best] else None
