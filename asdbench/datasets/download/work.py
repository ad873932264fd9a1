"""The work on one split: what is there, what is to come, and one zip after the other."""

from contextlib import suppress
from dataclasses import dataclass

from asdbench.core.progress import Progress
from asdbench.core.sizes import in_words
from asdbench.datasets.download.fetch import fetch, size_of
from asdbench.datasets.download.ledger import Download, Ledger, Unpacked, now
from asdbench.datasets.download.members import BadZipError
from asdbench.datasets.download.parts import Part
from asdbench.datasets.download.places import Held, Places, State, Wanted
from asdbench.datasets.download.space import UNPACKED_PER_ZIPPED, require_room
from asdbench.datasets.download.sums import checked, set_aside
from asdbench.datasets.download.unpack import unpack


@dataclass
class Work:
    """One command's work on one split.

    Args:
        places: where things go.
        keep_zips: leave the zips when they are unpacked.
        accept_new: take zips whose checksum is not the expected one.
        progress: told what is done.
        ledger: what was done before; written after every zip.
    """

    places: Places
    keep_zips: bool
    accept_new: bool
    progress: Progress
    ledger: Ledger

    def is_held(self, wanted: Wanted) -> bool:
        """Whether its recordings are there, as far as the ledger and the folders tell."""
        entry = self.ledger.downloads.get(wanted.url)
        return bool(entry and entry.unpacked and entry.unpacked.lies_in(self.places.folder(wanted.machine)))

    def plan(self, missing: list[Wanted]) -> dict[str, int | None]:
        """Sizes of what is to come by address, None where unknown; says the total and asks for room."""
        sizes = {
            one.url: one.path.stat().st_size if one.path.exists() else size_of(one.url, self.progress.note)
            for one in missing
        }
        if not missing:
            return sizes
        left = [
            max((sizes[one.url] or 0) - Part(one.url, one.path).size, 0) for one in missing if not one.path.exists()
        ]
        unknown = sum(size is None for size in sizes.values())
        unpacked = int(UNPACKED_PER_ZIPPED * sum(size or 0 for size in sizes.values()))
        self.progress.note(
            f"{len(left)} zip{'s' if len(left) != 1 else ''} to transfer, {in_words(sum(left))}"
            + (f" and {unknown} of unknown size" if unknown else "")
            + f"; unpacked in {self.places.folder(missing[0].machine).parent}: about {in_words(unpacked)} at most."
        )
        # Zips go once they are unpacked, so that only the largest is there beside the recordings.
        zips = sum(left) if self.keep_zips else max(left, default=0)
        require_room(self.places.home, unpacked + zips, f"{self.places.name} {self.places.split}")
        return sizes

    def bring(self, wanted: Wanted, size: int | None) -> Held:
        """Transfer one zip unless it lies there, verify it, unpack it and write all that down."""
        transferred = not wanted.path.exists()
        if transferred:
            wanted.path.parent.mkdir(parents=True, exist_ok=True)
            try:
                fetch(wanted.url, wanted.path, size, self.progress)
            finally:
                self._tidy(wanted)
        before = self.ledger.downloads.get(wanted.url)
        entry = checked(wanted, before, self.accept_new, self.progress)
        self._write(wanted, entry)
        folder = self.places.folder(wanted.machine)
        try:
            arrived = unpack(wanted.path, folder, self.progress)
        except BadZipError as error:
            self._write(wanted, before)  # its checksum is not to be the measure of a better one
            aside = set_aside(wanted, entry.sha256)
            raise BadZipError(
                error.summary,
                list(error.problems),
                f"Nothing of it was unpacked; it lies in {aside} and may be deleted.\n"
                "The same command transfers it again. If that ends the same way, tell those who publish it.",
            ) from error
        unpacked = Unpacked(files=arrived.files, size=arrived.size, date=now())
        self._write(wanted, entry.model_copy(update={"unpacked": unpacked}))
        if not self.keep_zips:
            wanted.path.unlink()
            self._tidy(wanted)
        return self._held(wanted, "downloaded" if transferred else "unpacked")

    def present(self, wanted: Wanted) -> Held:
        """Say of a zip that there is nothing to do."""
        self.progress.note(f"{wanted.name} was downloaded before: {self.places.folder(wanted.machine)}")
        return self._held(wanted, "present")

    def _held(self, wanted: Wanted, state: State) -> Held:
        entry = self.ledger.downloads[wanted.url]
        assert entry.unpacked is not None, "a zip is held once it is unpacked"
        return Held(
            wanted.machine,
            wanted.url,
            wanted.name,
            state,
            entry.size,
            entry.sha256,
            entry.published,
            sum(entry.unpacked.files.values()),
            entry.unpacked.size,
            self.places.folder(wanted.machine),
        )

    def _write(self, wanted: Wanted, entry: Download | None) -> None:
        if entry is None:
            self.ledger.downloads.pop(wanted.url, None)
        else:
            self.ledger.downloads[wanted.url] = entry
        self.ledger.save(self.places.ledger)

    def _tidy(self, wanted: Wanted) -> None:
        """Remove the zip's folders when nothing is left in them."""
        with suppress(OSError):
            for folder in wanted.path.parents[:3]:
                folder.rmdir()
