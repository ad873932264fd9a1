"""Folders of the command that the nodes must see under the same names."""

import os
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from asdbench.harness.plan import Plan

PATIENCE_S = 40.0  # until a network folder shows what another machine has just made


@dataclass(frozen=True)
class SharedFolders:
    """What a node must see."""

    cwd: str  # working folder of the command, which relative names start from; empty where none do
    signs: tuple[tuple[str, str], ...]  # what a folder is for, and a file in it

    def unseen(self) -> list[str]:
        """What this machine does not see; enters the working folder.

        A file in a folder that is there is waited for.
        """
        try:
            os.chdir(self.cwd or os.curdir)
        except OSError:
            return [f"the working folder: {self.cwd}"]
        until = time.monotonic() + PATIENCE_S
        unseen = []
        for what, sign in self.signs:
            path = Path(sign)
            while not path.exists() and path.parent.is_dir() and time.monotonic() < until:
                time.sleep(0.5)
            if not path.exists():
                unseen.append(f"{what}: {path.parent}")
        return unseen


@contextmanager
def shared_folders(plan: Plan) -> Iterator[SharedFolders]:
    """The folders of a plan, with a sign in those that are written to; with artifacts no node needs those."""
    apart = plan.spec.artifacts is not None
    written = {"the cache (ASDBENCH_CACHE)": plan.cache.absolute(), "the runs (--out)": plan.spec.out.absolute()}
    written = {} if apart else written
    mark = f".asdbench-{uuid.uuid4().hex[:12]}"
    made = [folder for folder in written.values() if not folder.exists()]
    signs = [(what, folder / mark) for what, folder in written.items()]
    try:
        for _, sign in signs:
            sign.parent.mkdir(parents=True, exist_ok=True)
            sign.touch()
        for dataset in plan.datasets if not apart or _needs_recordings(plan) else ():
            first = {clip.machine: clip.path.absolute() for clip in dataset}
            signs += [(f"recordings of {dataset.name}", path) for path in first.values()]
        plugins = [folder.absolute() for folder in plan.spec.plugin_path]
        signs += [("--plugin-path", next(iter(folder.glob("*")), folder)) for folder in plugins]
        yield SharedFolders("" if apart else str(Path.cwd()), tuple((what, str(sign)) for what, sign in signs))
    finally:
        for folder in written.values():
            with suppress(OSError):
                (folder / mark).unlink()
        for folder in made:
            with suppress(OSError):
                folder.rmdir()


def _needs_recordings(plan: Plan) -> bool:
    """Whether fits decode recordings themselves, to change their waveforms; features are not enough for them then."""
    augmentations = {one.name: one for cell in plan.cells for one in cell.augmentations}
    return any(one.build().works_on == "waveform" for one in augmentations.values())
