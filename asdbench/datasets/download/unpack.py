"""Unpack a zip of recordings: beside its destination first, then moved in, all or nothing."""

import errno
import filecmp
import shutil
import struct
import tempfile
import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile, ZipFile

from asdbench.core.errors import DataError
from asdbench.core.progress import Progress
from asdbench.datasets.download.members import BadZipError, Contents, look_through
from asdbench.datasets.download.space import Megabytes, megabytes, require_room

CHUNK = 1 << 20
_BLOCK = 4096  # a file takes whole blocks of the disk


@dataclass(frozen=True)
class Arrived:
    """What a zip brought.

    Attributes:
        files: how many, by folder below the machine type's ("" is that itself).
        size: of all of them (bytes).
    """

    files: dict[str, int]
    size: int


def unpack(path: Path, folder: Path, progress: Progress) -> Arrived:
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
    with _damage_said(path), ZipFile(path) as archive:
        contents = look_through(archive, path, machine)
        require_room(folder, contents.size + _BLOCK * len(contents.files), f"unpacking {path.name}")
        folder.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{machine}.", suffix=".partial", dir=folder.parent))
        try:
            with progress.stage(f"unpack {path.name}, MB", megabytes(contents.size)) as stage:
                _extract(archive, contents, temporary, Megabytes(stage))
            _move_in(temporary / machine, folder)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    places = Counter("/".join(name.parts[1:-1]) for _, name in contents.files)
    return Arrived(dict(sorted(places.items())), contents.size)


def _extract(archive: ZipFile, contents: Contents, to: Path, meter: Megabytes) -> None:
    done = 0
    for info, name in contents.files:
        target = to.joinpath(*name.parts)
        target.parent.mkdir(parents=True, exist_ok=True)
        written = 0
        with archive.open(info) as source, target.open("xb") as file:
            while block := source.read(CHUNK):  # never more than declared; compares the checksum at the end
                file.write(block)
                written += len(block)
                meter.at(done + written)
        if written != info.file_size:
            raise BadZipFile(f"{info.filename} is {written} bytes long, not {info.file_size}")
        done += written


def _move_in(source: Path, folder: Path) -> None:
    """Move what was unpacked to its place, unless that would replace a file by another one."""
    if not folder.exists():
        source.rename(folder)
        return
    names = sorted(path.relative_to(source) for path in source.rglob("*") if path.is_file())
    there = {name for name in names if (folder / name).exists()}
    differing = [str(folder / name) for name in names if name in there and not _same(source / name, folder / name)]
    differing += [str(folder / name.parent) for name in names if _blocked(folder, name)]
    if differing:
        raise DataError(
            f"{folder} holds other files than the zip, which are not replaced; nothing was unpacked:",
            [*differing[:10], *([f"and {len(differing) - 10} more"] if len(differing) > 10 else [])],
            f"Move {folder} away and give the command again.",
        )
    for name in names:
        if name not in there:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).rename(folder / name)


@contextmanager
def _damage_said(path: Path) -> Iterator[None]:
    """Turn what zipfile raises over a damaged zip into one error; those of the disk pass."""
    try:
        yield
    except (BadZipFile, zlib.error, struct.error, EOFError, ValueError, OverflowError, RuntimeError) as error:
        raise BadZipError(f"{path.name} is damaged or no zip: {error or type(error).__name__}.") from error
    except OSError as error:
        if error.errno != errno.EINVAL:  # an offset of the zip's that no file has
            raise
        raise BadZipError(f"{path.name} is damaged: its parts lie outside it.") from error


def _same(one: Path, other: Path) -> bool:
    return other.is_file() and filecmp.cmp(one, other, shallow=False)


def _blocked(folder: Path, name: Path) -> bool:
    """Whether a file stands where a folder of ``name`` should."""
    return any((folder / parent).exists() and not (folder / parent).is_dir() for parent in name.parents)
