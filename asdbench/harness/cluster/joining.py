"""Join the Ray cluster that is meant, or start one of this machine alone."""

import os
import secrets
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from asdbench.core.errors import RequirementError
from asdbench.core.packages import needed_by
from asdbench.core.progress import Progress
from asdbench.harness.machine import available_cores, resolve_device

ADDRESS = "RAY_ADDRESS"
OBJECTS_BYTES = 256 * 2**20  # of a cluster of our own; what goes through Ray is small
ANSWER_S = 5.0
QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # which it does by itself soon, and warns of until then
}


@contextmanager
def joined(progress: Progress) -> Iterator[Any]:
    """Ray, connected; this process leaves the cluster again if it was not in it before.

    Raises:
        RequirementError: Ray is not installed, or the cluster cannot be joined.
    """
    ray = require_ray()
    before = ray.is_initialized()
    if not before:
        progress.note(_join(ray))
    try:
        yield ray
    finally:
        if not before:
            ray.shutdown()


def require_ray() -> Any:
    """The module. Raises RequirementError: it is not installed."""
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    with needed_by("--engine ray"):
        import ray
    return ray


def cluster_device(asked: str, progress: Progress) -> str:
    """Settle the device by what the cluster's nodes have; this machine may have no GPU where they do.

    Raises:
        RequirementError: CUDA was asked for and no node has a GPU; Ray is not installed, or nobody answers.
    """
    require_ray()
    _named_address()
    if asked == "cpu":
        return "cpu"
    if not os.environ.get(ADDRESS):  # a cluster of this machine
        return resolve_device(asked)
    with joined(progress) as ray:
        gpus = ray.cluster_resources().get("GPU", 0)
    if gpus:
        return "cuda"
    if asked == "cuda":
        raise RequirementError(
            "--device cuda was asked for, but no node of the Ray cluster has a GPU.\n"
            "Start nodes with theirs (ray start --num-gpus=N says how many), or go on without: --device cpu"
        )
    return "cpu"


def _join(ray: Any) -> str:
    """Connect; what was connected to, as text."""
    asked = _named_address()
    address = _running_here() if asked in ("", "auto") else asked
    options: dict[str, Any] = {"log_to_driver": False, "logging_level": "CRITICAL"}
    if address == "local":
        options |= {"num_cpus": available_cores(), "include_dashboard": False, "object_store_memory": OBJECTS_BYTES}
        _give_token()
    try:
        ray.init(address, **options)
    except (ConnectionError, RuntimeError, ValueError, OSError, ray.exceptions.RayError) as error:
        ray.shutdown()
        raise RequirementError(_refused(asked, error)) from error
    _keep_off_the_screen()
    if address == "local":
        return f"Ray: no cluster is named by {ADDRESS} and none runs here, so one of this machine alone was started."
    nodes = sum(node["Alive"] for node in ray.nodes())
    return f"Ray: the cluster at {address} with {nodes} node{'s' * (nodes != 1)}."


def _named_address() -> str:
    """What the environment names, asked whether it answers: Ray takes a minute for that and fills the screen."""
    asked = os.environ.get(ADDRESS, "")
    if "://" in asked:
        raise RequirementError(
            f"{ADDRESS}={asked}: the command itself must run on a node of the cluster; a client from outside is not "
            "enough.\nGive the head's HOST:PORT there, or hand the command over: ray job submit -- asdbench run ..."
        )
    error = _answer(asked) if asked not in ("", "auto", "local") else None
    if error is not None:
        raise RequirementError(
            f"{ADDRESS}={asked}: no Ray cluster answers there ({error}).\n"
            "Start one: ray start --head --port=6379 on one machine, ray start --address=HOST:6379 on the others."
        ) from error
    return asked


def _give_token() -> None:
    """Let nobody else on this machine use our own cluster; Ray itself would leave a token in the user's home."""
    if not any(name.startswith("RAY_AUTH_") for name in os.environ):
        os.environ["RAY_AUTH_TOKEN"] = secrets.token_hex(32)


def _running_here() -> str:
    """Address of the cluster that was last started on this machine, if it still answers; else "local"."""
    try:
        from ray._private.utils import read_ray_address

        known = read_ray_address()
    except (ImportError, TypeError):  # Ray's own and not for others, so it may change
        return "local"
    return known if known and _answer(known) is None else "local"


def _answer(address: str) -> Exception | None:
    """Why nobody answers; None where somebody does."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), ANSWER_S).close()
    except (OSError, ValueError, OverflowError) as error:
        return error
    return None


def _refused(address: str, error: Exception) -> str:
    reason = " ".join(str(error).split())
    at = f" at {address}" if address else ""
    if "Version mismatch" in reason:
        return f"The Ray cluster{at} has other versions: {reason}\nInstall the same Python and Ray on every node."
    if "InvalidAuthToken" in reason:
        return (
            f"The Ray cluster{at} asks for its token.\n"
            "Give every node and this command the same: RAY_AUTH_MODE=token and RAY_AUTH_TOKEN_PATH=FILE"
        )
    return (
        f"The Ray cluster{at} cannot be joined: {reason[:400]}\n"
        "The command must run on a node of it: ray start --address=HOST:PORT makes this machine one "
        "(--num-cpus=0 where it is to do no tasks itself)."
    )


def _keep_off_the_screen() -> None:
    """Ray prints errors of its nodes to standard output, whatever its log settings are; that is where JSON goes."""
    from ray._private import worker

    if hasattr(worker, "print_to_stdstream"):
        worker.print_to_stdstream = lambda *_args, **_options: None
