"""Compare what the header of a WAV or FLAC file announces with what the file holds.

libsndfile believes a header: it stops where the header says, and says nothing of the rest. WAV here is RIFF, RIFX,
RF64, BW64 and Wave64, whatever lies in them.
"""

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import BinaryIO

ENDLESS = 0x7FFF0000  # sizes from here on are what programs write into a pipe (sox 0x7FFFF000, ffmpeg 0xFFFFFFFF)
ENDLESS_64 = 1 << 62
_RATES = {8000, 11025, 16000, 22050, 24000, 32000, 44100, 48000, 88200, 96000, 176400, 192000}  # Hz, of recorders
_UNCOMPRESSED = (1, 3, 0xFFFE)  # whole numbers, floating point, or one of them, which stands further on
WAVE64 = b"riff\x2e\x91\xcf\x11\xa5\xd6\x28\xdb\x04\xc1\x00\x00"
_STREAMINFO = 8  # its place in a FLAC file, after "fLaC" and the head of the block
_TOTAL = _STREAMINFO + 13  # the number of samples: the low half of this byte and four more


class BadRecording(ValueError):  # noqa: N818  # it describes the recording
    """Why a recording cannot be used, and what to do."""


@dataclass(frozen=True)
class Plain:
    """Samples of 16 bits, little-endian and not compressed, the channels of each beside one another.

    Attributes:
        place: of the first sample, counted from the start.
        frames: samples of each channel.
    """

    place: int
    frames: int
    channels: int
    rate_hz: int


@dataclass(frozen=True)
class Container:
    """A file whose header and content agree, or can be made to.

    Attributes:
        start: of the recording in the file; what is before it is an ID3 tag.
        patches: bytes by their place, counted from the start, with which libsndfile reads to the end.
        frames: samples of each channel that the header announces; None where only libsndfile can tell, or nobody.
        endless: whether the header does not state the length, as where the file was written to a pipe.
        plain: where the samples lie, if they need no decoder.
    """

    start: int
    patches: dict[int, bytes] = field(default_factory=dict)
    frames: int | None = None
    endless: bool = False
    plain: Plain | None = None


@dataclass(frozen=True)
class _Form:
    """How the chunks of a kind of WAV file are written.

    Attributes:
        head: bytes of a chunk's head, which begins with its name and ends with its size.
        first: place of the first chunk.
        size: struct format of the size.
        counts_head: whether the size counts the head as well, and chunks begin at multiples of 8 (Sony's Wave64).
    """

    head: int = 8
    first: int = 12
    size: str = "<I"
    counts_head: bool = False


@dataclass(frozen=True)
class _Chunk:
    """Name, place of the head, place of the content and its size as announced (bytes)."""

    name: bytes
    place: int
    content: int
    size: int


@dataclass(frozen=True)
class _Wav:
    """A file of chunks, from ``start`` to ``length``."""

    file: BinaryIO
    form: _Form
    start: int
    length: int

    def container(self) -> Container:
        """Find the sound, and compare its size with the file's; BadRecording where they differ."""
        ds64: _Chunk | None = None
        before: list[_Chunk] = []
        for data in self.chunks(self.start + self.form.first):
            if data.name == b"data":
                break
            if data.name == b"ds64":
                ds64 = data
            before.append(data)
        else:
            raise BadRecording("cannot be decoded as audio: the file ends before any sound; copy or record it again")
        self.require_consistent(before)
        size = data.size
        if ds64 is not None and size == 0xFFFFFFFF:  # too large for four bytes
            (size,) = struct.unpack("<Q", _read(self.file, ds64.content + 8, 8).ljust(8, b"\0"))
        available = self.length - data.content
        if size > available:
            if ENDLESS <= size <= 0xFFFFFFFF or size >= ENDLESS_64:
                return self.endless(data, ds64, available)
            raise BadRecording(
                f"truncated: the header announces {size} bytes of sound, the file holds {available}; "
                "copy or record it again"
            )
        if not self.only_chunks(self.end(data.content, size)):
            if size == 0:
                return self.endless(data, ds64, available)
            raise BadRecording(
                f"the header announces {size} bytes of sound, but {available - size} follow that are no chunk of a WAV "
                "file; write the header anew, for example: sox --ignore-length OLD.wav NEW.wav"
            )
        return Container(self.start, plain=self.plain(before, data))

    def require_consistent(self, before: Sequence[_Chunk]) -> None:
        """Refuse a header that states one thing in two ways (BadRecording): nobody knows which one holds.

        Bytes a second that are no recorder's rate are only badly counted, by whoever wrote the header.
        """
        form = next((chunk for chunk in before if chunk.name[:4] == b"fmt " and chunk.size >= 16), None)
        if form is None:
            return
        kind, channels, rate_hz, second, step, bits = struct.unpack(
            f"{self.form.size[0]}HHIIHH", _read(self.file, form.content, 16)
        )
        if kind not in _UNCOMPRESSED or bits == 0:
            return
        if step not in (0, channels * ((bits + 7) // 8)) or (
            step and second != rate_hz * step and second // step in _RATES
        ):
            raise BadRecording(
                f"the header contradicts itself: {channels} channels of {bits} bits at {rate_hz} Hz, but {step} bytes "
                f"for each sample and {second} a second; write the header anew, or record it again"
            )

    def plain(self, before: Sequence[_Chunk], data: _Chunk) -> Plain | None:
        """Where the samples lie in a RIFF file of 16-bit samples alone; None for others, which libsndfile reads."""
        if self.form != _Form() or [(chunk.name, chunk.size) for chunk in before] != [(b"fmt ", 16)]:
            return None
        kind, channels, rate_hz, _, step, bits = struct.unpack("<HHIIHH", _read(self.file, before[0].content, 16))
        if kind != 1 or bits != 16 or channels == 0 or step != 2 * channels:
            return None
        return Plain(data.content - self.start, data.size // step, channels, rate_hz)

    def chunks(self, place: int) -> Iterator[_Chunk]:
        """Chunks from a place on, as long as their heads lie in the file."""
        form = self.form
        while place + form.head <= self.length:
            head = _read(self.file, place, form.head)
            (size,) = struct.unpack(form.size, head[-struct.calcsize(form.size) :])
            chunk = _Chunk(head[:4], place, place + form.head, max(0, size - form.head * form.counts_head))
            yield chunk
            place = self.end(chunk.content, chunk.size)

    def only_chunks(self, place: int) -> bool:
        """Whether what follows is no sound: whole chunks of other names, or less than a head."""
        for chunk in self.chunks(place):
            printable = all(32 <= byte < 127 for byte in chunk.name)
            if not printable or chunk.name == b"data" or chunk.content + chunk.size > self.length:
                return False
        return True

    def end(self, content: int, size: int) -> int:
        """Where the next chunk begins."""
        end = content + size
        if self.form.counts_head:
            return self.start + (end - self.start + 7) // 8 * 8
        # A byte of zero stands after odd sizes; some programs leave it out.
        return end + 1 if size % 2 and _read(self.file, end, 1) in (b"\0", b"") else end

    def endless(self, data: _Chunk, ds64: _Chunk | None, available: int) -> Container:
        """The file with its true size in the header."""
        number = struct.calcsize(self.form.size)
        place = data.content - number - self.start
        if ds64 is not None:
            patches = {place: b"\xff" * 4, ds64.content + 8 - self.start: struct.pack("<Q", available)}
        else:
            size = min(available + self.form.head * self.form.counts_head, 256**number - 1)
            patches = {place: struct.pack(self.form.size, size)}
        return Container(self.start, patches, endless=True)


def examine(file: BinaryIO) -> Container:
    """Read the header of a file.

    Raises:
        BadRecording: it is neither WAV nor FLAC, or holds less sound than announced, or more.
    """
    length = file.seek(0, 2)
    if length == 0:
        raise BadRecording("the file is empty (zero bytes): copy or record it again")
    start = _after_id3(_read(file, 0, 10))
    head = _read(file, start, 42)
    if head[:4] == b"fLaC":
        return _flac(head, start)
    if head[:16] == WAVE64 and head[24:28] == b"wave":
        return _Wav(file, _Form(24, 40, "<Q", True), start, length).container()
    if head[:4] in (b"RIFF", b"RIFX", b"RF64", b"BW64") and head[8:12] == b"WAVE":
        return _Wav(file, _Form(size=">I" if head[:4] == b"RIFX" else "<I"), start, length).container()
    raise BadRecording("cannot be decoded as audio: neither WAV nor FLAC, whatever its name says; convert or remove it")


def _read(file: BinaryIO, place: int, count: int) -> bytes:
    file.seek(place)
    return file.read(count)


def _after_id3(head: bytes) -> int:
    """Where a tag at the beginning of the file ends; its size has seven bits in a byte."""
    if head[:3] != b"ID3" or len(head) < 10:
        return 0
    return 10 + sum((byte & 0x7F) << shift for byte, shift in zip(head[6:10], (21, 14, 7, 0), strict=True))


def _flac(head: bytes, start: int) -> Container:
    if len(head) < 42 or head[4] & 0x7F or int.from_bytes(head[5:8], "big") < 34:
        raise BadRecording("cannot be decoded as audio: the FLAC header is damaged; copy or record it again")
    total = int.from_bytes(head[_TOTAL : _TOTAL + 5], "big") & 0xFFFFFFFFF
    # With no number in its header, a file is read until its end; the two numbers are compared then.
    return Container(start, {_TOTAL: bytes([head[_TOTAL] & 0xF0, 0, 0, 0, 0])}, total or None, total == 0)
