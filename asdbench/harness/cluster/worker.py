"""What a process of a node does."""

from contextlib import suppress
from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from asdbench.core.paths import cache_root
from asdbench.harness.cluster.artifacts import ArtifactStore, features_of, pack_folder
from asdbench.harness.cluster.folders import SharedFolders
from asdbench.harness.cluster.nodes import own_code, require_fit
from asdbench.harness.executors import Function, Outcome, outcome_of
from asdbench.harness.fits import Fit
from asdbench.harness.plan import Plan
from asdbench.harness.record import Failure, RunRecord
from asdbench.harness.remote_progress import RemoteProgress
from asdbench.harness.tasks import FitTask, Task, perform
from asdbench.registry import load_catalog


def do_task(
    mail: Any,
    number: int,
    plan: list[Any],
    folders: SharedFolders,
    function: Function,
    args: tuple[Any, ...],
    cores: int,
) -> Outcome:
    """Do one task; its progress goes to the command by ``mail``.

    Args:
        mail: the actor that holds messages until the command takes them.
        number: of this try, which its messages carry.
        plan: Ray's reference to the plan, in a list, so that a process fetches it once.
        folders: that it must see.
        function: what to do.
        args: of the function, behind the plan.
        cores: for decoding.

    Returns:
        The outcome, whose value is that of the function, and the packed folder of a run that the command lacks.
    """
    import ray

    progress = RemoteProgress(lambda message: mail.add.remote(number, message))
    progress.send("node", ray.util.get_node_ip_address())
    outcome = outcome_of(_do, plan[0], folders, function, args, progress=progress, cores=cores)
    with suppress(ray.exceptions.RayError):  # all that was sent is there before the outcome is
        ray.get(mail.flush.remote())
    return outcome


def _do(
    reference: Any,
    folders: SharedFolders,
    function: Function,
    args: tuple[Any, ...],
    *,
    progress: RemoteProgress,
    cores: int,
) -> tuple[Any, bytes | None]:
    _require_folders(folders)
    plan = _plan(reference)
    if plan.spec.artifacts is None:
        return function(plan, *args, progress=progress, cores=cores), None
    return _do_apart(plan, ArtifactStore(plan.spec.artifacts, plan.cache), *args, progress=progress, cores=cores)


@cache
def _require_folders(folders: SharedFolders) -> None:
    """Enter the working folder; refuse a node that has joined later and does not see the others."""
    import ray

    require_fit(ray.util.get_node_ip_address(), own_code(), folders.unseen())


@cache
def _plan(reference: Any) -> Plan:
    import ray

    plan: Plan = ray.get(reference)
    load_catalog(plan.spec.plugin_path)  # modules of plugins can be imported from now on
    if plan.spec.artifacts is not None:
        plan = replace(plan, cache=cache_root())
        plan.cache.mkdir(parents=True, exist_ok=True)
    return plan


def _do_apart(
    plan: Plan, store: ArtifactStore, task: Task, wait: bool, *, progress: RemoteProgress, cores: int
) -> tuple[list[Failure] | RunRecord | None, bytes | None]:
    """Do a task of a run on a node whose cache is its own: fetch what it needs before, put what it has made after."""
    cell = plan.cells[task.cell]
    if isinstance(task, FitTask):
        fit = Fit(cell, task.machines, plan.cache)
        if plan.spec.fresh:
            fit.forget()
        else:
            store.fetch(fit.entries)
        lacking = [entry for entry in fit.entries if not (entry.intact and store.has(entry))]
        if not fit.is_embedded:
            store.fetch(features_of(plan, cell, task.machines, progress))
        result = perform(plan, task, wait, progress=progress, cores=cores)
        store.put(lacking)
        return result, None
    for member in cell.members or (cell,):
        for group in member.groups:
            store.fetch(Fit(member, group, plan.cache).entries)
    with TemporaryDirectory(prefix="asdbench-") as folder:
        plan = replace(plan, spec=plan.spec.model_copy(update={"out": Path(folder)}))
        result = perform(plan, task, wait, progress=progress, cores=cores)
        return result, None if result is None else pack_folder(Path(folder) / cell.run_id)
