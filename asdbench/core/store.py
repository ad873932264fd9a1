"""Folders that are stored between runs, so that they need not be made again: written whole, and checked when read.

Beside the files of a folder lies ``digests.json`` with the SHA-256 of each of them; it is written last, so it says that
the folder is whole, and a file that is not as it was written (a lost page, a flipped bit, nothing left) is noticed by
whoever reads the folder first. Such a folder is reported, removed and made again; so is one that lies under the name
of another.
"""

import hashlib
import json
import os
import secrets
import shutil
import stat
from collections.abc import Callable, Iterator, Mapping
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
    """The features of some clips, a trained extractor, recordings that a card makes."""

    path: Path  # the folder; its name holds the digest of all that the content depends on
    what: str = "an entry"  # what is in it, for messages: "features of fan"

    @property
    def intact(self) -> bool:
        """Whether it is there, and every file as it was written."""
        return self.damage is None

    @property
    def damage(self) -> str | None:
        """What is not as it was written, in a few words; None where all is."""
        return damage(self.path, self._entry)

    @property
    def _entry(self) -> str:
        return f"{self.path.parent.name}/{self.path.name}"

    def get_or_make(self, make: Callable[[Path], None], warn: Warn, on_wait: Callable[[], None] | None = None) -> Path:
        """The folder with its content; what is not there, or damaged, is made.

        Of two processes that want the same, one waits for the other. Where all is there, nothing is written, so a
        folder that may only be read will do.

        Args:
            make: fills the folder that it is given.
            warn: called with one line when something is damaged.
            on_wait: called once when another process is at it.
        """
        if not self.intact:
            with exclusive(lock_path(self.path), on_wait=on_wait):
                if not self.verify(warn):
                    with self.written() as folder:
                        make(folder)
        return self.path

    def verify(self, warn: Warn) -> bool:
        """Whether it is there, intact; what is damaged or half-written is removed. Call it while nobody else writes."""
        with clear_write_errors(self.path):
            sweep(self.path)
            if not os.path.lexists(self.path):
                return False
            reason = self.damage
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
            seal(folder, self._entry)


def seal(folder: Path, entry: str = "") -> None:
    """Write the digests of all files of a folder into it, and which entry of a cache it is."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and path != folder / MANIFEST)
    files = {path.relative_to(folder).as_posix(): digest for path, digest in zip(paths, checksums(paths), strict=True)}
    write_json(folder / MANIFEST, {"files": files, "digest": _digest_of(files), **({"entry": entry} if entry else {})})


def damage(folder: Path, entry: str = "") -> str | None:
    """What of a sealed folder is not as it was sealed, in a few words; None where all is.

    Files that have come later do not count. A file is read once in a process, unless it changes. ``entry`` is which one
    it should be; folders that 1.0 has written do not say.
    """
    try:
        content = json.loads((folder / MANIFEST).read_bytes())
        if content["digest"] == _digest_of(content["files"]):
            written_as = content.get("entry", entry)
            if entry and written_as != entry:
                return f"it is {written_as}"
            return differing(folder, content["files"])
    except FileNotFoundError:
        return f"{MANIFEST} is gone"
    except OSError as error:
        return f"{MANIFEST} cannot be read: {error.strerror or error}"
    except (ValueError, LookupError, TypeError, RecursionError):
        pass
    return f"{MANIFEST} is not as it was written"


def differing(folder: Path, files: Mapping[str, str]) -> str | None:
    """Which of some files is not as its digest says, in a few words; None where all are.

    Args:
        folder: that holds them.
        files: SHA-256 by path within the folder.
    """
    for name, expected in files.items():
        try:
            if _sha256(folder / name) != expected:
                empty = not (folder / name).stat().st_size
                return f"{name} is {'empty' if empty else 'not as it was written'}"
        except FileNotFoundError:
            return f"{name} is gone"
        except OSError as error:
            return f"{name} cannot be read: {error.strerror}"
    return None


def checksums(paths: list[Path]) -> list[str]:
    """SHA-256 of files, in their order; a file that has not changed since is not read again.

    Raises:
        OSError: one of them is not there, is no file or cannot be read.
    """
    return [_sha256(path) for path in paths]


def _sha256(path: Path) -> str:
    state = path.stat()
    if not stat.S_ISREG(state.st_mode):
        raise OSError(0, "it is no file", str(path))
    key, stamp = (state.st_dev, state.st_ino), (state.st_size, state.st_mtime_ns, state.st_ctime_ns)
    known = _known.get(key)
    if known is None or known[0] != stamp:
        with path.open("rb") as file:
            known = _known[key] = stamp, hashlib.file_digest(file, "sha256").hexdigest()
    return known[1]


def _digest_of(files: Mapping[str, Any]) -> str:
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
