"""Download machine types of a challenge's split: plan, transfer, verify, unpack, record.

Below ``<root>/<name>`` recordings go to ``<split>_data/raw/<machine>`` and zips, until they are unpacked, to
``zips/<split>/<machine>``; ``downloads.json`` is the ledger.
"""

import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from urllib.parse import unquote, urlsplit

from asdbench.core.digests import digest
from asdbench.core.errors import DataError, UsageError
from asdbench.core.files import require_writable
from asdbench.core.locks import exclusive
from asdbench.core.numbers import size_text
from asdbench.core.progress import Progress
from asdbench.datasets.download.disk import clear_download_errors, require_room
from asdbench.datasets.download.ledger import Entry, Ledger, now, read_ledger
from asdbench.datasets.download.transfer import PartialFile, size_of, transfer
from asdbench.datasets.download.unpack import BadZipError, unpack
from asdbench.datasets.layout import challenge_folders

if TYPE_CHECKING:
    from asdbench.registry.challenge_card import ChallengeCard, ChallengeSplit

UNPACKED_PER_ZIPPED = 2.0  # noise of 16 bits shrinks by a quarter or so; twice is safe
_FILE_NAME = re.compile(r"\w[\w.-]*", re.ASCII)


@dataclass(frozen=True)
class RemoteZip:
    """A zip that the card names.

    Attributes:
        name: of the zip; published checksums go by it.
        path: where the zip lies once it is transferred.
        folder: where its recordings go.
        published: "md5:..." or "sha256:...", where the card has one.
    """

    machine: str
    url: str
    name: str
    path: Path
    folder: Path
    published: str | None

    def set_aside(self, sha256: str) -> Path:
        """Rename a zip that must not be used, so that nothing reads it; gives its new path."""
        aside = self.path.with_name(f"{self.path.name}.{sha256[:8]}.rejected")
        self.path.replace(aside)
        return aside


@dataclass(frozen=True)
class DownloadedZip:
    """A zip whose recordings are there now.

    Attributes:
        state: "downloaded" by this command, "unpacked" from a zip that lay there, or "present" from before.
        entry: its checksum and size, and its contents.
    """

    source: RemoteZip
    state: Literal["downloaded", "unpacked", "present"]
    entry: Entry


def download_challenge(
    name: str,
    card: "ChallengeCard",
    split: str,
    root: Path,
    progress: Progress,
    machines: Sequence[str] = (),
    keep_zips: bool = False,
    accept_new: bool = False,
) -> list[DownloadedZip]:
    """Bring a split's recordings to ``<root>/<name>/<split>_data/raw/<machine>``; what is there already stays.

    What was done is recorded after each zip, so that the same call goes on after an interruption. Two of them on
    the same folder take turns.

    Args:
        name: of the card.
        card: addresses, and checksums where they were published.
        split: "dev" or "eval".
        root: the data root.
        progress: shows what is done.
        machines: all of the split when empty.
        keep_zips: leave the zips in ``<root>/<name>/zips``.
        accept_new: take zips whose checksum differs from what was recorded or published.

    Raises:
        UsageError: a machine type lies elsewhere below the root, or it cannot be written to.
        RequirementError: a zip cannot be had.
        DataError: a zip is not the one expected, or damaged, or holds what it must not.
        DiskFullError: there is not room enough.
    """
    home = root / name
    zips = _zips_of(card.splits[split], split, home, machines)  # type: ignore[index]
    busy = f"Another asdbench data download is at work in {home}; this one waits for it."
    require_writable(home, "--data-root DIR")
    with clear_download_errors(home), exclusive(home / ".downloads.lock", on_wait=lambda: progress.note(busy)):
        _refuse_second_copies(zips, root, name, split, card.year)
        download = _Download(home, read_ledger(home / "downloads.json"), progress, keep_zips, accept_new)
        sizes = download.plan(zips, f"{name} {split}")
        return [download.bring(zip_, sizes) for zip_ in zips]


@dataclass(frozen=True)
class _Download:
    """One command's work in the folder of a challenge, under its lock."""

    home: Path
    ledger: Ledger
    progress: Progress
    keep_zips: bool
    accept_new: bool

    def plan(self, zips: Sequence[RemoteZip], purpose: str) -> dict[RemoteZip, int | None]:
        """Sizes of what is not there yet, None where unknown; reports the total and requires room for it."""
        sizes: dict[RemoteZip, int | None] = {}
        left = []
        for zip_ in zips:
            entry = self.ledger.downloads.get(zip_.url)
            if entry and entry.unpacked and entry.unpacked.lies_in(zip_.folder):
                continue
            if zip_.path.exists():
                sizes[zip_] = zip_.path.stat().st_size
                continue
            size = sizes[zip_] = size_of(zip_.url, self.progress)
            left.append(max((size or 0) - PartialFile(zip_.url, zip_.path).size, 0))
        if sizes:
            unknown = sum(size is None for size in sizes.values())
            unpacked = int(UNPACKED_PER_ZIPPED * sum(size or 0 for size in sizes.values()))
            self.progress.note(
                f"{len(left)} zip{'s' if len(left) != 1 else ''} to transfer, {size_text(sum(left))}"
                + (f" and {unknown} of unknown size" if unknown else "")
                + f"; unpacked in {zips[0].folder.parent}: about {size_text(unpacked)} at most."
            )
            # Zips go once they are unpacked, so that only the largest is there beside the recordings.
            require_room(self.home, unpacked + (sum(left) if self.keep_zips else max(left, default=0)), purpose)
        return sizes

    def bring(self, zip_: RemoteZip, sizes: dict[RemoteZip, int | None]) -> DownloadedZip:
        """Transfer a zip of the plan unless it lies there, verify it, unpack it and record that."""
        before = self.ledger.downloads.get(zip_.url)
        if zip_ not in sizes:
            self.progress.note(f"{zip_.name} was downloaded before: {zip_.folder}")
            return DownloadedZip(zip_, "present", self.ledger.downloads[zip_.url])
        lay_there = zip_.path.exists()
        try:
            if not lay_there:
                zip_.path.parent.mkdir(parents=True, exist_ok=True)
                transfer(zip_.url, zip_.path, sizes[zip_], self.progress)
            entry = self.verified(zip_, before)
            self.record(zip_, entry)
            try:
                unpacked = unpack(zip_.path, zip_.folder, self.progress)
            except BadZipError as error:
                self.record(zip_, before)  # a better zip must not be compared with its checksum
                raise BadZipError(
                    str(error),
                    advice=f"Nothing of it was unpacked; it lies in {zip_.set_aside(entry.sha256)} and may be deleted."
                    "\nThe same command transfers it again. If that ends the same way, tell those who publish it.",
                ) from error
            entry = entry.model_copy(update={"unpacked": unpacked})
            self.record(zip_, entry)
            if not self.keep_zips:
                zip_.path.unlink()
            return DownloadedZip(zip_, "unpacked" if lay_there else "downloaded", entry)
        finally:
            with suppress(OSError):  # there is something in them
                for folder in zip_.path.parents[:3]:
                    folder.rmdir()

    def record(self, zip_: RemoteZip, entry: Entry | None) -> None:
        """Write a zip's entry into the ledger; None takes it out."""
        self.ledger.record(zip_.url, entry, self.home / "downloads.json")

    def verified(self, zip_: RemoteZip, before: Entry | None) -> Entry:
        """What the ledger is to say of a transferred zip, once its checksums are what they should be.

        The recorded checksum counts always, the published one unless another zip was accepted in its stead. A zip
        that differs is set aside under a name that nothing reads.

        Raises:
            DataError: a checksum differs, and that was not accepted.
        """
        import pooch  # type: ignore[import-untyped]

        expected = {f"downloaded on {before.date[:10]}": f"sha256:{before.sha256}"} if before else {}
        if zip_.published and not (before and before.accepted):
            expected["published"] = zip_.published
        checksums = {}
        kinds = sorted({"sha256", *(checksum.partition(":")[0] for checksum in expected.values())})
        with self.progress.stage(f"check {zip_.path.name}", len(kinds)) as stage:
            for kind in kinds:
                checksums[kind] = pooch.file_hash(zip_.path, kind)
                stage.advance()
        problems = [
            f"{kind} {value} {origin}, {checksums[kind]} now"
            for origin, checksum in expected.items()
            for kind, _, value in [checksum.partition(":")]
            if checksums[kind] != value
        ]
        if problems and not self.accept_new:
            raise DataError(
                f"{zip_.name} is not the zip that was expected ({zip_.url}):",
                problems,
                "It was issued again, or someone changed it. It was not unpacked and lies in "
                f"{zip_.set_aside(checksums['sha256'])}; nothing else was touched.\n"
                "Look for news of it on the data set's page; to take it nevertheless, give the command "
                "with --accept-new. To keep what was expected, delete it and try again later.",
            )
        if problems:
            self.progress.note(f"{zip_.name} differs from what was expected and is accepted: {'; '.join(problems)}")
        if before and not problems:
            return before
        return Entry(
            zip=zip_.name,
            machine=zip_.machine,
            sha256=checksums["sha256"],
            size=zip_.path.stat().st_size,
            date=now(),
            published=zip_.published,
            accepted=bool(problems),
        )


def _zips_of(card: "ChallengeSplit", split: str, home: Path, machines: Sequence[str]) -> list[RemoteZip]:
    zips = []
    for machine in dict.fromkeys(machines or card.machines):
        urls = card.zips_of(machine)
        names = [_name(url) for url in urls]
        for url, name in zip(urls, names, strict=True):
            # Two zips of one name (.../train/fan.zip, .../test/fan.zip) must not take each other's place.
            path = home / "zips" / split / machine / (name if names.count(name) == 1 else f"{digest(url, 8)}-{name}")
            folder = home / f"{split}_data" / "raw" / machine
            zips.append(RemoteZip(machine, url, name, path, folder, card.checksums.get(name)))
    return zips


def _name(url: str) -> str:
    """Name of the zip in an address: the last step of its path that ends in .zip, else the last one."""
    steps = [unquote(step) for step in urlsplit(url).path.split("/") if step]
    name = next((step for step in reversed(steps) if step.lower().endswith(".zip")), steps[-1] if steps else "")
    if not _FILE_NAME.fullmatch(name):
        raise UsageError(f"The card's address {url} ends in no name of a file. Correct the card.")
    return name


def _refuse_second_copies(zips: Sequence[RemoteZip], root: Path, name: str, split: str, year: int) -> None:
    """Reading would not know which of two places is meant, when both are below a folder of the year's name."""
    destinations = {zip_.machine: zip_.folder for zip_ in zips}
    for machine, folders in challenge_folders(root, year, split, set(destinations), name).items():
        for folder in folders:
            steps = folder.relative_to(root).parts
            if folder != destinations[machine] and any(re.match(rf"dcase[-_ ]?{year}", step, re.I) for step in steps):
                raise UsageError(
                    f"{machine} lies in {folder} already; a second copy in {destinations[machine]} would be "
                    "ambiguous.\nUse it as it is, move it away, or give another place with --data-root DIR."
                )
