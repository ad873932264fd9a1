"""Feature extractors: clips -> embeddings."""

from asdbench.extractors.base import Context, Extractor, Training, Untrained

__all__ = ["Context", "Extractor", "Training", "Untrained"]
