"""The other side: what a process of a node does."""

from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from asdbench.core.paths import cache_root
from asdbench.harness.cluster.artifacts import ArtifactStore, pack_folder
from asdbench.harness.cluster.folders import SharedFolders
from asdbench.harness.cluster.nodes import require_fit
from asdbench.harness.cluster.versions import own_code
from asdbench.harness.executors import Function, outcome_of
from asdbench.harness.fits import Fit
from asdbench.harness.plan import Plan
from asdbench.harness.remote_progress import RemoteProgress
from asdbench.harness.tasks import FitTask, Task, perform
from asdbench.registry import load_catalog


def do_task(
    line: Any, box: list[Any], places: SharedFolders, function: Function, args: tuple[Any, ...], cores: int
) -> None:
    """Do one task and send its outcome.

    Args:
        line: to the command.
        box: Ray's reference to the plan, which a process fetches once.
        places: that it must see, which is looked at once.
        function: what to do.
        args: of the function, behind the plan.
        cores: for decoding.

    Raises:
        RequirementError: a node that has joined later does not see the folders.
    """
    require_places(places)
    plan = _plan(box[0])
    progress = RemoteProgress(line.send)
    if plan.spec.artifacts is None:
        progress.send("outcome", outcome_of(function, plan, *args, progress=progress, cores=cores))
    else:
        task, wait = args
        do_task_apart(plan, ArtifactStore(plan.spec.artifacts, plan.cache), task, wait, progress, cores)


@cache
def require_places(places: SharedFolders) -> None:
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
    if plan.spec.artifacts is not None:
        plan = replace(plan, cache=cache_root())
        plan.cache.mkdir(parents=True, exist_ok=True)
    return plan


def do_task_apart(
    plan: Plan, store: ArtifactStore, task: Task, wait: bool, progress: RemoteProgress, cores: int
) -> None:
    """Do a task of a run on a node whose cache is its own: fetch what it needs before, put what it has made after."""
    cell = plan.cells[task.cell]
    if isinstance(task, FitTask):
        fit = Fit(cell, task.machines, plan.cache)
        if plan.spec.fresh:
            fit.forget()
        elif not fit.is_embedded:
            store.fetch_fit(fit)
        known = fit.is_embedded and store.has_fit(fit)
        if not fit.is_embedded:
            store.fetch_features(plan, cell, task.machines, progress)
        outcome = outcome_of(perform, plan, task, wait, progress=progress, cores=cores)
        if not known and outcome.value is not None:
            store.put_fit(fit)
        progress.send("outcome", outcome)
        return
    for part in cell.members or (cell,):
        for group in part.groups:
            fit = Fit(part, group, plan.cache)
            if not fit.is_embedded:
                store.fetch_fit(fit)
    with TemporaryDirectory(prefix="asdbench-") as place:
        plan = replace(plan, spec=plan.spec.model_copy(update={"out": Path(place)}))
        outcome = outcome_of(perform, plan, task, wait, progress=progress, cores=cores)
        if outcome.value is not None:
            progress.send("run", cell.run_id, pack_folder(Path(place) / cell.run_id))
        progress.send("outcome", outcome)
