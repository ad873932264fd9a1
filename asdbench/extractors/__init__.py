"""Feature extractors: clips -> embeddings."""

from asdbench.extractors.base import Context, Extractor

__all__ = ["Context", "Extractor"]
