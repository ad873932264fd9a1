"""Downloads: what lies where afterwards, checksums, the ledger, room on the disk and commands at the same time."""

import json
import threading
import zipfile
from collections import namedtuple

import pytest
from filelock import FileLock
from zip_server import Served, md5, recordings, sha256, zip_of

from asdbench.core.errors import AsdbenchError, DataError, DiskFullError, RequirementError, UsageError
from asdbench.core.progress import Silent
from asdbench.datasets.challenge import inventory_of_challenge, read_challenge
from asdbench.datasets.download import download_challenge

FAN, NAME = "/files/dev_fan.zip", "dcase2023-mini"
Usage = namedtuple("Usage", "total used free")


def ledger(root):
    return json.loads((root / NAME / "downloads.json").read_text())["downloads"]


def test_reading_finds_what_was_downloaded(get, fan, make_card, root, server, left_over):
    (downloaded,) = get("fan")
    assert (downloaded.state, downloaded.entry.files) == ("downloaded", 22)
    assert downloaded.source.folder == root / NAME / "dev_data" / "raw" / "fan"
    assert len(read_challenge(inventory_of_challenge(NAME, make_card(), "dev", root, ["fan"]))) == 22
    entry = ledger(root)[server.base + FAN]
    assert (entry["sha256"], entry["size"]) == (sha256(fan.content), len(fan.content))
    assert entry["unpacked"]["files"] == {"test": 12, "train": 10}
    assert left_over() == []
    assert not (root / NAME / "zips").exists()


def test_train_and_test_zips_of_one_name_go_into_one_folder(get, make_card, root, server, dcase2023_names):
    names = dcase2023_names()
    for split in ("train", "test"):
        server.files[f"/{split}/pump.zip"] = Served(zip_of(recordings("pump", {split: names[split]})))
    downloaded = get(split="eval", keep_zips=True)
    assert [one.entry.files for one in downloaded] == [10, 12]
    assert len(read_challenge(inventory_of_challenge(NAME, make_card(), "eval", root))) == 22
    zips = list((root / NAME / "zips" / "eval" / "pump").iterdir())
    assert len(zips) == 2
    assert all(path.name.endswith("-pump.zip") for path in zips)


def test_what_is_there_is_not_transferred_again(get, fan, server):
    get("fan")
    requests = len(server.log)
    (downloaded,) = get("fan")
    assert downloaded.state == "present"
    assert len(server.log) == requests
    assert "downloaded before" in get.notes[0]


def test_a_folder_of_an_earlier_version_is_done(get, root, server):
    """Recordings and a ledger as the first release wrote them."""
    folder = root / NAME / "dev_data" / "raw" / "fan"
    for split, number in (("train", 2), ("test", 1)):
        (folder / split).mkdir(parents=True)
        for clip in range(number):
            (folder / split / f"{clip}.wav").write_bytes(b"RIFF")
    entry = {
        "zip": "dev_fan.zip", "machine": "fan", "sha256": "ab" * 32, "size": 1234, "date": "2025-03-01T10:00:00+00:00",
        "published": None, "accepted": False,
        "unpacked": {"files": {"test": 1, "train": 2}, "size": 12, "date": "2025-03-01T10:00:05+00:00"},
    }  # fmt: skip
    text = json.dumps({"version": 1, "downloads": {server.base + FAN: entry}}, indent=2) + "\n"
    (root / NAME / "downloads.json").write_text(text)
    (downloaded,) = get("fan")
    assert (downloaded.state, downloaded.entry.sha256, downloaded.entry.files) == ("present", "ab" * 32, 3)
    assert server.log == []
    assert (root / NAME / "downloads.json").read_text() == text


def test_lost_recordings_are_brought_back(get, fan, root):
    (downloaded,) = get("fan")
    lost = next((downloaded.source.folder / "test").iterdir())
    content = lost.read_bytes()
    lost.unlink()
    assert get("fan")[0].state == "downloaded"
    assert lost.read_bytes() == content


def test_all_of_a_split_with_one_missing_says_so_before_anything_is_transferred(get, fan, server):
    with pytest.raises(RequirementError, match=r"dev_valve.zip cannot be had: the server answers 404"):
        get()
    assert server.gets() == []


def test_another_zip_than_before_is_set_aside(get, fan, root, server, other_fan, left_over):
    (downloaded,) = get("fan")
    aside_from = downloaded.source.folder.rename(downloaded.source.folder.with_name("elsewhere"))
    before = ledger(root)
    old, fan.content = fan.content, other_fan
    with pytest.raises(DataError) as caught:
        get("fan")
    for part in (sha256(old), sha256(fan.content), "--accept-new", ".rejected"):
        assert part in str(caught.value)
    assert ledger(root) == before
    assert not downloaded.source.folder.exists()
    assert aside_from.exists()
    (rejected,) = left_over()
    assert rejected == f"dev_fan.zip.{sha256(fan.content)[:8]}.rejected"
    assert get("fan", accept_new=True)[0].entry.sha256 == sha256(fan.content)
    assert ledger(root)[server.base + FAN]["accepted"] is True
    assert get("fan")[0].state == "present"


def test_a_published_checksum_is_compared_at_the_first_download(get, fan, root, make_card):
    with pytest.raises(DataError, match="published") as caught:
        get("fan", card=make_card({"dev_fan.zip": md5(b"other")}))
    assert md5(fan.content).removeprefix("md5:") in str(caught.value)
    assert not (root / NAME / "downloads.json").exists()
    right = make_card({"dev_fan.zip": md5(fan.content)})
    assert get("fan", card=right)[0].entry.published == md5(fan.content)
    get("fan", card=make_card({"dev_fan.zip": "sha256:" + sha256(fan.content)}))


def test_an_accepted_zip_stays_accepted(get, fan, make_card):
    card = make_card({"dev_fan.zip": md5(b"other")})
    (downloaded,) = get("fan", card=card, accept_new=True)
    assert any("is accepted" in note for note in get.notes)
    next((downloaded.source.folder / "test").iterdir()).unlink()
    assert get("fan", card=card)[0].state == "downloaded"


@pytest.mark.parametrize("content", [b"<html>Please log in</html>", zip_of({"../x.wav": b"x"})])
def test_a_zip_that_is_none_or_hostile_is_no_measure_of_a_good_one(get, fan, root, content):
    good, fan.content = fan.content, content
    with pytest.raises(DataError, match="Nothing of it was unpacked"):
        get("fan")
    assert ledger(root) == {}
    assert not list(root.parent.rglob("*.wav"))
    fan.content = good
    assert get("fan")[0].entry.sha256 == sha256(good)


def test_a_zip_that_lies_there_is_only_unpacked(get, fan, root, server):
    """Interrupted between transfer and unpacking, or brought by other means."""
    place = root / NAME / "zips/dev/fan/dev_fan.zip"
    place.parent.mkdir(parents=True)
    place.write_bytes(fan.content)
    assert get("fan")[0].state == "unpacked"
    assert server.log == []
    assert not place.exists()


def test_interrupted_while_unpacking_the_same_call_goes_on(get, fan, root, server, monkeypatch, left_over):
    original, extracted = zipfile.ZipFile.extract, []

    def interrupt(*arguments):
        extracted.append(original(*arguments))
        if len(extracted) == 3:
            raise KeyboardInterrupt
        return extracted[-1]

    with monkeypatch.context() as patch:
        patch.setattr(zipfile.ZipFile, "extract", interrupt)
        with pytest.raises(KeyboardInterrupt):
            get("fan")
    assert left_over() == ["dev_fan.zip"]
    assert list((root / NAME / "dev_data/raw").iterdir()) == []
    assert get("fan")[0].state == "unpacked"
    assert len(server.gets()) == 1


def test_room_is_asked_for_before_the_transfer(get, fan, root, server, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda _path: Usage(10**9, 10**9, 100_000))
    with pytest.raises(DiskFullError) as caught:
        get("fan")
    assert f"needs about {3 * len(fan.content) / 1000:.0f} kB" in str(caught.value)
    for part in ("has 100 kB left", str(root), "--data-root"):
        assert part in str(caught.value)
    assert server.gets() == []


def test_a_second_copy_is_refused_before_the_transfer(get, fan, root, server):
    (root / NAME / "fan" / "train").mkdir(parents=True)
    with pytest.raises(UsageError, match=r"lies in .* already"):
        get("fan")
    assert server.log == []


def test_a_ledger_that_is_none_is_reported(get, fan, root):
    (root / NAME).mkdir(parents=True)
    for text in ("{", "[]", '{"version": 1, "downloads": {"u": {"zip": 3}}}'):
        (root / NAME / "downloads.json").write_text(text)
        with pytest.raises(DataError, match="Move it away"):
            get("fan")


def test_a_place_that_cannot_be_written_is_reported(get, fan, root):
    root.write_text("a file")
    with pytest.raises(AsdbenchError, match="--data-root DIR") as caught:
        get("fan")
    assert str(root) in str(caught.value)


def test_two_at_once_take_turns(make_card, fan, root, server):
    outcomes, notes, card = [], [], make_card()

    def run():
        progress = Silent()
        outcomes.extend(download_challenge(NAME, card, "dev", root, progress, ["fan"]))
        notes.extend(progress.notes)

    (root / NAME).mkdir(parents=True)
    threads = [threading.Thread(target=run) for _ in range(2)]
    with FileLock(root / NAME / ".downloads.lock"):
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(0.2)
        assert server.log == []
    for thread in threads:
        thread.join(10)
    assert sorted(one.state for one in outcomes) == ["downloaded", "present"]
    assert len(server.gets()) == 1
    assert sum("waits for it" in note for note in notes) == 2
