"""Transfers from a server that misbehaves, broken off and taken up again."""

import errno
import json

import pytest
import requests
from zip_server import Served, sha256

from asdbench.core.errors import DiskFullError, RequirementError
from asdbench.core.progress import SilentStage
from asdbench.datasets.download import transfer
from asdbench.datasets.download.transfer import CHUNK

FAN, NAME = "/files/dev_fan.zip", "dcase2023-mini"
PART = ["dev_fan.zip.part", "dev_fan.zip.part.json"]


@pytest.fixture
def place(root):
    """Where the zip lies until it is unpacked."""
    folder = root / NAME / "zips/dev/fan"
    folder.mkdir(parents=True)
    return folder


def test_a_cut_transfer_goes_on_where_it_ended(get, fan, server):
    fan.cuts = [3 * CHUNK, 2 * CHUNK]
    assert get("fan")[0].entry.sha256 == sha256(fan.content)
    assert [(one.range, one.status, one.sent) for one in server.gets()] == [
        (None, 200, 3 * CHUNK),
        (f"bytes={3 * CHUNK}-", 206, 2 * CHUNK),
        (f"bytes={5 * CHUNK}-", 206, len(fan.content) - 5 * CHUNK),
    ]
    assert any("the connection ended early; attempt 2" in note for note in get.notes)


def test_a_later_command_goes_on_with_what_an_earlier_one_left(get, fan, place, server, left_over):
    fan.cuts = [4 * CHUNK, 0, 0, 0, 0]
    with pytest.raises(RequirementError, match="cannot be had") as caught:
        get("fan")
    assert "the same command goes on" in str(caught.value)
    assert left_over() == PART
    assert (place / "dev_fan.zip.part").stat().st_size == 4 * CHUNK
    fan.cuts.clear()
    server.log.clear()
    get("fan")
    assert [(one.range, one.sent) for one in server.gets()] == [(f"bytes={4 * CHUNK}-", len(fan.content) - 4 * CHUNK)]
    assert left_over() == []


def test_attempts_that_bring_bytes_do_not_run_out(get, fan, server):
    fan.cuts = [CHUNK] * 9
    get("fan")
    assert len(server.gets()) == 10


@pytest.mark.parametrize("if_range", [True, False])
def test_another_etag_starts_over(get, fan, server, other_fan, if_range):
    fan.cuts, fan.if_range = [3 * CHUNK, 0, 0, 0, 0], if_range
    with pytest.raises(RequirementError):
        get("fan")
    server.files[FAN] = Served(other_fan, etag='"2"', if_range=if_range)
    server.log.clear()
    assert get("fan")[0].entry.sha256 == sha256(other_fan)
    assert server.gets()[-1].sent == len(other_fan)


def test_another_date_starts_over(get, fan, server, other_fan):
    """No entity tag, the same length, and a server that knows no If-Range: the date alone tells."""
    length = max(len(other_fan), len(fan.content))
    fan.content, new = fan.content.ljust(length, b"\0"), other_fan.ljust(length, b"\0")
    fan.etag, fan.modified, fan.cuts = None, "Mon, 01 May 2023 00:00:00 GMT", [3 * CHUNK, 0, 0, 0, 0]
    with pytest.raises(RequirementError):
        get("fan")
    server.files[FAN] = Served(new, etag=None, modified="Tue, 02 May 2023 00:00:00 GMT", if_range=False)
    server.log.clear()
    assert get("fan")[0].entry.sha256 == sha256(new)
    assert [one.status for one in server.gets()] == [206, 200]


@pytest.mark.parametrize(("etag", "modified"), [(None, None), ('W/"1"', None), (None, "Mon, 01 May 2023 00:00:00 GMT")])
def test_going_on_without_a_strong_etag(get, fan, server, etag, modified):
    fan.etag, fan.modified, fan.cuts = etag, modified, [3 * CHUNK]
    assert get("fan")[0].entry.sha256 == sha256(fan.content)
    assert server.gets()[-1].sent == len(fan.content) - 3 * CHUNK


def test_a_server_without_ranges_starts_over_and_is_given_up_when_it_always_cuts(get, fan, server):
    fan.ranges, fan.cuts = False, [3 * CHUNK] * 20
    with pytest.raises(RequirementError, match="cannot be had"):
        get("fan")
    assert len(server.gets()) == 4
    fan.cuts = [3 * CHUNK]
    server.log.clear()
    assert get("fan")[0].entry.sha256 == sha256(fan.content)
    assert [(one.status, one.sent) for one in server.gets()] == [(200, 3 * CHUNK), (200, len(fan.content))]


def test_an_unknown_length_does_not_matter(get, fan):
    fan.length = False
    assert get("fan")[0].entry.size == len(fan.content)
    assert "1 of unknown size" in get.notes[0]


def test_a_part_that_is_all_there_is_accepted(get, fan, place, server):
    """Interrupted after the last byte of unknown length: the server has no range left to send (416)."""
    (place / "dev_fan.zip.part").write_bytes(fan.content)
    note = {"url": server.base + FAN, "etag": '"1"', "modified": None, "length": None}
    (place / "dev_fan.zip.part.json").write_text(json.dumps(note))
    assert get("fan")[0].entry.sha256 == sha256(fan.content)
    assert [(one.status, one.sent) for one in server.gets()] == [(416, 0)]


@pytest.mark.parametrize("note", ["", "[]", '{"url": "http://elsewhere/x.zip"}', '{"url": 1, "colour": 2}', "too long"])
def test_a_part_that_does_not_fit_its_note_starts_over(get, fan, place, server, note):
    if note == "too long":
        note = json.dumps({"url": server.base + FAN, "etag": '"1"', "length": 3})
    (place / "dev_fan.zip.part").write_bytes(b"other bytes")
    (place / "dev_fan.zip.part.json").write_text(note)
    assert get("fan")[0].entry.sha256 == sha256(fan.content)
    assert server.gets()[0].range is None


@pytest.mark.parametrize(
    ("status", "asked", "waited"),
    [(500, None, []), (429, None, []), (503, "7", [7]), (503, "86400", [transfer.LONGEST_WAIT_S]), (503, "soon", [])],
)
def test_a_server_that_stumbles_once_is_asked_again_when_it_wants(get, fan, server, monkeypatch, status, asked, waited):
    waits = []
    monkeypatch.setattr("urllib3.util.retry.time.sleep", waits.append)
    fan.statuses, fan.retry_after = [status], asked
    get("fan")
    assert waits == waited
    assert [one.status for one in server.gets()] == [status, 200]
    assert any(f"the server answers {status}" in note for note in get.notes)


@pytest.mark.parametrize(
    ("statuses", "requests_", "message"),
    [
        ([500] * 20, 4, "the server answers 500"),
        ([206], 1, "the server answers 206"),  # a range that was not asked for
    ],
)
def test_a_server_that_always_fails_or_answers_another_question_is_given_up(
    get, fan, server, statuses, requests_, message
):
    fan.statuses = statuses
    with pytest.raises(RequirementError, match=message):
        get("fan")
    assert len(server.gets()) == requests_


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


def test_interrupted_while_transferring_the_same_call_goes_on(get, fan, server, monkeypatch, left_over):
    def interrupt(*_arguments):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(SilentStage, "advance", interrupt)
        with pytest.raises(KeyboardInterrupt):
            get("fan")
    assert any("are here: the same command goes on" in note for note in get.notes)
    assert left_over() == PART
    assert get("fan")[0].entry.sha256 == sha256(fan.content)
    assert server.gets()[-1].status == 206


def test_a_disk_that_is_full_on_the_way_is_reported_and_the_same_call_goes_on(get, fan, server, monkeypatch):
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
