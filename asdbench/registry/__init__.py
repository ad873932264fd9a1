"""The registry: cards that declare datasets, front ends, augmentations, extractors and scorers."""

from asdbench.registry.cards import KINDS, Card, Param
from asdbench.registry.catalog import Catalog, Entry, load_catalog
from asdbench.registry.components import Component

__all__ = ["KINDS", "Card", "Catalog", "Component", "Entry", "Param", "load_catalog"]
