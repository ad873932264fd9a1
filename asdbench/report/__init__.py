"""The report of one run: pictures that explain its scores."""

from asdbench.report.write import write_report

__all__ = ["write_report"]
