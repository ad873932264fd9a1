"""The ledger of downloads: the checksum of every zip as first seen, and what was unpacked of it."""

from datetime import UTC, datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from asdbench.core.errors import DataError
from asdbench.core.files import write_text
from asdbench.core.validation import Model, first_error


def now() -> str:
    """Date and time, UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


class Unpacked(Model):
    """What a zip contained.

    Attributes:
        files: how many files went into each folder, by its path below the machine type's ("" is that itself).
        size: of all files (bytes).
    """

    files: dict[str, int]
    size: int
    date: str

    def lies_in(self, folder: Path) -> bool:
        """Whether every folder is there with at least as many files; contents are not read."""
        return all(
            (folder / place).is_dir() and sum(path.is_file() for path in (folder / place).iterdir()) >= number
            for place, number in self.files.items()
        )


class Entry(Model):
    """A zip as it was first downloaded.

    Attributes:
        size: of the zip (bytes).
        published: checksum of the card that it was compared with.
        accepted: taken although a checksum said otherwise (``--accept-new``).
    """

    zip: str
    machine: str
    sha256: str
    size: int
    date: str
    published: str | None = None
    accepted: bool = False
    unpacked: Unpacked | None = None

    @property
    def files(self) -> int:
        """Number of files in it."""
        return sum(self.unpacked.files.values()) if self.unpacked else 0

    @property
    def unpacked_size(self) -> int:
        """Size of these files (bytes)."""
        return self.unpacked.size if self.unpacked else 0


class Ledger(BaseModel):
    """Downloads of one challenge by address."""

    model_config = ConfigDict(extra="forbid")

    version: int = 1
    downloads: dict[str, Entry] = {}

    def record(self, url: str, entry: Entry | None, path: Path) -> None:
        """Set the entry of an address, or take it out, and write the ledger whole."""
        self.downloads.pop(url, None)
        if entry:
            self.downloads[url] = entry
        write_text(path, self.model_dump_json(indent=2) + "\n")


def read_ledger(path: Path) -> Ledger:
    """The ledger of a challenge's folder; an empty one where there is none. Raises DataError for another file."""
    if not path.exists():
        return Ledger()
    try:
        return Ledger.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise DataError(
            f"{path} is not a ledger of downloads ({first_error(error)}).",
            advice="Move it away and give the command again: checksums are then recorded anew.",
        ) from error
