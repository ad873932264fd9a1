"""What a complete set of score files holds: machine types, sections and numbers of clips of a challenge's split."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from asdbench.datasets.clip_counts import mismatches
from asdbench.datasets.ground_truth import Key, Truth

if TYPE_CHECKING:
    from asdbench.registry.challenge_card import ChallengeCard, ChallengeSplit


@dataclass(frozen=True)
class Expectation:
    """What should be there."""

    name: str  # of the data set, for messages
    sections: tuple[Key, ...]  # every (machine type, section) that a complete set has
    # clips of a section by domain and label, where they are known
    counts: Mapping[Key, Mapping[Any, int]] = field(default_factory=dict)
    elsewhere: frozenset[Key] = frozenset()  # sections of the challenge's other split
    truth_problem: str = ""  # what is known to be wrong with copies of the ground truth; empty for nothing
    # test clips of each machine type, where a run's record states them
    test_clips_by_machine: Mapping[str, int] = field(default_factory=dict)
    is_challenge: bool = True  # whether it is a challenge's split; if not, the score is not a challenge score

    @property
    def machines(self) -> list[str]:
        """Machine types."""
        return list(dict.fromkeys([*(machine for machine, _ in self.sections), *self.test_clips_by_machine]))

    def only(self, machines: Collection[str]) -> "Expectation":
        """What should be there of some machine types."""
        sections = tuple(key for key in self.sections if key[0] in machines)
        clips = {machine: count for machine, count in self.test_clips_by_machine.items() if machine in machines}
        return replace(self, sections=sections, test_clips_by_machine=clips)

    def wrong_counts(self, key: Key, clips: Collection[Truth]) -> str | None:
        """How the clips differ in number from those of the data set; None where they do not."""
        differing = mismatches(self.counts.get(key, {}), [(clip.domain, clip.label) for clip in clips])
        where = f"{key[0]}, section {key[1]}"
        return f"{where}: {', '.join(differing)} clips of {self.name}" if differing else None


def expectation_of(name: str, card: "ChallengeCard", split: str) -> Expectation:
    """What a split of a challenge holds."""
    content = card.splits[split]  # type: ignore[index]
    keys = _keys(content)
    return Expectation(
        name=f"{name} {split}",
        sections=keys,
        counts={key: content.counts_of(*key).test for key in keys},
        elsewhere=frozenset(key for other in card.splits.values() for key in _keys(other)) - set(keys),
        truth_problem=card.problems.get("ground_truth", "") if split == "eval" else "",
    )


def likeliest_split(card: "ChallengeCard", present: Collection[Key]) -> str | None:
    """The split that most of some (machine type, section) pairs belong to; None when none of them does.

    Upper and lower case are the same here, so that a misspelt machine type is reported and not taken for the user's.
    """

    def folded(keys: Collection[Key]) -> set[Key]:
        return {(machine.casefold(), section) for machine, section in keys}

    shared = {split: len(folded(_keys(content)) & folded(present)) for split, content in card.splits.items()}
    best = max(shared, key=lambda split: shared[split])
    return best if shared[best] else None


def _keys(split: "ChallengeSplit") -> tuple[Key, ...]:
    return tuple((machine, section) for machine in split.machines for section in split.sections_of(machine))
