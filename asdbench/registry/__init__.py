"""The registry: cards that declare datasets, front ends, augmentations, extractors and scorers."""

from asdbench.registry.catalog import KINDS, Catalog, Entry, load_catalog
from asdbench.registry.components import Component

__all__ = ["KINDS", "Catalog", "Component", "Entry", "load_catalog"]
