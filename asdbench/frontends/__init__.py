"""Front ends: waveform -> time-frequency features, decoded and cached."""

from asdbench.frontends.base import Frontend
from asdbench.frontends.pack import FeatureReader, Pack
from asdbench.frontends.store import FeatureStore

__all__ = ["FeatureReader", "FeatureStore", "Frontend", "Pack"]
