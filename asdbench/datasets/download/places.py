"""Where the zips of a challenge's data set, what is unpacked of them and the ledger lie below the data root."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from urllib.parse import unquote, urlsplit

from asdbench.core.digests import digest
from asdbench.core.errors import UsageError
from asdbench.core.progress import Progress

if TYPE_CHECKING:
    from asdbench.registry.challenge_card import ChallengeSplit

State = Literal["downloaded", "unpacked", "present"]
_PLAIN_NAME = re.compile(r"\w[\w.-]*", re.ASCII)


@dataclass(frozen=True)
class Wanted:
    """A zip that is asked for.

    Attributes:
        name: of the zip; published checksums go by it.
        path: where the zip lies once it is transferred.
        published: "md5:..." or "sha256:...", where the card has one.
    """

    machine: str
    url: str
    name: str
    path: Path
    published: str | None


@dataclass(frozen=True)
class Held:
    """A zip whose recordings are there now.

    Attributes:
        state: "downloaded" by this command, "unpacked" from a zip that lay there, or "present" from before.
        size: of the zip (bytes).
        files: how many recordings and attribute files it held.
        unpacked: their size (bytes).
    """

    machine: str
    url: str
    name: str
    state: State
    size: int
    sha256: str
    published: str | None
    files: int
    unpacked: int
    folder: Path


@dataclass(frozen=True)
class Places:
    """Folders and files of one split: ``<root>/<name>/dev_data/raw/<machine>``, zips in ``<root>/<name>/zips``."""

    root: Path
    name: str
    split: str

    @property
    def home(self) -> Path:
        """Folder of the challenge."""
        return self.root / self.name

    @property
    def ledger(self) -> Path:
        """The ledger's file."""
        return self.home / "downloads.json"

    def folder(self, machine: str) -> Path:
        """Where a machine type's recordings go."""
        return self.home / f"{self.split}_data" / "raw" / machine

    def wanted(self, split: "ChallengeSplit", machines: Sequence[str]) -> list[Wanted]:
        """The zips of the machine types."""
        found = []
        for machine in machines:
            urls = split.zips_of(machine)
            names = [_name(url) for url in urls]
            for url, name in zip(urls, names, strict=True):
                # Two zips of one name (.../train/fan.zip, .../test/fan.zip) must not take each other's place.
                own = name if names.count(name) == 1 else f"{digest(url, 8)}-{name}"
                path = self.home / "zips" / self.split / machine / own
                found.append(Wanted(machine, url, name, path, split.checksums.get(name)))
        return found

    @contextmanager
    def locked(self, progress: Progress) -> Iterator[None]:
        """Let one command at a time work on the challenge's folder; others wait, then find what it has done.

        Raises:
            UsageError: the folder cannot be written to.
        """
        from filelock import FileLock, Timeout

        lock = FileLock(self.home / ".downloads.lock")
        try:
            self.home.mkdir(parents=True, exist_ok=True)
            try:
                lock.acquire(timeout=0)
            except Timeout:
                progress.note(f"Another asdbench data download is at work in {self.home}; this one waits for it.")
                lock.acquire(poll_interval=0.2)
        except (OSError, NotImplementedError) as error:
            reason = getattr(error, "strerror", None) or error
            raise UsageError(
                f"Cannot write {self.home}: {reason}.\nGive a folder that you may write to: --data-root DIR."
            ) from error
        try:
            yield
        finally:
            lock.release()


def _name(url: str) -> str:
    """Name of the zip in an address: the last part that ends in .zip, else the last one."""
    parts = [unquote(part) for part in urlsplit(url).path.split("/") if part]
    name = next((part for part in reversed(parts) if part.lower().endswith(".zip")), parts[-1] if parts else "")
    if not _PLAIN_NAME.fullmatch(name):
        raise UsageError(f"The card's address {url} ends in no name of a file. Correct the card.")
    return name
