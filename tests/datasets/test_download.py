"""Transfers from a server that misbehaves; checksums, the ledger, room on the disk and commands at the same time."""

import errno
import json
import threading
import zipfile
from collections import namedtuple

import pytest
import requests
from filelock import FileLock
from zip_server import Served, md5, recordings, serving, sha256, write_card, zip_of

from asdbench.core.errors import AsdbenchError, DataError, DiskFullError, RequirementError, UsageError
from asdbench.core.progress import Silent, SilentStage
from asdbench.datasets.challenge import read_challenge
from asdbench.datasets.download import download_challenge, transfer
from asdbench.datasets.download.transfer import CHUNK
from asdbench.registry.reader import read_card

FAN = "/files/dev_fan.zip"
NAME = "dcase2023-mini"
Usage = namedtuple("Usage", "total used free")


@pytest.fixture(autouse=True)
def _no_waits(monkeypatch):
    monkeypatch.setattr(transfer, "BACKOFF_S", 0.0)
    monkeypatch.setattr(transfer, "RETRIES", 3)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
def server():
    with serving() as running:
        yield running


@pytest.fixture
def fan(server, dcase2023_names):
    """The zip of fan as it is served; attributes set here say how the server misbehaves."""
    served = Served(zip_of(recordings("fan", dcase2023_names())))
    server.files[FAN] = served
    return served


@pytest.fixture
def card(server, tmp_path):
    return card_of(write_card(tmp_path / "plugin", server.base))


@pytest.fixture
def root(tmp_path):
    return tmp_path / "data"


@pytest.fixture
def get(card, root):
    """Downloads: ``get("fan")``; gives the zips, and leaves the notes in ``get.notes``."""

    def call(*machines, split="dev", card=card, **options):
        progress = Silent()
        call.notes = progress.notes
        return download_challenge(NAME, card, split, root, progress, machines, **options)

    return call


def card_of(folder):
    return read_card(folder / "registry" / "datasets" / f"{NAME}.toml", "datasets")


def ledger(root):
    return json.loads((root / NAME / "downloads.json").read_text())["downloads"]


def left_over(root):
    """Everything below the root but the recordings and the ledger."""
    files = (path for path in root.rglob("*") if path.is_file() and "raw" not in path.parts)
    return sorted(path.name for path in files if path.name not in ("downloads.json", ".downloads.lock"))


def test_reading_finds_what_was_downloaded(get, fan, card, root, server):
    (downloaded,) = get("fan")
    assert (downloaded.state, downloaded.entry.files) == ("downloaded", 22)
    assert downloaded.source.folder == root / NAME / "dev_data" / "raw" / "fan"
    assert len(read_challenge(NAME, card, "dev", root, machines=["fan"])) == 22
    entry = ledger(root)[server.base + FAN]
    assert (entry["sha256"], entry["size"]) == (sha256(fan.content), len(fan.content))
    assert entry["unpacked"]["files"] == {"test": 12, "train": 10}
    assert left_over(root) == []
    assert not (root / NAME / "zips").exists()


def test_train_and_test_zips_of_one_name_go_into_one_folder(get, card, root, server, dcase2023_names):
    names = dcase2023_names()
    for split in ("train", "test"):
        server.files[f"/{split}/pump.zip"] = Served(zip_of(recordings("pump", {split: names[split]})))
    downloaded = get(split="eval", keep_zips=True)
    assert [one.entry.files for one in downloaded] == [10, 12]
    assert len(read_challenge(NAME, card, "eval", root)) == 22
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


def test_a_cut_transfer_goes_on_where_it_ended(get, fan, server):
    fan.cuts = [3 * CHUNK, 2 * CHUNK]
    (downloaded,) = get("fan")
    assert downloaded.entry.sha256 == sha256(fan.content)
    assert [(one.range, one.status, one.sent) for one in server.gets()] == [
        (None, 200, 3 * CHUNK),
        (f"bytes={3 * CHUNK}-", 206, 2 * CHUNK),
        (f"bytes={5 * CHUNK}-", 206, len(fan.content) - 5 * CHUNK),
    ]
    assert any("the connection ended early; attempt 2" in note for note in get.notes)


def test_a_later_command_goes_on_with_what_an_earlier_one_left(get, fan, root, server):
    fan.cuts = [4 * CHUNK, 0, 0, 0, 0]
    with pytest.raises(RequirementError, match="cannot be had") as caught:
        get("fan")
    assert "the same command goes on" in str(caught.value)
    assert left_over(root) == ["dev_fan.zip.part", "dev_fan.zip.part.json"]
    assert (root / NAME / "zips/dev/fan/dev_fan.zip.part").stat().st_size == 4 * CHUNK
    fan.cuts.clear()
    server.log.clear()
    get("fan")
    assert [(one.range, one.sent) for one in server.gets()] == [(f"bytes={4 * CHUNK}-", len(fan.content) - 4 * CHUNK)]
    assert left_over(root) == []


def test_attempts_that_bring_bytes_do_not_run_out(get, fan, server):
    fan.cuts = [CHUNK] * 9
    get("fan")
    assert len(server.gets()) == 10


@pytest.mark.parametrize("if_range", [True, False])
def test_another_etag_starts_over(get, fan, server, dcase2023_names, if_range):
    new = zip_of(recordings("fan", dcase2023_names(), seed=1))
    fan.cuts, fan.if_range = [3 * CHUNK, 0, 0, 0, 0], if_range
    with pytest.raises(RequirementError):
        get("fan")
    server.files[FAN] = Served(new, etag='"2"', if_range=if_range)
    server.log.clear()
    (downloaded,) = get("fan")
    assert downloaded.entry.sha256 == sha256(new)
    assert server.gets()[-1].sent == len(new)


def test_another_date_starts_over(get, fan, server, dcase2023_names):
    """No entity tag, the same length, and a server that knows no If-Range: the date alone tells."""
    new = zip_of(recordings("fan", dcase2023_names(), seed=1))
    length = max(len(new), len(fan.content))
    fan.content, new = fan.content.ljust(length, b"\0"), new.ljust(length, b"\0")
    fan.etag, fan.modified, fan.cuts = None, "Mon, 01 May 2023 00:00:00 GMT", [3 * CHUNK, 0, 0, 0, 0]
    with pytest.raises(RequirementError):
        get("fan")
    server.files[FAN] = Served(new, etag=None, modified="Tue, 02 May 2023 00:00:00 GMT", if_range=False)
    server.log.clear()
    assert get("fan")[0].entry.sha256 == sha256(new)
    assert [one.status for one in server.gets()] == [206, 200]


def test_a_range_that_was_not_asked_for_is_refused(get, fan, server):
    fan.statuses = [206]
    with pytest.raises(RequirementError, match="the server answers 206"):
        get("fan")
    assert len(server.gets()) == 1


@pytest.mark.parametrize(("asked", "waited"), [("7", [7]), ("86400", [transfer.LONGEST_WAIT_S]), ("soon", [])])
def test_a_server_that_asks_for_patience_gets_it(get, fan, monkeypatch, asked, waited):
    waits = []
    monkeypatch.setattr("urllib3.util.retry.time.sleep", waits.append)
    fan.statuses, fan.retry_after = [503], asked
    assert get("fan")[0].state == "downloaded"
    assert waits == waited


def test_a_server_without_ranges_starts_over(get, fan, server):
    fan.ranges, fan.cuts = False, [3 * CHUNK]
    assert get("fan")[0].entry.sha256 == sha256(fan.content)
    assert [(one.status, one.sent) for one in server.gets()] == [(200, 3 * CHUNK), (200, len(fan.content))]


def test_a_server_without_ranges_that_always_cuts_is_given_up(get, fan, server):
    fan.ranges, fan.cuts = False, [3 * CHUNK] * 20
    with pytest.raises(RequirementError, match="cannot be had"):
        get("fan")
    assert len(server.gets()) == 4


@pytest.mark.parametrize(("etag", "modified"), [(None, None), ('W/"1"', None), (None, "Mon, 01 May 2023 00:00:00 GMT")])
def test_going_on_without_a_strong_etag(get, fan, server, etag, modified):
    fan.etag, fan.modified, fan.cuts = etag, modified, [3 * CHUNK]
    assert get("fan")[0].entry.sha256 == sha256(fan.content)
    assert server.gets()[-1].sent == len(fan.content) - 3 * CHUNK


def test_an_unknown_length_does_not_matter(get, fan, server):
    fan.length = False
    assert get("fan")[0].entry.size == len(fan.content)
    assert "1 of unknown size" in get.notes[0]


def test_a_part_that_is_all_there_is_accepted(get, fan, root, server):
    """Interrupted after the last byte of unknown length: the server has no range left to send (416)."""
    place = root / NAME / "zips/dev/fan"
    place.mkdir(parents=True)
    (place / "dev_fan.zip.part").write_bytes(fan.content)
    note = {"url": server.base + FAN, "etag": '"1"', "modified": None, "length": None}
    (place / "dev_fan.zip.part.json").write_text(json.dumps(note))
    assert get("fan")[0].entry.sha256 == sha256(fan.content)
    assert [(one.status, one.sent) for one in server.gets()] == [(416, 0)]


@pytest.mark.parametrize("note", ["", "{}", "[]", '{"url": "http://elsewhere/x.zip"}', '{"url": 1, "colour": 2}'])
def test_a_part_that_says_not_what_it_is_of_is_no_good(get, fan, root, server, note):
    place = root / NAME / "zips/dev/fan"
    place.mkdir(parents=True)
    (place / "dev_fan.zip.part").write_bytes(b"other bytes")
    (place / "dev_fan.zip.part.json").write_text(note)
    assert get("fan")[0].entry.sha256 == sha256(fan.content)
    assert server.gets()[0].range is None


def test_a_part_that_is_too_long_starts_over(get, fan, root, server):
    fan.cuts = [3 * CHUNK, 0, 0, 0, 0]
    with pytest.raises(RequirementError):
        get("fan")
    with (root / NAME / "zips/dev/fan/dev_fan.zip.part").open("ab") as file:
        file.write(bytes(len(fan.content)))
    assert get("fan")[0].entry.sha256 == sha256(fan.content)


@pytest.mark.parametrize("status", [500, 503, 429])
def test_a_server_that_stumbles_once_is_asked_again(get, fan, server, status):
    fan.statuses = [status]
    get("fan")
    assert [one.status for one in server.gets()] == [status, 200]
    assert any(f"the server answers {status}" in note for note in get.notes)


def test_a_server_that_always_fails_is_given_up(get, fan, server):
    fan.statuses = [500] * 20
    with pytest.raises(RequirementError, match="the server answers 500"):
        get("fan")
    assert len(server.gets()) == 4


def test_a_server_that_is_not_there_is_given_up(get, fan, server):
    server.shutdown()
    server.server_close()
    with pytest.raises(RequirementError, match="cannot be had") as caught:
        get("fan")
    assert "refused" in str(caught.value)
    assert "HTTPConnection" not in str(caught.value)


@pytest.mark.parametrize("head", [True, False])
def test_what_is_not_there_is_not_asked_for_again(get, fan, server, head):
    fan.head, fan.statuses = head, [404] * 3
    if head:
        del server.files[FAN]
    with pytest.raises(RequirementError, match="404 Not Found"):
        get("fan")
    assert len(server.log) == (1 if head else 2)


def test_all_of_a_split_with_one_missing_says_so_before_anything_is_transferred(get, fan, server):
    with pytest.raises(RequirementError, match=r"dev_valve.zip cannot be had: the server answers 404"):
        get()
    assert server.gets() == []


def test_another_zip_than_before_is_set_aside(get, fan, root, server, dcase2023_names):
    (downloaded,) = get("fan")
    aside_from = downloaded.source.folder.rename(downloaded.source.folder.with_name("elsewhere"))
    before = ledger(root)
    old, fan.content = fan.content, zip_of(recordings("fan", dcase2023_names(), seed=1))
    with pytest.raises(DataError) as caught:
        get("fan")
    for words in (sha256(old), sha256(fan.content), "--accept-new", ".rejected"):
        assert words in str(caught.value)
    assert ledger(root) == before
    assert not downloaded.source.folder.exists()
    assert aside_from.exists()
    (rejected,) = left_over(root)
    assert rejected == f"dev_fan.zip.{sha256(fan.content)[:8]}.rejected"
    assert get("fan", accept_new=True)[0].entry.sha256 == sha256(fan.content)
    assert ledger(root)[server.base + FAN]["accepted"] is True
    assert get("fan")[0].state == "present"


def test_a_published_checksum_is_compared_at_the_first_download(get, fan, root, server, tmp_path):
    def published(sum_):
        folder = write_card(tmp_path / "other", server.base, {"dev_fan.zip": sum_})
        return card_of(folder)

    wrong = published(md5(b"other"))
    with pytest.raises(DataError, match="published") as caught:
        get("fan", card=wrong)
    assert md5(fan.content).removeprefix("md5:") in str(caught.value)
    assert not (root / NAME / "downloads.json").exists()
    assert get("fan", card=published(md5(fan.content)))[0].entry.published == md5(fan.content)
    get("fan", card=published("sha256:" + sha256(fan.content)))


def test_an_accepted_zip_stays_accepted(get, fan, server, tmp_path):
    folder = write_card(tmp_path / "other", server.base, {"dev_fan.zip": md5(b"other")})
    card = card_of(folder)
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


def test_interrupted_while_unpacking_the_same_call_goes_on(get, fan, root, server, monkeypatch):
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
    assert left_over(root) == ["dev_fan.zip"]
    assert list((root / NAME / "dev_data/raw").iterdir()) == []
    assert get("fan")[0].state == "unpacked"
    assert len(server.gets()) == 1


def test_interrupted_while_transferring_the_same_call_goes_on(get, fan, root, server, monkeypatch):
    def interrupt(*_arguments):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(SilentStage, "advance", interrupt)
        with pytest.raises(KeyboardInterrupt):
            get("fan")
    assert any("are here: the same command goes on" in note for note in get.notes)
    assert left_over(root) == ["dev_fan.zip.part", "dev_fan.zip.part.json"]
    assert get("fan")[0].entry.sha256 == sha256(fan.content)
    assert server.gets()[-1].status == 206


def test_room_is_asked_for_before_the_transfer(get, fan, root, server, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda _path: Usage(10**9, 10**9, 100_000))
    with pytest.raises(DiskFullError) as caught:
        get("fan")
    assert f"needs about {3 * len(fan.content) / 1000:.0f} kB" in str(caught.value)
    for words in ("has 100 kB left", str(root), "--data-root"):
        assert words in str(caught.value)
    assert server.gets() == []


def test_a_disk_that_is_full_on_the_way_is_said_and_the_same_call_goes_on(get, fan, server, monkeypatch):
    original = requests.Response.iter_content

    def full(self, size):
        for number, block in enumerate(original(self, size)):
            if number == 2:
                raise OSError(errno.ENOSPC, "No space left on device")
            yield block

    with monkeypatch.context() as patch:
        patch.setattr(requests.Response, "iter_content", full)
        with pytest.raises(DiskFullError, match=r"No room left.*\n.*the same command goes on"):
            get("fan")
    assert get("fan")[0].entry.sha256 == sha256(fan.content)
    assert server.gets()[-1].range == f"bytes={2 * CHUNK}-"


def test_a_second_copy_is_refused_before_the_transfer(get, fan, root, server):
    (root / NAME / "fan" / "train").mkdir(parents=True)
    with pytest.raises(UsageError, match=r"lies in .* already"):
        get("fan")
    assert server.log == []


def test_a_ledger_that_is_none_is_said(get, fan, root):
    (root / NAME).mkdir(parents=True)
    for text in ("{", "[]", '{"version": 1, "downloads": {"u": {"zip": 3}}}'):
        (root / NAME / "downloads.json").write_text(text)
        with pytest.raises(DataError, match="Move it away"):
            get("fan")


def test_a_place_that_cannot_be_written_is_said(get, fan, root):
    root.write_text("a file")
    with pytest.raises(AsdbenchError, match="--data-root DIR") as caught:
        get("fan")
    assert str(root) in str(caught.value)


def test_two_at_once_take_turns(card, fan, root, server):
    outcomes, notes = [], []

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
