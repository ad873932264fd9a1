"""A cell: one run to be done, which knows all that it depends on and what it is called in the cache."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

from asdbench.core.digests import derive_seed, digest
from asdbench.datasets import Dataset
from asdbench.frontends.store import by_name, names_of
from asdbench.protocols.threshold import DEFAULT_RULE, ThresholdRule
from asdbench.registry import Component
from asdbench.registry.cards import ExtractorCard

FIT_FORMAT = 5  # of what is stored beside a fitted extractor; raised when it changes
LONGEST = 128  # characters of the readable part of an id; ids of this length are on boards
SHORT_NAME, SHORT_DATASET = 48, 32  # of one that is shortened


@dataclass(frozen=True, eq=False)
class Cell:
    """One run to be done: dataset -> frontend (+ augmentations) -> extractor -> scorer, with a seed."""

    dataset: Dataset  # the clips
    frontend: Component  # makes features of waveforms; of an ensemble that of its first member
    augmentations: tuple[Component, ...]  # of training clips, in the order asked for
    extractor: Component  # makes embeddings of features
    scorer: Component  # makes scores of embeddings
    seed: int  # base seed
    device: str  # "cpu" or "cuda"
    threads: int  # of one training on the CPU, which the last digits depend on
    profile: str | None = None  # of the extractor's card
    system: str | None = None  # the card that composed it, if one did
    # Parameters given by hand in its command, 'component.param': value
    given: Mapping[str, Any] = field(default_factory=dict)
    members: tuple["Cell", ...] = ()  # of an ensemble the runs whose scores it combines; empty for any other
    rule: ThresholdRule = DEFAULT_RULE  # how thresholds follow from training scores
    implied: bool = False  # nobody asked for this run, which is there because an ensemble combines its scores

    @property
    def name(self) -> str:
        """How people call it: the system, or extractor and scorer."""
        return self.system or f"{self.extractor.name} + {self.scorer.name}"

    @property
    def components(self) -> tuple[Component, ...]:
        """Everything that is built for it."""
        return (self.extractor, self.frontend, *self.augmentations, self.scorer)

    @property
    def fit_on(self) -> str:
        """As the extractor's card says: "dataset", "machine" or "machine-among-others"."""
        assert isinstance(self.extractor.card, ExtractorCard)
        return self.extractor.card.fit_on

    @property
    def groups(self) -> list[list[str]]:
        """Machine types that share a fit."""
        machines = self.dataset.machines
        return [machines] if self.fit_on == "dataset" else [[machine] for machine in machines]

    def group_of(self, machine: str) -> list[str]:
        """The machine types that share the fit of one."""
        return self.dataset.machines if self.fit_on == "dataset" else [machine]

    @property
    def by_name(self) -> bool:
        """Whether features are looked up by the clips' names, which then decide fits and embeddings too."""
        return by_name(self.frontend)

    @property
    def numerics(self) -> list[Any]:
        """What of the machine decides numbers: sums on a CPU depend on how many threads share them."""
        return [self.device, self.threads] if self.device == "cpu" else [self.device]

    def identity(self, stage: Literal["fit", "embed"] = "embed") -> dict[str, Any]:
        """All that decides a fit, or the embeddings, besides clips, seed and device."""
        return {
            "extractor": self.extractor.identity(stage),
            "frontend": self.frontend.identity(),
            "augmentations": [[part.name, part.identity()] for part in self.augmentations],
        }

    @cached_property
    def sharing(self) -> str:
        """Equal for cells on one data set whose fits and embeddings are the same but for the seed."""
        return digest([self.extractor.name, self.identity()])

    @cached_property
    def run_id(self) -> str:
        """Name of the run's folder: readable beginning, and the digest of all that the run depends on."""
        dataset = self.dataset
        # The default is no part of it: ids are what they were before there were others.
        rule = {} if self.rule == DEFAULT_RULE else {"threshold": self.rule.text}
        depends: dict[str, Any] = {
            **self.identity(),
            "scorer": self.scorer.identity(),
            "clips": dataset.fingerprint,
            "protocol": dataset.protocol,
            "seed": self.seed,
            "device": self.numerics,
            "names": [self.extractor.name, self.scorer.name],  # seeds derive from them
            **rule,
        }
        name = self.system or f"{self.extractor.name}-{self.scorer.name}"
        whole = f"{_plain(name)}-{_plain(dataset.name)}-s{self.seed}"
        # Of a name that cannot be read from the id, the digest must distinguish it from others.
        if _plain(dataset.name) != dataset.name or len(whole) > LONGEST:
            depends["dataset"] = dataset.name
        if self.system is not None and (_plain(self.system) != self.system or len(whole) > LONGEST):
            depends["system"] = self.system
        if len(whole) > LONGEST:
            whole = f"{_plain(name)[:SHORT_NAME]}-{_plain(dataset.name)[:SHORT_DATASET]}-s{self.seed}"[:LONGEST]
        return f"{whole}-{digest(depends, 10)}"

    def fit_seed(self, machines: Sequence[str]) -> int:
        """Seed of the extractor for machine types that share a fit; another machine type changes no other's."""
        assert isinstance(self.extractor.card, ExtractorCard)
        seed = 0 if self.extractor.card.untrained else self.seed  # which means nothing to it
        return derive_seed(seed, "extractor", self.extractor.name, *([] if self.fit_on == "dataset" else machines))

    def others(self, machines: Sequence[str]) -> Dataset:
        """Training clips of other machine types, where a fit may use them; else none."""
        wanted = self.fit_on == "machine-among-others"
        others = [machine for machine in self.dataset.machines if wanted and machine not in machines]
        return self.dataset.select(machines=others, split="train")

    def fit_key(self, machines: Sequence[str]) -> str:
        """Digest of all that a fit for machine types depends on; computed once."""
        key = ("fit", *machines)
        return self._keys.get(key) or self._keys.setdefault(key, self._fit_key(machines))

    def embedding_key(self, machine: str) -> str:
        """Digest of all that a machine type's embeddings depend on; computed once."""
        key = ("embedding", machine)
        return self._keys.get(key) or self._keys.setdefault(key, self._embedding_key(machine))

    def _fit_key(self, machines: Sequence[str]) -> str:
        clips, others = self.dataset.select(machines=machines, split="train"), self.others(machines)
        views = [
            [[clip.machine, clip.section, clip.domain, clip.attributes, clip.key] for clip in view]
            for view in (clips.training_view(), others.training_view())
        ]
        names = [names_of(clips) + names_of(others)] if self.by_name else []
        return digest([FIT_FORMAT, self.identity("fit"), *views, self.fit_seed(machines), self.numerics, *names], 24)

    def _embedding_key(self, machine: str) -> str:
        read = self.extractor.identity().get("params")  # with those that affect the embedding alone
        clips = self.dataset.select(machines=[machine])
        view = [[clip.section, clip.key] for clip in clips.blind_view()]
        names = [names_of(clips)] if self.by_name else []
        return digest([self.fit_key(self.group_of(machine)), read, machine, view, *names], 24)

    @cached_property
    def _keys(self) -> dict[tuple[str, ...], str]:
        return {}


def _plain(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", ".", name)
