import errno
import os

import pytest

from asdbench.core import files
from asdbench.core.errors import AsdbenchError, UsageError


def names(folder):
    return [path.name for path in folder.iterdir()]


def test_a_file_that_fails_half_way_leaves_the_old_one_and_no_rest(tmp_path):
    path = tmp_path / "a.txt"
    files.write_text(path, "old")
    with pytest.raises(ZeroDivisionError), files.whole_file(path) as file:
        file.write(b"half of the new")
        _ = 1 / 0
    assert path.read_text() == "old"
    assert names(tmp_path) == ["a.txt"]


def test_a_folder_is_replaced_whole_or_not_at_all(tmp_path):
    target = tmp_path / "run"
    with files.whole_folder(target) as folder:
        (folder / "one").write_text("1")
    with pytest.raises(KeyboardInterrupt), files.whole_folder(target) as folder:
        (folder / "two").write_text("2")
        raise KeyboardInterrupt
    assert names(tmp_path) == ["run"]
    assert names(target) == ["one"]
    with files.whole_folder(target) as folder:
        (folder / "three").write_text("3")
    assert names(tmp_path) == ["run"]
    assert names(target) == ["three"]


def test_every_file_of_a_folder_is_on_the_disk_before_the_folder_takes_its_name_and_once(tmp_path, monkeypatch):
    synced, sync, target = [], os.fsync, tmp_path / "run"

    def seen(handle):
        synced.append((os.fstat(handle).st_ino, target.exists()))
        sync(handle)

    monkeypatch.setattr(files.os, "fsync", seen)
    with files.whole_folder(target) as folder:
        files.write_text(folder / "one", "1")
        (folder / "inner").mkdir()
        files.write_text(folder / "inner" / "two", "2")
    expected = [(path.stat().st_ino, False) for path in (*target.rglob("*"), target)]
    assert sorted(synced[:-1]) == sorted(expected)
    assert synced[-1] == (tmp_path.stat().st_ino, True)
    synced.clear()
    files.write_text(tmp_path / "three", "3")
    assert synced == [((tmp_path / "three").stat().st_ino, True), (tmp_path.stat().st_ino, True)]


def test_a_full_disk_is_told_by_name_and_leaves_nothing(tmp_path, monkeypatch):
    def full(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(AsdbenchError, match=r"No room left on the disk while writing .*a\.txt") as caught:
        files.write_text(tmp_path / "a.txt", "text")
    assert caught.value.exit_code == 1
    assert names(tmp_path) == []


def test_the_way_out_is_the_one_of_the_place(tmp_path, monkeypatch):
    """No command's option in another command's message; the variable of the cache for the cache alone."""
    monkeypatch.setenv("ASDBENCH_CACHE", str(tmp_path / "file" / "cache"))
    (tmp_path / "file").write_text("")

    def said(write, *words):
        with pytest.raises(UsageError, match="Cannot write") as caught:
            write(tmp_path / "file" / words[0], *words[1:])
        return str(caught.value).splitlines()[-1]

    plain = "Give a place that you may write to"
    assert said(files.require_writable, "runs") == f"{plain}."
    assert said(files.write_text, "table.csv", "") == f"{plain}."
    assert said(files.require_writable, "runs", "--out DIR") == f"{plain}: --out DIR."
    assert said(files.require_writable, "cache/features") == f"{plain}: ASDBENCH_CACHE=DIR."


def test_an_unwritable_folder_is_told_before_work_begins(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="Cannot write") as caught:
        files.require_writable(tmp_path / "file" / "runs")
    assert caught.value.exit_code == 2
    files.require_writable(tmp_path / "new" / "runs")
    assert names(tmp_path) == ["file"]
