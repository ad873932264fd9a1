"""Zips that are damaged or hostile leave nothing behind; good ones are unpacked whole."""

import io
import os
import stat
import struct
import warnings
import zipfile
from collections import namedtuple

import pytest
from zip_server import zip_of

from asdbench.core.errors import DataError, DiskFullError
from asdbench.core.progress import Silent
from asdbench.datasets.download import unpack as module
from asdbench.datasets.download.unpack import BadZipError, unpack

GOOD = {"fan/train/a.wav": b"a" * 3000, "fan/test/b.wav": os.urandom(2000), "fan/attributes_00.csv": b"x,y\n"}
Usage = namedtuple("Usage", "total used free")


@pytest.fixture
def put(tmp_path):
    """Unpacks a zip: ``put(content)`` or ``put({name: content})``; gives the machine's folder."""

    def call(content):
        path = tmp_path / "zips" / "fan.zip"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(zip_of(content) if isinstance(content, dict) else content)
        folder = tmp_path / "out" / "fan"
        return unpack(path, folder, Silent()), folder

    return call


@pytest.fixture
def refused(put, tmp_path):
    """The message of a refusal; nothing may have been written anywhere."""

    def call(content):
        with pytest.raises(BadZipError) as caught:
            put(content)
        assert not list((tmp_path / "out").rglob("*")), "something was left behind"
        assert {path.name for path in tmp_path.iterdir()} <= {"zips", "out"}
        return str(caught.value)

    return call


def member(name, content=b"x", **attributes):
    """A zip of a good member and one with these attributes of its ZipInfo."""
    memory = io.BytesIO()
    info = zipfile.ZipInfo(name)
    for key, value in attributes.items():
        setattr(info, key, value)
    with zipfile.ZipFile(memory, "w") as archive:
        archive.writestr("fan/train/a.wav", b"a")
        archive.writestr(info, content)
    return memory.getvalue()


def altered(content, offset, form, value, which=-1):
    """A field of a member's entry in the central directory set by hand."""
    data = bytearray(content)
    places = [at for at in range(len(data) - 4) if data[at : at + 4] == b"PK\x01\x02"]
    struct.pack_into(form, data, places[which] + offset, value)
    return bytes(data)


def test_a_zip_is_unpacked_and_counted(put):
    arrived, folder = put(GOOD)
    assert arrived.files == {"": 1, "test": 1, "train": 1}
    assert arrived.size == sum(map(len, GOOD.values()))
    for name, content in GOOD.items():
        assert (folder.parent / name).read_bytes() == content
    assert [path.name for path in folder.parent.iterdir()] == ["fan"], "no temporary folder stays"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("../fan/train/x.wav", "leads elsewhere"),
        ("fan/../../x.wav", "leads elsewhere"),
        ("fan/./x.wav", "leads elsewhere"),
        ("fan//x.wav", "leads elsewhere"),
        ("/etc/x.wav", "absolute"),
        ("C:/x.wav", "absolute"),
        ("C:x.wav", "absolute"),
        ("fan\\train\\x.wav", "character"),
        ("fan/train/x.wav:stream", "character"),
        ("fan/train/x\n.wav", "character"),
        ("fan/train/" + "x" * 300, "too long"),
        ("valve/train/x.wav", "not in fan/"),
        ("Fan/train/x.wav", "not in fan/"),
        ("x.wav", "not in fan/"),
        ("fan", "not in fan/"),
        ("fan/train/A.wav", "clashes"),
        ("fan/Train/x.wav", "clashes"),
        ("fan/train/a.wav/x.wav", "clashes"),
    ],
)
def test_names_that_lead_elsewhere_are_refused(refused, name, message):
    assert message in refused(member(name))


def test_a_name_that_is_there_twice_is_refused(refused):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        content = member("fan/train/a.wav")
    assert "clashes" in refused(content)


def test_a_name_with_a_nul_is_refused(refused):
    content = member("fan/train/xyz.wav").replace(b"fan/train/xyz.wav", b"fan/train/x\0z.wav")
    assert "character" in refused(content)


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR, stat.S_IFSOCK, stat.S_IFDIR])
def test_links_and_devices_are_refused(refused, kind):
    assert "special file" in refused(member("fan/train/x", b"/etc/passwd", external_attr=(kind | 0o777) << 16))


def test_encrypted_members_are_refused(refused):
    assert "encrypted" in refused(altered(member("fan/train/x.wav"), 8, "<H", 1))


def test_unknown_compression_is_refused(refused):
    assert "method 12" in refused(member("fan/train/x.wav", compress_type=zipfile.ZIP_BZIP2))


def test_far_more_than_recordings_shrink_is_refused(refused):
    assert "would unpack to 20000000 bytes" in refused({"fan/train/a.wav": bytes(20_000_000)})


def test_more_than_the_absolute_limit_is_refused(refused, monkeypatch):
    monkeypatch.setattr(module, "MAX_UNPACKED", 4000)
    assert "at most 4000" in refused(GOOD)


def test_too_many_members_are_refused(refused, monkeypatch):
    monkeypatch.setattr(module, "MAX_MEMBERS", 2)
    assert "3 members" in refused(GOOD)


@pytest.mark.parametrize("size", [1, 100_000])
def test_sizes_that_lie_are_refused(refused, size):
    content = zip_of({"fan/train/a.wav": b"a", "fan/train/x.wav": os.urandom(5000)})
    assert "damaged" in refused(altered(content, 24, "<I", size))


def test_an_offset_outside_the_zip_is_damage(refused):
    assert "damaged" in refused(altered(zip_of(GOOD), 42, "<I", 2**31))


def test_a_changed_byte_a_cut_and_another_file_are_damage(refused):
    content = bytearray(zip_of({"fan/train/a.wav": os.urandom(5000)}))
    content[2000] ^= 1
    assert "damaged" in refused(bytes(content))
    assert "damaged" in refused(zip_of(GOOD)[:-30])
    assert "damaged or no zip" in refused(b"<html>Please log in</html>")
    assert "damaged or no zip" in refused(b"")


def test_a_zip_without_files_is_refused(refused):
    assert "holds no files of fan/" in refused({"__MACOSX/fan/x": b"x"})


def test_what_macos_leaves_is_left_out(put):
    litter = {"__MACOSX/fan/train/._a.wav": b"x", "fan/.DS_Store": b"x", "fan/train/._a.wav": b"x"}
    arrived, folder = put(GOOD | litter)
    assert sum(arrived.files.values()) == 3
    assert len([path for path in folder.rglob("*") if path.is_file()]) == 3


def test_two_zips_go_into_one_folder_and_the_same_files_are_no_matter(put):
    put({"fan/train/a.wav": b"a", "fan/attributes_00.csv": b"1"})
    _, folder = put({"fan/test/b.wav": b"b", "fan/attributes_00.csv": b"1"})
    assert sorted(path.name for path in folder.rglob("*.*")) == ["a.wav", "attributes_00.csv", "b.wav"]


def test_other_files_are_never_replaced(put):
    _, folder = put({"fan/train/a.wav": b"a"})
    with pytest.raises(DataError, match="not replaced") as caught:
        put({"fan/train/a.wav": b"other", "fan/train/new.wav": b"n"})
    assert str(folder / "train" / "a.wav") in str(caught.value)
    assert "Move" in str(caught.value)
    assert (folder / "train" / "a.wav").read_bytes() == b"a"
    assert not (folder / "train" / "new.wav").exists()
    assert [path.name for path in folder.parent.iterdir()] == ["fan"]
    with pytest.raises(DataError, match="not replaced"):
        put({"fan/train/a.wav/deeper.wav": b"x"})


def test_room_is_asked_for_before_unpacking(put, tmp_path, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda _path: Usage(10**9, 10**9, 9000))
    with pytest.raises(DiskFullError, match=r"needs about 17.3 kB.*has 9.0 kB left"):
        put(GOOD)
    assert not (tmp_path / "out").exists()


def test_what_a_killed_command_left_is_removed(put, tmp_path):
    stale = tmp_path / "out" / ".fan.abc.partial" / "fan"
    stale.mkdir(parents=True)
    put(GOOD)
    assert not stale.parent.exists()
