"""Audit of a data set: what lies there, what should, and what is wrong with it."""

from asdbench.datasets.audit.findings import Finding, Place
from asdbench.datasets.audit.holdings import Holdings, holdings_of_challenge, holdings_of_folder
from asdbench.datasets.audit.verify import Audit, verify

__all__ = ["Audit", "Finding", "Holdings", "Place", "holdings_of_challenge", "holdings_of_folder", "verify"]
