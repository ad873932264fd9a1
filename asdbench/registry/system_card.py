"""The card of a published system: its components, and what was published of it."""

from typing import Annotated, Literal

from pydantic import Field

from asdbench.registry.cards import AnyCard, Model, Value

OFFICIAL = "official score"
Label = Annotated[str, Field(max_length=60)]


class Published(Model):
    """A number that a system's authors, or others, published.

    What is called an official score, and the terms of ``machines``, are computed here by the same definition and can be
    compared; other metrics are named. ``reference`` is the file under leaderboards/references/ that holds the
    parts, where they were published too.
    """

    dataset: str
    split: str
    metric: str = OFFICIAL
    percent: float
    machines: dict[str, dict[Literal["auc", "auc_source", "auc_target", "pauc"], float]] = Field(default_factory=dict)
    tolerance: Annotated[float, Field(ge=0)] | None = None
    source: str
    reference: str = ""


class SystemVariant(Model):
    """Another name for a system with another scorer or other parameters."""

    summary: str
    label: Label = ""
    description: str = ""
    scorer: str | None = None
    params: dict[str, dict[str, Value]] = Field(default_factory=dict)
    open: dict[str, str] = Field(default_factory=dict)
    published: tuple[Published, ...] = ()


class SystemCard(AnyCard):
    """A published system: its components, and their parameters as its paper states them."""

    label: Label = ""  # what boards call it, in a few words
    extractor: str
    scorer: str
    frontend: str | None = None
    augmentations: tuple[str, ...] | None = None
    # Values by component and parameter; what is not named here is the component card's default
    params: dict[str, dict[str, Value]] = Field(default_factory=dict)
    # "component.param" -> why this value; for each choice that the paper leaves open
    open: dict[str, str] = Field(default_factory=dict)
    # Other names; each lays its values over the card's
    variants: dict[str, SystemVariant] = Field(default_factory=dict)
    published: tuple[Published, ...] = ()  # what was reported for it

    def variant(self, name: str | None) -> "SystemCard":
        """The system that a variant's name stands for; None is the card itself."""
        if name is None:
            return self
        variant = self.variants[name]
        scorer = variant.scorer or self.scorer
        replaced = {self.scorer} - {scorer}  # whose parameters and reasons go with it
        inherited = {part: values for part, values in self.params.items() if part not in replaced}
        reasons = {
            key: why for key, why in (self.open | variant.open).items() if key.rpartition(".")[0] not in replaced
        }
        changed = {
            "summary": variant.summary,
            "label": variant.label,
            "description": variant.description or self.description,
            "scorer": scorer,
            "params": {
                part: inherited.get(part, {}) | variant.params.get(part, {}) for part in inherited | variant.params
            },
            "open": reasons,
            "published": variant.published,
        }
        return self.model_copy(update=changed)
