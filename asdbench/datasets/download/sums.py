"""Checksums of zips: against the card's, and against those of the first download."""

import hashlib
from collections.abc import Iterable
from pathlib import Path

from asdbench.core.errors import DataError
from asdbench.core.progress import Progress
from asdbench.datasets.download.ledger import Download, now
from asdbench.datasets.download.places import Wanted
from asdbench.datasets.download.space import Megabytes, megabytes

CHUNK = 1 << 20


def sums_of(path: Path, kinds: Iterable[str], progress: Progress) -> dict[str, str]:
    """Checksums of a file, "sha256" and others, hexadecimal, in one reading."""
    made = {kind: hashlib.new(kind, usedforsecurity=False) for kind in kinds}
    done = 0
    with path.open("rb") as file, progress.stage(f"check {path.name}, MB", megabytes(path.stat().st_size)) as stage:
        meter = Megabytes(stage)
        while block := file.read(CHUNK):
            for one in made.values():
                one.update(block)
            done += len(block)
            meter.at(done)
    return {kind: one.hexdigest() for kind, one in made.items()}


def checked(wanted: Wanted, before: Download | None, accept_new: bool, progress: Progress) -> Download:
    """What the ledger is to say of a transferred zip, once its checksums are what they should be.

    The recorded checksum counts always, the published one unless another zip was accepted in its stead. A zip that
    differs is set aside under a name that nothing reads.

    Args:
        wanted: the zip.
        before: the ledger's entry of an earlier download.
        accept_new: take a zip that differs.
        progress: told what is being done.

    Raises:
        DataError: a checksum differs.
    """
    expected = []
    if before is not None:
        expected.append((f"downloaded on {before.date[:10]}", f"sha256:{before.sha256}"))
    if wanted.published and not (before is not None and before.accepted):
        expected.append(("published", wanted.published))
    kinds = {"sha256", *(sum_.partition(":")[0] for _, sum_ in expected)}
    sums = sums_of(wanted.path, sorted(kinds), progress)
    problems = []
    for origin, sum_ in expected:
        kind, _, value = sum_.partition(":")
        if sums[kind] != value:
            problems.append(f"{kind} {value} {origin}, {sums[kind]} now")
    if problems and not accept_new:
        aside = set_aside(wanted, sums["sha256"])
        raise DataError(
            f"{wanted.name} is not the zip that was expected ({wanted.url}):",
            problems,
            f"It was issued again, or someone changed it. It was not unpacked and lies in {aside}; nothing else was "
            "touched.\nLook for word of it on the data set's page; to take it nevertheless, give the command with "
            "--accept-new. To keep what was expected, delete it and try again later.",
        )
    if problems:
        progress.note(f"{wanted.name} differs from what was expected and is accepted: {'; '.join(problems)}")
    if before is not None and not problems:
        return before
    return Download(
        zip=wanted.name,
        machine=wanted.machine,
        sha256=sums["sha256"],
        size=wanted.path.stat().st_size,
        date=now(),
        published=wanted.published,
        accepted=bool(problems),
    )


def set_aside(wanted: Wanted, sha256: str) -> Path:
    """Rename a zip that must not be used, so that nothing reads it; gives its new path."""
    aside = wanted.path.with_name(f"{wanted.path.name}.{sha256[:8]}.rejected")
    wanted.path.replace(aside)
    return aside
