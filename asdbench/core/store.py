"""What is kept between runs, so that it need not be made again: entries that are written whole and checked when read.

An entry is a folder. Beside its files lies ``digests.json`` with the SHA-256 of each of them; it is written last, so
it says that the entry is whole, and a file that is not as it was written (a lost page, a flipped bit, nothing left) is
noticed by whoever reads the entry first. Such an entry is told, removed and made again.
"""

import hashlib
import json
import os
import secrets
import shutil
import stat
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from asdbench.core.files import clear_write_errors, sweep, whole_folder, write_json
from asdbench.core.locks import exclusive, lock_path

MANIFEST = "digests.json"
Warn = Callable[[str], None]

# SHA-256 of files that this process has read, by device and inode: with size and times of change, which hold it.
_known: dict[tuple[int, int], tuple[tuple[int, int, int], str]] = {}


@dataclass(frozen=True)
class StoredFolder:
    """One thing that is kept: the features of some clips, a trained extractor, recordings that a card makes.

    Attributes:
        path: its folder; the name holds the digest of all that the content depends on.
        what: how people call it, for messages: "features of fan".
    """

    path: Path
    what: str = "an entry"

    @property
    def intact(self) -> bool:
        """Whether it is there, and every file as it was written."""
        return damage(self.path) is None

    def get_or_make(self, make: Callable[[Path], None], warn: Warn, on_wait: Callable[[], None] | None = None) -> Path:
        """The folder with its content; what is not there, or damaged, is made.

        Of two processes that want the same, one waits for the other. Where all is there, nothing is written, so a
        folder that may only be read will do.

        Args:
            make: fills the folder that it is given.
            warn: is called in one line when something is damaged.
            on_wait: called once when another process is at it.
        """
        if not self.intact:
            with exclusive(lock_path(self.path), on_wait=on_wait):
                if not self.verify(warn):
                    with self.written() as folder:
                        make(folder)
        return self.path

    def verify(self, warn: Warn) -> bool:
        """Clear up, while nobody else can be writing it, what is damaged or half-written; whether it is there, intact.

        Args:
            warn: is called in one line when something is damaged.
        """
        with clear_write_errors(self.path):
            sweep(self.path)
            if not os.path.lexists(self.path):
                return False
            reason = damage(self.path)
            if reason is not None:
                warn(f"Damaged in the cache, and made again: {self.what} ({self.path}: {reason}).")
                discard(self.path)
        return reason is None

    @contextmanager
    def written(self) -> Iterator[Path]:
        """A folder to be filled, which takes the place of the entry when all went well."""
        if os.path.lexists(self.path) and not self.path.is_dir():
            discard(self.path)
        with whole_folder(self.path) as folder:
            yield folder
            seal(folder)


def seal(folder: Path) -> None:
    """Write the digests of all files of a folder into it."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and path != folder / MANIFEST)
    files = {path.relative_to(folder).as_posix(): digest for path, digest in zip(paths, checksums(paths), strict=True)}
    write_json(folder / MANIFEST, {"files": files, "digest": _of_list(files)})


def damage(folder: Path) -> str | None:
    """What of a sealed folder is not as it was sealed, in a few words; None where all is.

    Files that have come later do not count. A file is read once in a process, unless it changes.
    """
    try:
        content = json.loads((folder / MANIFEST).read_bytes())
        files: dict[str, str] = content["files"]
        if content["digest"] != _of_list(files):
            return f"{MANIFEST} is not as it was written"
    except FileNotFoundError:
        return f"{MANIFEST} is gone"
    except OSError as error:
        return f"{MANIFEST} cannot be read: {error.strerror or error}"
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return f"{MANIFEST} is not as it was written"
    return differing(folder, files)


def differing(folder: Path, files: Mapping[str, str]) -> str | None:
    """Which of some files is not as its digest says, in a few words; None where all are.

    Args:
        folder: that holds them.
        files: SHA-256 by path within the folder.
    """
    names = list(files)
    try:
        for name, found in zip(names, checksums([folder / name for name in names]), strict=True):
            if found != files[name]:
                empty = not (folder / name).stat().st_size
                return f"{name} is {'empty' if empty else 'not as it was written'}"
    except FileNotFoundError as error:
        return f"{Path(str(error.filename)).relative_to(folder).as_posix()} is gone"
    except OSError as error:
        return f"{Path(str(error.filename)).relative_to(folder).as_posix()} cannot be read: {error.strerror}"
    return None


def checksums(paths: list[Path]) -> list[str]:
    """SHA-256 of files, in their order; a file that has not changed since is not read again.

    Raises:
        OSError: one of them is not there, is no file or cannot be read.
    """
    if len(paths) < 2:
        return [_checksum(path) for path in paths]
    with ThreadPoolExecutor(min(len(paths), os.cpu_count() or 1)) as pool:
        return list(pool.map(_checksum, paths))


def _checksum(path: Path) -> str:
    state = path.stat()
    if not stat.S_ISREG(state.st_mode):
        raise OSError(0, "it is no file", str(path))
    key, stamp = (state.st_dev, state.st_ino), (state.st_size, state.st_mtime_ns, state.st_ctime_ns)
    known = _known.get(key)
    if known is not None and known[0] == stamp:
        return known[1]
    try:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:  # of a bad sector, read() tells no name
        raise OSError(error.errno or 0, error.strerror or str(error), str(path)) from error
    _known[key] = stamp, found
    return found


def _of_list(files: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(files, sort_keys=True).encode()).hexdigest()


def discard(path: Path) -> None:
    """Remove a file or folder; it takes another name first, so that nobody finds half of it.

    Raises:
        OSError: it cannot be renamed.
    """
    retired = path.with_name(f".{path.name.lstrip('.')}.{secrets.token_hex(4)}.partial")
    try:
        path.rename(retired)
    except FileNotFoundError:
        return
    if retired.is_symlink() or not retired.is_dir():
        retired.unlink(missing_ok=True)
        return
    for folder, folders, _ in os.walk(retired):
        for name in ("", *folders):  # one that was made unreadable goes as well
            with suppress(OSError):
                (Path(folder) / name).chmod(0o700, follow_symlinks=False)
    shutil.rmtree(retired, ignore_errors=True)
