"""A store that all nodes reach by its address, for caches that lie on their own disks."""

import tarfile
import tempfile
import uuid
from collections.abc import Sequence
from contextlib import suppress
from io import BytesIO
from pathlib import Path

from asdbench.core.digests import digest
from asdbench.core.errors import RequirementError, UsageError
from asdbench.core.files import clear_disk_full, whole_folder
from asdbench.core.progress import Progress
from asdbench.core.store import StoredFolder
from asdbench.core.uris import scrubbed, without_credentials
from asdbench.frontends.store import FeatureStore
from asdbench.harness.cells import Cell
from asdbench.harness.fits import Fit
from asdbench.harness.plan import Plan


class ArtifactStore:
    """Stores fits with their embeddings, and features; one object (a tar file) for each.

    An object takes its name when it is whole.

    Args:
        url: a folder of any file system that fsspec knows: ``s3://bucket/asdbench``, ``file:///mnt/x``.
        cache: of this machine.

    Raises:
        UsageError: fsspec knows no such address.
        RequirementError: its package is not installed here, or nobody answers.
    """

    def __init__(self, url: str, cache: Path) -> None:
        import fsspec

        self._cache = cache
        self._url, self._shown = url, without_credentials(url)
        if "://" not in url:
            raise UsageError(
                f"--artifacts {self._shown}: expected an address: s3://BUCKET/FOLDER, gs://..., file:///FOLDER."
            )
        try:
            self._files, self._root = fsspec.core.url_to_fs(url)
        except ValueError as error:
            raise UsageError(f"--artifacts {self._shown}: {scrubbed(str(error), url)}") from error
        except ImportError as error:
            raise RequirementError(
                f"--artifacts {self._shown}: {scrubbed(str(error), url)}\n"
                "Every node needs the package, and this machine too."
            ) from error

    def require_writable(self) -> None:
        """Try it.

        Raises:
            RequirementError: it does not work.
        """
        name = f"{self._root}/.asdbench-{uuid.uuid4().hex}"
        try:
            self._files.makedirs(self._root, exist_ok=True)
            self._files.pipe_file(name, b"asdbench")
            self._files.rm_file(name)
        except Exception as error:  # each file system has its own
            reason = f"{type(error).__name__}: {scrubbed(str(error), self._url)}"
            raise RequirementError(
                f"--artifacts {self._shown} cannot be written: {reason}\n"
                "Check the address, and that this machine and every node may write there."
            ) from error

    def put_fit(self, fit: Fit) -> None:
        """Put a fit and the embeddings that are there."""
        intact = [entry.path for entry in fit.entries if entry.intact]
        if intact:
            self._put(self._name(fit), intact)

    def fetch_fit(self, fit: Fit) -> bool:
        """Fetch a fit and its embeddings into the cache; whether they were there."""
        return self._fetch(self._name(fit))

    def has_fit(self, fit: Fit) -> bool:
        """Whether it was put."""
        return bool(self._files.exists(f"{self._root}/{self._name(fit)}"))

    def put_features(self, plan: Plan, cell: Cell, machines: Sequence[str], progress: Progress) -> None:
        """Put what a fit reads, as far as it is not there; each pack has an object of its own."""
        packs = self._packs(plan, cell, machines, progress)
        missing = [path for path in packs if not self._files.exists(f"{self._root}/{_features(path)}")]
        if not missing:
            return
        with progress.stage("sending features", len(missing)) as stage:
            for path in missing:
                self._put(_features(path), [path])
                stage.advance(1)

    def fetch_features(self, plan: Plan, cell: Cell, machines: Sequence[str], progress: Progress) -> None:
        """Fetch what a fit reads, as far as it is not here."""
        for path in self._packs(plan, cell, machines, progress):
            if not StoredFolder(path).intact:
                self._fetch(_features(path))

    def _packs(self, plan: Plan, cell: Cell, machines: Sequence[str], progress: Progress) -> list[Path]:
        others = cell.others(machines)
        store = FeatureStore(plan.cache / "features", 1, progress)
        tables = [cell.dataset.select(machines=list(machines))]
        if len(others):
            tables.append(cell.dataset.select(machines=[*machines, *others.machines], split="train"))
        packs = [pack for table in tables for pack in store.packs(table, cell.frontend)]
        return list(dict.fromkeys(pack.path for pack in packs))

    def _name(self, fit: Fit) -> str:
        return f"fits/{fit.trained.name}-{digest(sorted(entry.path.name for entry in fit.embeddings.values()), 12)}.tar"

    def _put(self, name: str, paths: Sequence[Path]) -> None:
        target = f"{self._root}/{name}"
        part = f"{target}.{uuid.uuid4().hex}.partial"
        self._files.makedirs(target.rpartition("/")[0], exist_ok=True)
        try:
            with self._files.open(part, "wb") as file, tarfile.open(fileobj=file, mode="w|") as tar:
                for path in paths:
                    tar.add(path, path.relative_to(self._cache).as_posix())
            self._files.mv(part, target)
        except BaseException:
            with suppress(Exception):
                self._files.rm_file(part)
            raise

    def _fetch(self, name: str) -> bool:
        """Lay what an object holds where it belongs in the cache, each entry whole; one that is intact stays."""
        with clear_disk_full(self._cache), tempfile.TemporaryDirectory(dir=self._cache, prefix=".fetched-") as folder:
            packed, unpacked = Path(folder, "object.tar"), Path(folder, "content")
            try:
                self._files.get_file(f"{self._root}/{name}", str(packed))
            except FileNotFoundError:
                return False
            with tarfile.open(packed) as tar:
                tar.extractall(unpacked, filter=_by_umask)
            for fetched in sorted(unpacked.glob("*/*")):
                target = self._cache / fetched.parent.name / fetched.name
                if not StoredFolder(target).intact:
                    with whole_folder(target) as whole:
                        for file in fetched.iterdir():
                            file.rename(whole / file.name)
        return True


def pack_folder(folder: Path) -> bytes:
    """A folder as the bytes of a tar file, without its name."""
    content = BytesIO()
    with tarfile.open(fileobj=content, mode="w") as tar:
        tar.add(folder, ".")
    return content.getvalue()


def unpack_folder(content: bytes, folder: Path) -> None:
    """Lay a folder that was packed where it belongs, whole."""
    with whole_folder(folder) as whole, tarfile.open(fileobj=BytesIO(content)) as tar:
        tar.extractall(whole, filter=_by_umask)


def _by_umask(member: tarfile.TarInfo, path: str) -> tarfile.TarInfo:
    """As ``tarfile.data_filter`` lets it through, with the permissions of what is made here."""
    return tarfile.data_filter(member, path).replace(mode=None, deep=False)  # type: ignore[arg-type]


def _features(path: Path) -> str:
    return f"features/{path.name}.tar"
