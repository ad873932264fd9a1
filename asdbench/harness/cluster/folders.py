"""Folders of the command that the nodes must see under the same names."""

import os
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from asdbench.harness.cluster.artifacts import needs_recordings
from asdbench.harness.plan import Plan

PATIENCE_S = 40.0  # until a network folder shows what another machine has just made


@dataclass(frozen=True)
class SharedFolders:
    """What a node must see.

    Attributes:
        cwd: working folder of the command, which relative names start from; empty where none do.
        signs: what a folder is for, and a file in it.
    """

    cwd: str
    signs: tuple[tuple[str, str], ...]

    def unseen(self) -> list[str]:
        """What this machine does not see; enters the working folder.

        A file in a folder that is there is waited for.
        """
        try:
            os.chdir(self.cwd or os.curdir)
        except OSError:
            return [f"the working folder: {self.cwd}"]
        until = time.monotonic() + PATIENCE_S
        found = []
        for what, sign in self.signs:
            path = Path(sign)
            while not path.exists() and path.parent.is_dir() and time.monotonic() < until:
                time.sleep(0.5)
            if not path.exists():
                found.append(f"{what}: {path.parent}")
        return found


@contextmanager
def shown(plan: Plan, *more: tuple[str, str]) -> Iterator[SharedFolders]:
    """The places of a plan, with a sign in those that are written to.

    Args:
        plan: the command.
        more: what other files are for, and where they are.
    """
    mark = f".asdbench-{uuid.uuid4().hex[:12]}"
    apart = plan.spec.artifacts is not None
    written = {"the cache (ASDBENCH_CACHE)": plan.cache.absolute(), "the runs (--out)": plan.spec.out.absolute()}
    if apart:
        written = {}
    signs = list(more)
    made = [place for place in written.values() if not place.exists()]
    try:
        for what, folder in written.items():
            folder.mkdir(parents=True, exist_ok=True)
            (folder / mark).touch()
            signs.append((what, str(folder / mark)))
        for dataset in plan.datasets if not apart or needs_recordings(plan) else ():
            first = {clip.machine: clip.path.absolute() for clip in dataset}
            signs += [(f"recordings of {dataset.name}", str(path)) for path in first.values()]
        plugins = [folder.absolute() for folder in plan.spec.plugin_path]
        signs += [("--plugin-path", str(next(iter(folder.glob("*")), folder))) for folder in plugins]
        yield SharedFolders("" if apart else str(Path.cwd()), tuple(signs))
    finally:
        for folder in written.values():
            with suppress(OSError):
                (folder / mark).unlink()
        for folder in made:
            with suppress(OSError):
                folder.rmdir()
