"""Download a challenge's data: transfer, verify, unpack, remember."""

from asdbench.datasets.download.challenge import download_challenge
from asdbench.datasets.download.places import Held

__all__ = ["Held", "download_challenge"]
