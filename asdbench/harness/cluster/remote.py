"""The other side: what a process of a node does."""

from functools import cache
from typing import Any

from asdbench.harness.cluster.nodes import require_fit
from asdbench.harness.cluster.places import Places
from asdbench.harness.cluster.versions import own_code
from asdbench.harness.plan import Plan
from asdbench.harness.tasks import Task, perform
from asdbench.harness.worker import RemoteProgress
from asdbench.registry import load_catalog


def do_task(line: Any, box: list[Any], places: Places, task: Task, wait: bool, cores: int) -> None:
    """Do one task of a plan and send its result.

    Args:
        line: to the command.
        box: Ray's reference to the plan, which a process fetches once.
        places: that it must see, which is looked at once.
        task: what to do.
        wait: for another process that is at it.
        cores: for decoding.

    Raises:
        RequirementError: a node that has joined later does not see the folders.
    """
    require_places(places)
    plan = _plan(box[0])
    progress = RemoteProgress(line)
    progress.send("result", perform(plan, task, progress, jobs=cores, wait=wait))


@cache
def require_places(places: Places) -> None:
    """Enter the working folder; see the others.

    Raises:
        RequirementError: this node does not.
    """
    import ray

    require_fit(ray.util.get_node_ip_address(), own_code(), places.unseen())


@cache
def _plan(reference: Any) -> Plan:
    import ray

    plan: Plan = ray.get(reference)
    load_catalog(plan.spec.plugin_path)  # modules of plugins can be imported from now on
    return plan
