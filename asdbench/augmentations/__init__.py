"""Augmentations: altered copies of clips for contrastive training, one file each."""

from asdbench.augmentations.base import Augmentation

__all__ = ["Augmentation"]
