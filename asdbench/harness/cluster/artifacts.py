"""A store that all nodes reach by its address, for caches that lie on their own disks."""

import json
import tarfile
import uuid
from collections.abc import Iterable, Sequence
from contextlib import suppress
from io import BytesIO
from pathlib import Path

from asdbench.core.errors import RequirementError, UsageError
from asdbench.core.files import whole_folder
from asdbench.core.progress import Progress
from asdbench.core.store import MANIFEST, StoredFolder, damage
from asdbench.core.uris import scrubbed, without_credentials
from asdbench.frontends.store import FeatureStore
from asdbench.harness.cells import Cell
from asdbench.harness.plan import Plan


class ArtifactStore:
    """Holds fits, embeddings and features: the files of entries of the cache, under the names that they have there.

    The manifest of an entry comes last, so where it is, all is there; what is fetched is verified.

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
        """Try it. Raises RequirementError: it does not work."""
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

    def has(self, entry: StoredFolder) -> bool:
        """Whether all of an entry of the cache was put."""
        return bool(self._files.exists(f"{self._place(entry)}/{MANIFEST}"))

    def put(self, entries: Iterable[StoredFolder]) -> None:
        """Put entries of the cache, those of them that are intact, in place of what is there."""
        for entry in entries:
            if entry.intact:
                files = [file for file in entry.path.rglob("*") if file.is_file()]
                for file in sorted(files, key=lambda file: file.name == MANIFEST):  # which comes last
                    target = f"{self._place(entry)}/{file.relative_to(entry.path).as_posix()}"
                    self._files.makedirs(target.rpartition("/")[0], exist_ok=True)
                    self._files.put_file(str(file), target)

    def fetch(self, entries: Iterable[StoredFolder]) -> None:
        """Fetch entries that are not intact in the cache, as far as they are there, each of them whole."""
        for entry in entries:
            if not entry.intact:
                with suppress(FileNotFoundError, ValueError, LookupError), whole_folder(entry.path) as folder:
                    self._fill(folder, self._place(entry))

    def _fill(self, folder: Path, place: str) -> None:
        """Copy the files of an entry; FileNotFoundError or ValueError where it is not there as it was put."""
        manifest = self._files.cat_file(f"{place}/{MANIFEST}")
        for name in json.loads(manifest)["files"]:
            file = folder / name
            if not file.resolve().is_relative_to(folder.resolve()):
                raise ValueError(f"{name} lies elsewhere")
            file.parent.mkdir(parents=True, exist_ok=True)
            self._files.get_file(f"{place}/{name}", str(file))
        (folder / MANIFEST).write_bytes(manifest)
        if damage(folder):
            raise ValueError(damage(folder))

    def _place(self, entry: StoredFolder) -> str:
        return f"{self._root}/{entry.path.relative_to(self._cache).as_posix()}"


def features_of(plan: Plan, cell: Cell, machines: Sequence[str], progress: Progress) -> list[StoredFolder]:
    """The features that a fit reads, as entries of the cache."""
    others = cell.others(machines)
    store = FeatureStore(plan.cache / "features", 1, progress)
    tables = [cell.dataset.select(machines=list(machines))]
    if len(others):
        tables.append(cell.dataset.select(machines=[*machines, *others.machines], split="train"))
    packs = [pack for table in tables for pack in store.packs(table, cell.frontend)]
    return [StoredFolder(path) for path in dict.fromkeys(pack.path for pack in packs)]


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
