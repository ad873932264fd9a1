"""Individuals of one design: machines that differ by their makers' tolerances, as ids of a type in DCASE 2020."""

from asdbench.datasets.synthetic.individuals.dataset import IndividualMachines

__all__ = ["IndividualMachines"]
