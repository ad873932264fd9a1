"""The machine that a run uses: device, threads, versions."""

import os
import platform
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from asdbench.core.errors import RequirementError
from asdbench.core.packages import version_of
from asdbench.harness.record import Environment

PACKAGES = ("asdbench", "numpy", "scipy", "scikit-learn", "torch", "torchaudio", "timm", "pyod", "soundfile")


def resolve_device(asked: str) -> str:
    """Settle the device, "cpu" or "cuda"; "auto" takes a GPU when there is one.

    Raises:
        RequirementError: CUDA was asked for and there is none.
    """
    if asked == "cpu" or (asked == "auto" and _surely_no_gpu()):
        return "cpu"
    import torch

    if torch.cuda.is_available():
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # repeatable matrix products
        return "cuda"
    if asked == "cuda":
        raise RequirementError(
            "--device cuda was asked for, but torch finds no usable GPU here.\n"
            "Accepted: auto, cpu, cuda. Go on without: --device cpu"
        )
    return "cpu"


def _surely_no_gpu() -> bool:
    """Answer without the three seconds that importing torch takes, where that is possible."""
    return sys.platform.startswith("linux") and not Path("/dev/nvidiactl").exists() and not Path("/dev/dxg").exists()


def available_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def full_precision(device: str) -> Iterator[None]:
    """Compute on a GPU in float32 throughout: no TensorFloat-32, which convolutions take by default.

    A covariance of embeddings that is nearly singular makes much of their last digits.
    """
    import torch

    if device == "cpu":
        yield
        return
    matmul, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
    before = matmul.allow_tf32, cudnn.allow_tf32
    matmul.allow_tf32 = cudnn.allow_tf32 = False
    try:
        with torch.autocast(device, enabled=False):
            yield
    finally:
        matmul.allow_tf32, cudnn.allow_tf32 = before


def environment(device: str, threads: int | None) -> Environment:
    """Versions and machine for the record."""
    commit, dirty = _git_state(Path(__file__).resolve().parents[2])
    return Environment(
        device=device,
        threads=threads,
        python=platform.python_version(),
        platform=platform.platform(),
        packages=package_versions(),
        git_commit=commit,
        git_dirty=dirty,
    )


@cache
def package_versions() -> dict[str, str]:
    """Versions of the packages that decide numbers."""
    return {name: version_of(name) or "not installed" for name in PACKAGES}


@cache  # the code that runs is that of the first time, whatever is committed while it does
def _git_state(checkout: Path) -> tuple[str | None, bool | None]:
    """Commit of the asdbench checkout and whether it was changed since; None outside a checkout."""
    if not (checkout / ".git").exists():
        return None, None
    try:
        commit, status = (
            subprocess.run(
                ["git", "-C", str(checkout), *arguments], capture_output=True, text=True, check=True, timeout=10
            ).stdout.strip()
            for arguments in (["rev-parse", "HEAD"], ["status", "--porcelain"])
        )
    except (OSError, subprocess.SubprocessError):
        return None, None
    return commit, bool(status)
