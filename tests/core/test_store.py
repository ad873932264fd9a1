"""Folders of the cache are checked when they are read; what is damaged is reported, removed and made again."""

import hashlib
import json
import os
from pathlib import Path

import pytest

from asdbench.core import store
from asdbench.core.errors import UsageError
from asdbench.core.store import MANIFEST, StoredFolder, damage, seal

CONTENT = {"numbers.bin": bytes(range(256)) * 8, "more/index.json": b'{"a": 1}'}


def fill(folder: Path) -> None:
    for name, content in CONTENT.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(content)


@pytest.fixture
def entry(tmp_path):
    entry = StoredFolder(tmp_path / "kind" / "abc", "features of fan")
    entry.get_or_make(fill, pytest.fail)
    return entry


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def folder_instead(path: Path) -> None:
    path.unlink()
    path.mkdir()


DAMAGE = {
    "flipped": flip,
    "truncated": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    "emptied": lambda path: path.write_bytes(b""),
    "longer": lambda path: path.write_bytes(path.read_bytes() + b"\n"),
    "removed": Path.unlink,
    "folder": folder_instead,
}


def test_the_digests_are_those_of_the_files(entry):
    files = json.loads((entry.path / MANIFEST).read_text())["files"]
    assert files == {name: hashlib.sha256(content).hexdigest() for name, content in CONTENT.items()}
    assert entry.intact


@pytest.mark.parametrize("file", [*CONTENT, MANIFEST])
@pytest.mark.parametrize("kind", DAMAGE)
def test_whatever_is_damaged_is_told_in_one_line_and_made_again(entry, file, kind):
    if (file, kind) == (MANIFEST, "longer"):
        pytest.skip("a line break more changes nothing")
    DAMAGE[kind](entry.path / file)
    assert not entry.intact
    told = []
    entry.get_or_make(fill, told.append)
    (line,) = told
    assert "features of fan" in line
    assert file in line
    assert "\n" not in line
    assert entry.intact
    assert {name: (entry.path / name).read_bytes() for name in CONTENT} == CONTENT
    assert not list(entry.path.parent.glob(".*")), "nothing is left lying about"


def test_a_flipped_bit_of_the_list_of_digests_is_noticed_or_changes_nothing(tmp_path):
    fill(tmp_path)
    seal(tmp_path)
    whole = (tmp_path / MANIFEST).read_bytes()
    meaning = json.loads(whole)
    for place in range(len(whole)):
        changed = whole[:place] + bytes([whole[place] ^ 1 << place % 8]) + whole[place + 1 :]
        (tmp_path / MANIFEST).write_bytes(changed)
        assert damage(tmp_path) is not None or json.loads(changed) == meaning


def test_a_list_that_leaves_a_file_out_is_noticed(tmp_path):
    fill(tmp_path)
    seal(tmp_path)
    content = json.loads((tmp_path / MANIFEST).read_text())
    del content["files"]["numbers.bin"]
    (tmp_path / MANIFEST).write_text(json.dumps(content))
    assert damage(tmp_path) is not None


def test_an_entry_that_became_a_file_is_made_again(entry):
    for path in (entry.path / name for name in (*CONTENT, MANIFEST)):
        path.unlink()
    (entry.path / "more").rmdir()
    entry.path.rmdir()
    entry.path.write_bytes(b"")
    told = []
    assert entry.get_or_make(fill, told.append).is_dir()
    assert (len(told), entry.intact) == (1, True)


def test_a_file_is_read_once_in_a_process_unless_it_changes(entry, monkeypatch):
    read = []
    digest = hashlib.file_digest
    monkeypatch.setattr(store, "_known", {})
    monkeypatch.setattr(store.hashlib, "file_digest", lambda file, name: read.append(file.name) or digest(file, name))
    assert [entry.intact for _ in range(3)] == [True] * 3
    assert sorted(read) == sorted(str(entry.path / name) for name in CONTENT)
    flip(entry.path / "numbers.bin")
    assert not entry.intact


def test_what_is_whole_is_read_without_writing_anything(entry, monkeypatch):
    def refused(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(store, "exclusive", refused)
    monkeypatch.setattr(store, "whole_folder", refused)
    assert entry.get_or_make(pytest.fail, pytest.fail) == entry.path


def test_what_is_damaged_and_cannot_be_removed_is_refused_by_name(entry, monkeypatch):
    def refused(*_):
        raise PermissionError(13, "Permission denied")

    flip(entry.path / "numbers.bin")
    monkeypatch.setattr(Path, "rename", refused)
    with pytest.raises(UsageError, match=f"{entry.path.name}: Permission denied"):
        entry.get_or_make(fill, lambda _: None)


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="the superuser reads everything")
def test_what_cannot_be_read_is_made_again(entry):
    (entry.path / "more").chmod(0)
    told = []
    entry.get_or_make(fill, told.append)
    assert "cannot be read" in told[0]
    assert not list(entry.path.parent.glob(".*"))
