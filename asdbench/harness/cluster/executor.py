"""An executor whose tasks are done by the nodes of a Ray cluster."""

import os
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any, Self

from asdbench.core.paths import CACHE_VARIABLE
from asdbench.core.progress import Progress, Silent
from asdbench.harness.cluster.artifacts import ArtifactStore, features_of, unpack_folder
from asdbench.harness.cluster.calls import LostError, begin, cancel_all, ended, make_mail, outcome_of_reference, taken
from asdbench.harness.cluster.folders import shared_folders
from asdbench.harness.cluster.joining import ADDRESS, joined
from asdbench.harness.cluster.nodes import Request, cpus_beside_gpu, require_alike, slots
from asdbench.harness.cluster.worker import do_task
from asdbench.harness.executors import Function, Outcome
from asdbench.harness.fits import Fit
from asdbench.harness.plan import Plan
from asdbench.harness.remote_progress import Relay
from asdbench.harness.spec import RunSpec
from asdbench.harness.tasks import FitTask

LOOK_S = 1.0  # how often is looked whether nodes have joined
SHOW_S = 0.2  # how often progress is shown
RETRIES = 3  # of what was lost with its node
PASSED_ON = ("ASDBENCH_DATA", "ASDBENCH_PLUGIN_PATH")


@dataclass
class _Assignment:
    """A task that the cluster has."""

    number: int  # of the task
    function: Function  # what is done
    args: tuple[Any, ...]  # of the function, behind the plan
    trains: bool  # whether it may take a GPU
    progress: Progress  # where it reports
    relay: Relay  # shows what this try of it reports
    losses: int = 0  # how often it was lost
    attempt: int = 0  # number of this try, of all tasks'
    node: str = ""  # address of the node that it runs on, once it does


class RayExecutor:
    """Hands tasks to a cluster. What is lost with a node is done again by another one.

    Use as a context manager; leaving it cancels what is under way.

    Args:
        plan: what all tasks share.
        progress: where is said what the cluster does.
    """

    def __init__(self, plan: Plan, progress: Progress) -> None:
        self._plan = plan
        self._progress = progress
        self._stack = ExitStack()
        self._under_way: dict[Any, _Assignment] = {}  # by Ray's reference to what the task will return
        self._count = self._attempts = 0

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            ray = stack.enter_context(joined(self._progress))
            self._fit = fit_request(self._plan)
            self._score = Request(1)
            self._env = environment_of(self._plan)
            self._store = None
            if self._plan.spec.artifacts is not None:
                self._store = ArtifactStore(self._plan.spec.artifacts, self._plan.cache)
                self._store.require_writable()
            self._folders = stack.enter_context(shared_folders(self._plan))
            require_alike(self._fit, self._folders, self._env, self._progress)
            plugins = [folder.absolute() for folder in self._plan.spec.plugin_path]
            spec = self._plan.spec.model_copy(update={"plugin_path": plugins})
            self._shared = [ray.put(replace(self._plan, spec=spec))]
            self._mail = make_mail()
            self._slots, self._looked = slots(self._fit), time.monotonic()
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        with self._stack:
            cancel_all(self._under_way)
            for assignment in self._under_way.values():
                assignment.relay.close()
            self._under_way = {}

    @property
    def width(self) -> int:
        """Tasks at a time: as asked for, else what the cluster has."""
        return self._plan.spec.jobs or max(1, self._slots)

    @property
    def free(self) -> int:
        """How many more tasks can be handed over; one more than are done at a time, so that no node waits for us."""
        most = self._plan.spec.jobs or self._slots + 1
        return max(0, most - len(self._under_way))

    def submit(self, function: Function, *args: Any, progress: Progress) -> int:
        """Hand a task over; one that trains may take a GPU."""
        self._count += 1
        task = next((one for one in args if isinstance(one, FitTask)), None)
        trains = task is not None or any(isinstance(one, RunSpec) for one in args)  # the latter of a study's trial
        if self._store is not None and task is not None:
            self._send(self._store, task)
        self._begin(_Assignment(self._count, function, args, trains, progress, Relay(progress)))
        return self._count

    def results(self) -> Iterator[tuple[int, Outcome]]:
        """Relay what tasks report until some have ended, or nodes have joined that can do more."""
        while self._under_way:
            references = ended(self._under_way, SHOW_S)
            attempts = {assignment.attempt: assignment for assignment in self._under_way.values()}
            for attempt, (kind, *content) in taken(self._mail):
                if attempt not in attempts:  # lost before what it had sent came
                    continue
                if kind == "node":
                    (attempts[attempt].node,) = content
                else:
                    attempts[attempt].relay.show(kind, *content)
            results = [result for one in references if (result := self._end(one)) is not None]
            free = self.free
            if time.monotonic() - self._looked > LOOK_S:
                self._slots, self._looked = slots(self._fit), time.monotonic()
            if results or self.free > free:
                yield from results
                return

    def _send(self, store: ArtifactStore, task: FitTask) -> None:
        """Put what a fit needs where a node finds it: the fit itself, if it is in the cache here, or its features."""
        cell = self._plan.cells[task.cell]
        fit = Fit(cell, task.machines, self._plan.cache)
        features = [] if fit.is_embedded else features_of(self._plan, cell, task.machines, self._progress)
        missing = [entry for entry in features or fit.entries if not store.has(entry)]
        if missing:
            with self._progress.stage("sending to nodes", len(missing)) as stage:
                for entry in missing:
                    store.put([entry])
                    stage.advance(1)

    def _begin(self, assignment: _Assignment) -> None:
        request = self._fit if assignment.trains else self._score
        self._attempts += 1
        assignment.attempt = self._attempts
        what = (self._shared, self._folders, assignment.function, assignment.args, request.cpus)
        name = assignment.function.__name__
        reference = begin(do_task, self._mail, self._attempts, *what, request=request, env=self._env, name=name)
        self._under_way[reference] = assignment

    def _end(self, reference: Any) -> tuple[int, Outcome] | None:
        """Take the outcome of a task; None where it is done again."""
        assignment = self._under_way.pop(reference)
        assignment.relay.close()
        try:
            outcome = outcome_of_reference(reference, assignment.node)
        except LostError as error:
            return self._again(assignment, str(error))
        if outcome.value is not None:
            value, folder = outcome.value
            if folder is not None:
                unpack_folder(folder, self._plan.spec.out / value.run_id)
            outcome = Outcome(value)
        return assignment.number, outcome

    def _again(self, assignment: _Assignment, reason: str) -> tuple[int, Outcome] | None:
        """Hand what was lost to another node; an outcome when that was tried often enough."""
        if assignment.losses == RETRIES:
            return assignment.number, Outcome(death=f"{reason}; it was tried {RETRIES + 1} times.")
        self._progress.note(f"{reason}; what was lost is done again.")
        self._begin(replace(assignment, relay=Relay(assignment.progress), losses=assignment.losses + 1, node=""))
        return None


def fit_request(plan: Plan) -> Request:
    """What a fit needs of a node."""
    threads = plan.spec.threads
    if plan.device == "cpu":
        return Request(threads)
    gpus = plan.spec.gpus_per_task
    return Request(cpus_beside_gpu(threads, gpus), gpus)


def cluster_slots(plan: Plan) -> int:
    """Fits that the cluster does at a time; none is started for that."""
    if not os.environ.get(ADDRESS):
        return max(1, plan.cores // plan.spec.threads)
    with joined(Silent()):
        return max(1, slots(fit_request(plan)))


def environment_of(plan: Plan) -> dict[str, str]:
    """Variables of processes that do tasks."""
    env = {name: os.environ[name] for name in PASSED_ON if os.environ.get(name)}
    if plan.device == "cuda":
        env["CUBLAS_WORKSPACE_CONFIG"] = ":4096:8"  # repeatable matrix products
    if plan.spec.artifacts is None:  # else each node has a cache of its own
        env[CACHE_VARIABLE] = str(plan.cache.absolute())
    return env | {
        "OMP_NUM_THREADS": str(plan.spec.threads),
        "ASDBENCH_TRACKING": "none",
        "PYDANTIC_DISABLE_PLUGINS": "1",
    }
