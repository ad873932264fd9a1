"""A folder as one file: a zip whose members are checked against their digests before anything is read from them."""

import json
import shutil
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from asdbench.core.errors import RequirementError
from asdbench.core.files import whole_file
from asdbench.core.store import MANIFEST, damage, seal

EPOCH = (1980, 1, 1, 0, 0, 0)  # one time for all members: the same content makes the same file
MOST_GROWTH = 20  # of a file when it is unpacked; arrays are stored as they are, only JSON is compressed
FIT_AGAIN = "Copy it again, or fit it again: asdbench fit RECORDINGS --to FILE"


def pack(folder: Path, path: Path) -> None:
    """Write a folder as one zip, whole or not at all. Raises UsageError: nothing can be written there."""
    seal(folder)
    with whole_file(path) as file, zipfile.ZipFile(file, "w") as archive:
        for inner in sorted(one for one in folder.rglob("*") if one.is_file()):
            name = inner.relative_to(folder).as_posix()
            member = zipfile.ZipInfo(name, EPOCH)
            member.compress_type = zipfile.ZIP_DEFLATED if inner.suffix == ".json" else zipfile.ZIP_STORED
            with inner.open("rb") as source, archive.open(member, "w", force_zip64=True) as target:
                shutil.copyfileobj(source, target, 2**20)


def unpack(path: Path, folder: Path) -> None:
    """Lay what ``pack`` wrote into an empty folder, when all of it is as it was written.

    Raises:
        RequirementError: there is no such file, it is cut or edited, or it is something else.
    """
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "there is no such file"
        raise RequirementError(f"{path}: {what}; a detector is one file.\nMake one: asdbench fit RECORDINGS --to FILE")
    try:
        with zipfile.ZipFile(path) as archive:
            members = {member.filename: member for member in archive.infolist()}
            if sum(member.file_size for member in members.values()) > MOST_GROWTH * path.stat().st_size + 2**20:
                raise ValueError("it unpacks to far more than a detector holds")
            listed = json.loads(archive.read(MANIFEST))["files"]
            if set(members) != {MANIFEST, *listed} or len(members) != len(archive.infolist()):
                raise ValueError("its members are not those that it lists")
            for name in members:
                place = PurePosixPath(name)
                if place.is_absolute() or ".." in place.parts or "\\" in name:
                    raise ValueError(f"a member is called {name!r}")
                target = folder / place
                target.parent.mkdir(parents=True, exist_ok=True)
                with archive.open(name) as source, target.open("wb") as file:
                    shutil.copyfileobj(source, file, 2**20)
    except OSError as error:
        raise RequirementError(f"The detector {path} cannot be read: {error.strerror or error}.") from error
    except (ValueError, LookupError, TypeError, RuntimeError, EOFError, zipfile.error, zlib.error) as error:
        raise _damaged(path, str(error) or type(error).__name__) from error
    reason = damage(folder)
    if reason is not None:
        raise _damaged(path, reason)


def _damaged(path: Path, reason: str) -> RequirementError:
    return RequirementError(f"{path} is no detector, or damaged: {reason.rstrip('.')}.\n{FIT_AGAIN}")
