"""Several extractors, each with a scorer, under one name: ``twfr:mahalanobis-ml,raw-mel:gmm``."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from asdbench.core.errors import UsageError
from asdbench.registry.components import Component
from asdbench.registry.composites import Composite

if TYPE_CHECKING:
    from asdbench.registry.cards import ExtractorCard

AND, WITH = ",", ":"  # between members; between a member's extractor and its scorer


def tidy(name: str) -> str:
    """The name without spaces between members: one ensemble has one name, and its runs one identity."""
    return AND.join(member.strip() for member in name.split(AND))


def pairs_of(name: str) -> list[tuple[str, str]]:
    """Extractor and scorer of each member. Raises UsageError: a member without a scorer, or the same member twice."""
    pairs = []
    for member in name.split(AND):
        extractor, _, scorer = member.strip().partition(WITH)
        if not extractor or not scorer:
            raise UsageError(
                f"--extractor {name}: members of an ensemble are EXTRACTOR:SCORER with a comma between them, for "
                f"example raw-mel:knn,raw-mel:gmm; '{member}' is none."
            )
        pairs.append((extractor, scorer))
    if len(set(pairs)) < len(pairs):
        raise UsageError(f"--extractor {name}: the same member is named twice.")
    return pairs


@dataclass(frozen=True)
class Ensemble(Composite):
    """An extractor whose embeddings are the anomaly scores of its members, one column for each.

    Two members that share a part share its parameters. ``layout`` names extractor, front end, augmentations and scorer
    of each member.
    """

    layout: tuple[tuple[str, str, tuple[str, ...], str], ...] = ()

    @property
    def members(self) -> list[dict[str, Any]]:
        """The components of each member with their parameters, by the names that a cell has for them."""
        parts: dict[tuple[str, str], Component] = {(part.kind, part.name): part for part in self.settled()}
        return [
            {
                "extractor": parts["extractors", extractor],
                "frontend": parts["frontends", frontend],
                "augmentations": tuple(parts["augmentations", augmentation] for augmentation in augmentations),
                "scorer": parts["scorers", scorer],
            }
            for extractor, frontend, augmentations, scorer in self.layout
        ]

    def identity(self, stage: Literal["fit", "embed"] = "embed") -> dict[str, Any]:
        """Names and identities of all members, in their order."""
        parts = [(one["extractor"], one["frontend"], *one["augmentations"], one["scorer"]) for one in self.members]
        return {"ensemble": [[[part.name, part.identity()] for part in member] for member in parts]}

    def build(self) -> None:
        """Build every part, so that one that refuses its parameters does so; the harness scores the members.

        Raises:
            AsdbenchError: a target cannot be imported.
        """
        for part in self.settled():
            part.build()


def ensemble_card(name: str, parts: Sequence[Component]) -> "ExtractorCard":
    """One card for the members' parts."""
    from asdbench.registry.cards import ExtractorCard

    extractors: list[tuple[str, Any]] = [(part.name, part.card) for part in parts if part.kind == "extractors"]
    params: dict[str, Any] = {}
    for part in parts:
        for key, param in part.card.params.items():
            replaces = f"{part.name}.{param.replaces}" if param.replaces else None
            params[f"{part.name}.{key}"] = param.model_copy(update={"replaces": replaces})
    profiles: dict[str, dict[str, Any]] = {}
    for extractor, card in extractors:
        for profile, values in card.profiles.items():
            profiles.setdefault(profile, {}).update({f"{extractor}.{key}": value for key, value in values.items()})
    return ExtractorCard(
        summary=f"Anomaly scores of {name.replace(AND, ' and ')}, one column for each.",
        target="asdbench.registry.ensembles:Ensemble",
        version=sum(part.card.version for part in parts),
        params=params,
        profiles=profiles,
        fit_on="machine" if all(card.fit_on == "machine" for _, card in extractors) else "dataset",
        frontend=next(part.name for part in parts if part.kind == "frontends"),
        cite=tuple(dict.fromkeys(cite for part in parts for cite in part.card.cite)),
    )
