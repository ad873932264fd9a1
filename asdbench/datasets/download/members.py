"""What a zip says it holds, looked through before anything of it is written."""

import re
import stat
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo

from asdbench.core.errors import DataError

MAX_MEMBERS = 200_000
MAX_UNPACKED = 100 * 10**9  # bytes; the largest zip of a challenge holds about 4 GB
MAX_RATIO = 100  # unpacked to zipped; that of recordings is below 3
ALWAYS_ALLOWED = 10**7  # bytes whatever the ratio: small zips of silence are no bombs
_ENCRYPTED = 0x1 | 0x40 | 0x2000
_ODD_CHARACTER = re.compile(r'[\x00-\x1f\x7f\\:*?"<>|]')  # also those that a disk from elsewhere takes for more
_SHOWN = 10


class BadZipError(DataError):
    """A zip that is damaged, or holds what it must not."""

    def __init__(self, summary: str, problems: list[str] | None = None, advice: str = "") -> None:
        self.summary = summary
        shown = (problems or [])[:_SHOWN]
        if problems and len(problems) > _SHOWN:
            shown.append(f"and {len(problems) - _SHOWN} more")
        super().__init__(summary, shown, advice)


@dataclass(frozen=True)
class Contents:
    """The files of a zip that are to be unpacked.

    Attributes:
        files: each with its path, which begins with the machine type.
        size: of all of them as declared (bytes).
    """

    files: list[tuple[ZipInfo, PurePosixPath]]
    size: int


def look_through(archive: ZipFile, path: Path, machine: str) -> Contents:
    """The files that may be unpacked: all of them, or none.

    What macOS leaves in zips (``__MACOSX``, ``.DS_Store``, ``._*``) does not count.

    Raises:
        BadZipError: names that lead outside ``machine``/, special or encrypted members, the same name twice, a kind
            of compression that is not looked into, or more than could be recordings.
    """
    infos = archive.infolist()
    if len(infos) > MAX_MEMBERS:
        raise BadZipError(f"{path.name} holds {len(infos)} members; at most {MAX_MEMBERS} are unpacked.")
    infos = [info for info in infos if not _is_litter(info.orig_filename)]
    problems = [f"{info.orig_filename!r}: {problem}" for info in infos for problem in _problems(info, machine)]
    files = [(info, PurePosixPath(info.filename)) for info in infos if not info.is_dir()]
    if not problems:
        problems = list(_clashes([name for _, name in files]))
    if problems:
        raise BadZipError(f"{path.name} holds what is not unpacked:", problems)
    if not files:
        raise BadZipError(f"{path.name} holds no files of {machine}/.")
    size = sum(info.file_size for info, _ in files)
    allowed = min(max(MAX_RATIO * path.stat().st_size, ALWAYS_ALLOWED), MAX_UNPACKED)
    if size > allowed:
        raise BadZipError(
            f"{path.name} would unpack to {size} bytes; at most {allowed} are believed of a zip this size."
        )
    return Contents(files, size)


def _is_litter(name: str) -> bool:
    parts = name.split("/")
    return parts[0] == "__MACOSX" or parts[-1] == ".DS_Store" or parts[-1].startswith("._")


def _problems(info: ZipInfo, machine: str) -> Iterator[str]:
    name = info.orig_filename  # filename is cut at a NUL
    parts = name.removesuffix("/").split("/")
    kind = stat.S_IFMT(info.external_attr >> 16)
    if name.startswith("/") or re.match(r"[A-Za-z]:", name):
        yield "an absolute path"
    elif _ODD_CHARACTER.search(name):
        yield "a character that a path should not have"
    elif any(part in ("", ".", "..") for part in parts):
        yield "a path that leads elsewhere"
    elif len(name.encode()) > 1000 or any(len(part.encode()) > 240 for part in parts):
        yield "too long a name"
    elif parts[0] != machine or (len(parts) == 1 and not info.is_dir()):
        yield f"not in {machine}/"
    if kind not in (0, stat.S_IFDIR if info.is_dir() else stat.S_IFREG):
        yield "a link or another special file" if kind != stat.S_IFDIR else "a folder with a file's name"
    if info.flag_bits & _ENCRYPTED:
        yield "encrypted"
    if info.compress_type not in (ZIP_STORED, ZIP_DEFLATED):  # others are unpacked into memory without a limit
        yield f"compressed in a way that is not known (method {info.compress_type})"


def _clashes(names: list[PurePosixPath]) -> Iterator[str]:
    """Names that are the same file or folder on a disk that takes upper for lower case."""
    seen: dict[str, PurePosixPath] = {}
    folders: dict[str, PurePosixPath] = {}
    for name in names:
        key = _folded(name)
        if key in seen:
            yield f"{str(name)!r}: the same name twice, as {str(seen[key])!r}"
        seen[key] = name
        for parent in name.parents[:-1]:
            if folders.setdefault(_folded(parent), parent) != parent:
                yield f"{str(name)!r}: its folder is also written {str(folders[_folded(parent)])!r}"
    for key in seen.keys() & folders.keys():
        yield f"{str(seen[key])!r}: a file and a folder"


def _folded(name: PurePosixPath) -> str:
    return unicodedata.normalize("NFC", str(name)).casefold()
