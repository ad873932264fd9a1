"""Unpack a zip of recordings: looked through first, unpacked beside its destination, then moved in, all or nothing."""

import errno
import filecmp
import re
import shutil
import stat
import struct
import tempfile
import unicodedata
import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile, ZipInfo

from asdbench.core.errors import DataError
from asdbench.core.progress import Progress
from asdbench.datasets.download.disk import megabyte_stage, require_room
from asdbench.datasets.download.ledger import Unpacked, now

MAX_MEMBERS = 200_000
MAX_UNPACKED = 100 * 10**9  # bytes; the largest zip of a challenge holds about 4 GB
MAX_RATIO = 100  # unpacked to zipped; that of recordings is below 3
ALWAYS_ALLOWED = 10**7  # bytes whatever the ratio: small zips of silence are no bombs
_ENCRYPTED = 0x1 | 0x40 | 0x2000
_ODD_CHARACTER = re.compile(r'[\x00-\x1f\x7f\\:*?"<>|]')  # also those that are special on other systems
_OF_MACOS = re.compile(r"__MACOSX/|(.*/)?(\.DS_Store$|\._)")
_BLOCK = 4096  # a file takes whole blocks of the disk
_SHOWN = 10


class BadZipError(DataError):
    """A zip that is damaged, or holds what it must not."""


def unpack(path: Path, folder: Path, progress: Progress) -> Unpacked:
    """Unpack the zip's ``<machine>/`` into ``folder``, whose name is the machine type.

    Files that are there already with the same bytes are left as they are. The caller sees to it that nobody else
    unpacks into the same folder.

    Raises:
        BadZipError: the zip is damaged or holds what it must not; nothing is left of it.
        DataError: other files of the same names lie in ``folder``; nothing was moved in.
        DiskFullError: there is not room enough.
    """
    folder = folder.resolve()  # a link to another disk: its neighbourhood is where renaming works
    machine = folder.name
    for stale in folder.parent.glob(f".{machine}.*.partial"):  # of a command that was killed
        shutil.rmtree(stale, ignore_errors=True)
    with _clear_damage(path), ZipFile(path) as archive:
        members = members_to_unpack(archive, path, machine)
        size = sum(info.file_size for info in members)
        require_room(folder, size + _BLOCK * len(members), f"unpacking {path.name}")
        folder.parent.mkdir(parents=True, exist_ok=True)
        with (
            tempfile.TemporaryDirectory(
                ".partial", f".{machine}.", folder.parent, ignore_cleanup_errors=True
            ) as temporary,
            megabyte_stage(progress, f"unpack {path.name}", size) as show,
        ):
            done = 0
            for info in members:
                written = Path(archive.extract(info, temporary)).stat().st_size  # compares the member's checksum
                if written != info.file_size:  # never more than it declares
                    raise BadZipFile(f"{info.filename} is {written} bytes long, not {info.file_size}")
                done += written
                show(done)
            _move_in(Path(temporary) / machine, folder)
    files = Counter("/".join(PurePosixPath(info.filename).parts[1:-1]) for info in members)
    return Unpacked(files=dict(sorted(files.items())), size=size, date=now())


def members_to_unpack(archive: ZipFile, path: Path, machine: str) -> list[ZipInfo]:
    """The files that may be unpacked: all of them, or none.

    What macOS leaves in zips (``__MACOSX``, ``.DS_Store``, ``._*``) does not count.

    Raises:
        BadZipError: names that lead outside ``machine``/, special or encrypted members, the same name twice, a kind
            of compression that zipfile does not limit, or more than could be recordings.
    """
    infos = archive.infolist()
    if len(infos) > MAX_MEMBERS:
        raise BadZipError(f"{path.name} holds {len(infos)} members; at most {MAX_MEMBERS} are unpacked.")
    infos = [info for info in infos if not _OF_MACOS.match(info.orig_filename)]
    problems = [f"{info.orig_filename!r}: {problem}" for info in infos for problem in _problems(info, machine)]
    files = [info for info in infos if not info.is_dir()]
    problems = problems or list(_clashes(files))
    if problems:
        raise BadZipError(f"{path.name} holds what is not unpacked:", _shortened(problems))
    if not files:
        raise BadZipError(f"{path.name} holds no files of {machine}/.")
    size = sum(info.file_size for info in files)
    allowed = min(max(MAX_RATIO * path.stat().st_size, ALWAYS_ALLOWED), MAX_UNPACKED)
    if size > allowed:
        raise BadZipError(f"{path.name} would unpack to {size} bytes; at most {allowed} are allowed for its size.")
    return files


def _problems(info: ZipInfo, machine: str) -> Iterator[str]:
    name = info.orig_filename  # filename is cut at a NUL
    steps = name.removesuffix("/").split("/")
    kind = stat.S_IFMT(info.external_attr >> 16)
    if name.startswith("/") or re.match(r"[A-Za-z]:", name):
        yield "an absolute path"
    elif _ODD_CHARACTER.search(name):
        yield "a character that a path should not have"
    elif any(step in ("", ".", "..") for step in steps):
        yield "a path that leads elsewhere"
    elif len(name.encode()) > 1000 or any(len(step.encode()) > 240 for step in steps):
        yield "too long a name"
    elif steps[0] != machine or (len(steps) == 1 and not info.is_dir()):
        yield f"not in {machine}/"
    if kind not in (0, stat.S_IFDIR if info.is_dir() else stat.S_IFREG):
        yield "a link or another special file"
    if info.flag_bits & _ENCRYPTED:
        yield "encrypted"
    if info.compress_type not in (ZIP_STORED, ZIP_DEFLATED):  # others are unpacked into memory without a limit
        yield f"compressed in a way that is not known (method {info.compress_type})"


def _clashes(files: list[ZipInfo]) -> Iterator[str]:
    """Names that are the same file or folder, also on a disk that takes upper for lower case."""
    seen: dict[str, tuple[PurePosixPath, bool]] = {}
    for file in map(PurePosixPath, (info.filename for info in files)):
        for path in (*file.parents[:-1], file):
            entry = (path, path is file)
            key = unicodedata.normalize("NFC", str(path)).casefold()
            other = seen.setdefault(key, entry)
            if other is not entry and (other != entry or path is file):
                yield f"{str(file)!r}: clashes with {str(other[0])!r}"


def _move_in(source: Path, folder: Path) -> None:
    """Move what was unpacked to its place, unless that would replace a file by another one."""
    if not folder.exists():
        source.rename(folder)
        return
    names = sorted(path.relative_to(source) for path in source.rglob("*") if path.is_file())
    existing = {name for name in names if (folder / name).exists()}
    same = {name for name in existing if (folder / name).is_file() and filecmp.cmp(source / name, folder / name, False)}
    differing = [
        str(folder / name)
        for name in names
        if (name in existing and name not in same) or any((folder / parent).is_file() for parent in name.parents)
    ]
    if differing:
        raise DataError(
            f"{folder} holds other files than the zip, which are not replaced; nothing was unpacked:",
            _shortened(differing),
            f"Move {folder} away and give the command again.",
        )
    for name in names:
        if name not in same:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).rename(folder / name)


@contextmanager
def _clear_damage(path: Path) -> Iterator[None]:
    """Turn what zipfile raises over a damaged zip into one error; those of the disk pass."""
    try:
        yield
    except (BadZipFile, zlib.error, struct.error, EOFError, ValueError, OverflowError, RuntimeError) as error:
        raise BadZipError(f"{path.name} is damaged or no zip: {error or type(error).__name__}.") from error
    except OSError as error:
        if error.errno != errno.EINVAL:  # an offset of the zip's that no file has
            raise
        raise BadZipError(f"{path.name} is damaged: it names places outside it.") from error


def _shortened(problems: list[str]) -> list[str]:
    more = len(problems) - _SHOWN
    return [*problems[:_SHOWN], *([f"and {more} more"] if more > 0 else [])]
