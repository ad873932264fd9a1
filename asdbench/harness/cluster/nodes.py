"""The nodes of the cluster: what tasks need of them, what they can do at a time, and whether they can do it at all."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import asdbench
from asdbench.core.errors import RequirementError
from asdbench.core.progress import Progress
from asdbench.harness.cluster.folders import SharedFolders
from asdbench.harness.machine import package_versions

ANSWER_WITHIN_S = 120.0


@dataclass(frozen=True)
class Request:
    """What of a node a task needs. A node has as many GPUs as it was started with; of one, a task may take a part."""

    cpus: int
    gpus: float = 0.0

    def fits(self, node: Mapping[str, float]) -> int:
        """How many such tasks a node with these resources does at a time."""
        most = int(node.get("CPU", 0) // self.cpus)
        if not self.gpus:
            return most
        whole = int(node.get("GPU", 0))
        return min(most, whole * int(1 / self.gpus + 1e-6) if self.gpus < 1 else int(whole // self.gpus))

    def __str__(self) -> str:
        gpus = f" and {self.gpus:g} GPU{'s' * (self.gpus > 1)}" if self.gpus else ""
        return f"{self.cpus} CPU{'s' * (self.cpus != 1)}{gpus}"


def fitting(request: Request) -> dict[str, dict[str, Any]]:
    """Nodes that are there and have what a task needs, by id."""
    import ray

    return {node["NodeID"]: node for node in ray.nodes() if node["Alive"] and request.fits(node["Resources"])}


def slots(request: Request) -> int:
    """Tasks that the cluster does at a time."""
    return sum(request.fits(node["Resources"]) for node in fitting(request).values())


def cpus_beside_gpu(threads: int, gpus: float) -> int:
    """CPUs for a task on a GPU, which loads and augments meanwhile: the share of its part of the GPUs."""
    import ray

    shares = [
        int(node["Resources"].get("CPU", 0) * min(1.0, gpus / node["Resources"]["GPU"]))
        for node in ray.nodes()
        if node["Alive"] and node["Resources"].get("GPU", 0) >= min(gpus, 1)
    ]
    return max(threads, min(shares, default=threads))


def require_alike(request: Request, folders: SharedFolders, env: Mapping[str, str], progress: Progress) -> None:
    """Ask every node that tasks can come to.

    Raises:
        RequirementError: one has another asdbench or none, or does not see the folders.
    """
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    nodes = fitting(request)
    if not nodes:
        progress.note(f"No node of the Ray cluster has {request} yet; tasks wait until one does.")
        return
    remote = ray.remote(_probe())
    asked = {
        remote.options(
            num_cpus=0,
            max_retries=0,
            scheduling_strategy=NodeAffinitySchedulingStrategy(node_id, soft=False),
            runtime_env={"env_vars": dict(env)},
        ).remote(folders.cwd, list(folders.signs)): node["NodeManagerAddress"]
        for node_id, node in nodes.items()
    }
    with progress.stage("nodes", len(asked)) as stage:
        left = list(asked)
        while left:
            ready, left = ray.wait(left, num_returns=1, timeout=ANSWER_WITHIN_S)
            if not ready:
                names = ", ".join(sorted({asked[one] for one in left}))
                raise RequirementError(f"Nodes of the Ray cluster do not answer for {ANSWER_WITHIN_S:.0f} s: {names}.")
            name = asked[ready[0]]
            try:
                answer = ray.get(ready[0])
            except ray.exceptions.RayTaskError as error:
                raise RequirementError(f"The node {name} cannot do tasks: {error.cause!r}") from error
            except ray.exceptions.RayError:
                progress.note(f"The node {name} was lost before it had anything to do.")
            else:
                require_fit(name, answer["code"], answer["unseen"])
                _note_differences(name, answer["packages"], progress)
            stage.advance(1, name)


def require_fit(name: str, code: str, unseen: list[str]) -> None:
    """Refuse a node by what it answered. Raises RequirementError: it has another asdbench, or does not see a folder."""
    if code != own_code():
        version = own_code().partition(" ")[0]
        raise RequirementError(
            f"The node {name} has {f'asdbench {code}' if code else 'no asdbench'}, this command {own_code()}; records "
            f"of both would not be comparable.\nInstall the same on every node: pip install 'asdbench[ray]=={version}'"
        )
    if unseen:
        raise RequirementError(
            f"The node {name} does not see:\n"
            + "".join(f"  {line}\n" for line in unseen)
            + "They must be folders that all nodes share under the same names: ASDBENCH_CACHE=DIR, --out DIR. "
            "Where there is none, --artifacts URL takes what nodes hand to each other."
        )


def _note_differences(name: str, packages: Mapping[str, str], progress: Progress) -> None:
    here = package_versions()
    differing = [f"{key} {packages.get(key)} (here {here[key]})" for key in here if packages.get(key) != here[key]]
    if differing:
        progress.note(f"The node {name} has {', '.join(differing)}; last digits of scores may differ.")


def _probe() -> Callable[[str, list[tuple[str, str]]], dict[str, Any]]:
    """What a node is asked; it travels by value, because there may be no asdbench over there, or another."""

    def probe(cwd: str, signs: list[tuple[str, str]]) -> dict[str, Any]:
        try:
            import asdbench
        except ImportError:
            return {"code": "", "packages": {}, "unseen": []}
        try:
            from asdbench.harness.cluster.folders import SharedFolders
            from asdbench.harness.cluster.nodes import own_code
            from asdbench.harness.machine import package_versions
        except ImportError:
            return {"code": asdbench.__version__, "packages": {}, "unseen": []}
        unseen = SharedFolders(cwd, tuple(signs)).unseen()
        return {"code": own_code(), "packages": package_versions(), "unseen": unseen}

    return probe


@cache
def own_code() -> str:
    """Asdbench's version and a digest of its modules."""
    total = hashlib.blake2b(digest_size=6)
    root = Path(asdbench.__file__).parent
    for path in sorted(root.rglob("*.py")):
        total.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return f"{asdbench.__version__} ({total.hexdigest()})"
