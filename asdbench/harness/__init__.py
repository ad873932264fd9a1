"""The harness: what was asked (spec) -> cells (plan) -> stages -> records."""

from asdbench.harness.experiment import execute
from asdbench.harness.plan import Plan, make_plan
from asdbench.harness.record import RunRecord
from asdbench.harness.spec import RunSpec

__all__ = ["Plan", "RunRecord", "RunSpec", "execute", "make_plan"]
