"""The card of a challenge's data set: what it holds, where it is had, what is known to be wrong with it."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from asdbench.registry.cards import AnyCard, Model

Address = Annotated[str, Field(pattern=r"^https?://[^/\s]+/\S+$")]
CountKey = Literal[
    "all", "source", "target",
    "source_normal", "source_anomaly", "target_normal", "target_anomaly", "normal", "anomaly", "clips",
]  # fmt: skip
Count = Annotated[int, Field(ge=0)]


class ClipCounts(Model):
    """How many clips a section should have; what is not known is left out."""

    train: dict[CountKey, Count] = Field(default_factory=dict)  # by domain; "all" where there are none
    # By domain and label ("source_normal"), by label ("normal", in 2020), or all together ("clips")
    test: dict[CountKey, Count] = Field(default_factory=dict)


class ChallengeMachine(Model):
    """What differs for one machine type; the rest is its split's."""

    sections: tuple[str, ...] | None = None
    zips: tuple[Address, ...] | None = None
    attributes_hidden: bool = False
    counts: dict[str, ClipCounts] = Field(default_factory=dict)


class ChallengeSplit(Model):
    """Development or evaluation data."""

    sections: tuple[str, ...]  # section numbers, machine ids in 2020
    labelled: bool  # whether the names of the test clips hold their label
    zips: tuple[Address, ...]  # addresses; ``{machine}`` stands for the machine type
    counts: ClipCounts = ClipCounts()  # clips of each section
    supplemental: Count | None = None  # supplemental clips of each machine type
    clip_s: tuple[float, float] | None = None  # shortest and longest clip (s)
    # "md5:..." or "sha256:..." by name of the zip, where one was published
    checksums: dict[str, Annotated[str, Field(pattern=r"^(md5|sha256):[0-9a-f]+$")]] = Field(default_factory=dict)
    machines: dict[str, ChallengeMachine]

    def sections_of(self, machine: str) -> tuple[str, ...]:
        """Section numbers of a machine type."""
        return self.machines[machine].sections or self.sections

    def zips_of(self, machine: str) -> tuple[str, ...]:
        """Addresses of a machine type's zips."""
        zips = self.machines[machine].zips or self.zips
        return tuple(address.replace("{machine}", machine) for address in zips)

    def counts_of(self, machine: str, section: str) -> ClipCounts:
        """How many clips a section should have."""
        counts = self.machines[machine].counts.get(section, ClipCounts())
        return ClipCounts(train=counts.train or self.counts.train, test=counts.test or self.counts.test)


class ChallengeCard(AnyCard):
    """The data of one year's challenge."""

    year: int
    protocol: str  # whose official score its test clips call for
    layout: str  # year whose names and folders it has, as ``Dataset.layout``
    licence: str  # of the recordings
    sample_rate_hz: int
    channels: int
    problems: dict[str, str] = Field(default_factory=dict)  # what is known to be wrong, by a short name
    splits: dict[Literal["dev", "eval"], ChallengeSplit]

    @model_validator(mode="after")
    def _counts_name_sections(self) -> "ChallengeCard":
        for split, content in self.splits.items():
            for machine, facts in content.machines.items():
                stray = set(facts.counts) - set(content.sections_of(machine))
                if stray:
                    raise ValueError(
                        f"splits.{split}.machines.{machine}.counts names section {min(stray)}, which it does not have"
                    )
        return self
