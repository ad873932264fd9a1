"""Remembered digests of recordings: what changes is noticed, and what has not changed is not read again."""

import os
import shutil
import time

import pytest

from asdbench.core.digests import AT_ONCE, file_digest
from asdbench.datasets import contents, read_folder
from asdbench.datasets.contents import RECENT_NS, ContentDigests


@pytest.fixture
def memory(tmp_path):
    return ContentDigests(tmp_path / "memory")


@pytest.fixture
def files(tmp_path):
    """Files of other bytes each."""
    folder = tmp_path / "files"
    folder.mkdir()
    paths = [folder / f"{number}.wav" for number in range(70)]
    for path in paths:
        path.write_bytes(path.name.encode() * 9)
    return paths


@pytest.fixture
def later(monkeypatch):
    """The files were written long ago."""
    now = time.time_ns() + 2 * RECENT_NS
    monkeypatch.setattr(contents.time, "time_ns", lambda: now)


@pytest.fixture
def read(monkeypatch):
    """Paths that were read, one after the other."""
    paths = []

    def counted(path):
        paths.append(path)
        return file_digest(path)

    monkeypatch.setattr(contents, "file_digest", counted)
    return paths


@pytest.mark.usefixtures("later")
def test_a_file_that_has_not_changed_is_read_once(memory, files, read):
    first = memory.of(files)
    assert first == [file_digest(path) for path in files]
    assert sorted(read) == sorted(files)
    read.clear()
    assert memory.of(files[::-1]) == first[::-1]
    assert read == []


def replaced(path):
    """The same name, size and time of change, and another file."""
    other = path.with_name("other")
    other.write_bytes(path.read_bytes()[::-1])
    shutil.copystat(path, other)
    other.rename(path)


def rewritten(path):
    """The same file, size and time of change, and other bytes."""
    state = path.stat()
    path.write_bytes(path.read_bytes()[::-1])
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))


def longer(path):
    path.write_bytes(path.read_bytes() + b"1")


@pytest.mark.usefixtures("later")
@pytest.mark.parametrize("change", [replaced, rewritten, longer])
def test_a_file_that_has_changed_is_read_again(memory, files, read, change):
    before = memory.of(files)
    read.clear()
    change(files[3])
    after = memory.of(files)
    assert read == [files[3]]
    assert after[3] == file_digest(files[3]) != before[3]
    assert after[:3] + after[4:] == before[:3] + before[4:]


def test_what_was_just_written_is_not_remembered(memory, files, read):
    files[0].touch()  # in the next moment it may change again without another time
    memory.of(files)
    memory.of(files)
    assert read.count(files[0]) == 2


def test_digests_of_large_files_are_those_of_small_ones(tmp_path):
    import hashlib

    for size in (0, 1, AT_ONCE - 1, AT_ONCE, AT_ONCE + 1, 3 * AT_ONCE):
        (tmp_path / "file").write_bytes(os.urandom(size))
        expected = hashlib.blake2b((tmp_path / "file").read_bytes(), digest_size=16).hexdigest()
        assert file_digest(tmp_path / "file") == expected


def test_added_removed_and_renamed_recordings_are_noticed(make_folder, dcase2023_names, memory):
    root = make_folder({"pump": dcase2023_names()})
    whole = read_folder(root, digests=memory)
    victim = next(clip.path for clip in whole if clip.split == "train")
    content = victim.read_bytes()
    victim.unlink()
    assert len(read_folder(root, digests=memory)) == len(whole) - 1
    victim.with_name("section_00_source_train_normal_9999.wav").write_bytes(content)
    renamed = read_folder(root, digests=memory)
    assert len(renamed) == len(whole)
    assert renamed.fingerprint != whole.fingerprint
    victim.with_name("section_00_source_train_normal_9999.wav").rename(victim)
    assert read_folder(root, digests=memory).fingerprint == whole.fingerprint
