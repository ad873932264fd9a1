"""Synthetic machines: physically modelled machine sounds, written as a DCASE 2023 data set."""

from asdbench.datasets.synthetic.dataset import SyntheticDataset

__all__ = ["SyntheticDataset"]
