"""``asdbench serve`` with real requests: many at once, bad ones among them, and the page in a browser."""

import json
import os
import re
import signal
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
import soundfile
from browser import until as true_in
from waiting import until

from asdbench import Detector
from asdbench.detector.serving import make_app, serve


@pytest.fixture(scope="module")
def server(zygote, session_cache, fan_detector, tmp_path_factory):
    """Address of a running command."""
    log = tmp_path_factory.mktemp("server") / "log"
    words = ("serve", fan_detector, "--port", "0", "--max-mb", "1")
    pid = zygote.start(*words, cache=session_cache, log=log)
    yield until(lambda: log.exists() and re.search(r"http://\S+", log.read_text()))[0]
    os.kill(pid, signal.SIGINT)
    assert zygote.wait(pid) == 0
    assert "Traceback" not in log.read_text()


@pytest.fixture(scope="module")
def clips(small_dataset):
    return sorted(small_dataset.glob("fan/test/*.wav"))


def test_eight_requests_at_a_time_get_the_scores_of_the_command(server, clips, fan_detector):
    expected = Detector.load(fan_detector).score(clips)

    def ask(place):
        with clips[place].open("rb") as file:
            if place % 3:
                return requests.post(f"{server}/score", files={"files": (clips[place].name, file)}, timeout=60)
            return requests.post(f"{server}/score?name={clips[place].name}", data=file.read(), timeout=60)

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(ask, range(len(clips))))
    assert [one.status_code for one in answers] == [200] * len(clips)
    found = [one.json()["clips"][0] for one in answers]
    assert [one["path"] for one in found] == [clip.name for clip in clips]
    assert [one["score"] for one in found] == pytest.approx(expected.scores.tolist(), rel=1e-9)
    assert [one["anomalous"] for one in found] == [bool(one) for one in expected.decisions]
    several = requests.post(
        f"{server}/score", files=[("files", (one.name, one.read_bytes())) for one in clips], timeout=60
    )
    assert [one["score"] for one in several.json()["clips"]] == pytest.approx(expected.scores.tolist(), rel=1e-9)


def test_bad_uploads_are_answered_and_the_server_goes_on(server, clips):
    good = ("good.wav", clips[0].read_bytes())
    mixed = requests.post(f"{server}/score", files=[("f", good), ("f", ("bad.wav", b"no sound"))], timeout=60)
    assert mixed.status_code == 200
    assert ["error" in one for one in mixed.json()["clips"]] == [False, True]
    assert requests.post(f"{server}/score", files={"f": ("bad.wav", b"no sound")}, timeout=60).status_code == 422
    assert requests.post(f"{server}/score", timeout=60).status_code == 400
    assert requests.post(f"{server}/score", data=b"x" * 1_100_000, timeout=60).status_code == 413
    endless = requests.post(f"{server}/score", data=(b"x" * 100_000 for _ in range(1000)), timeout=60)
    assert endless.status_code == 413
    assert "larger than 1 MB" in endless.json()["error"]
    assert requests.post(f"{server}/score?machine=pump", data=good[1], timeout=60).status_code == 400
    negative = requests.post(f"{server}/score?window_s=-1", data=good[1], timeout=60)
    assert negative.status_code == 422
    assert negative.json()["error"].startswith("window_s: ")
    assert requests.post(f"{server}/explain", data=b"no sound", timeout=60).status_code == 422
    assert requests.get(f"{server}/score", timeout=60).status_code == 405
    foreign = {"Origin": "http://elsewhere.example"}
    assert requests.post(f"{server}/score", data=good[1], headers=foreign, timeout=60).status_code == 403
    assert requests.get(f"{server}/health", headers={"Host": "rebound.example"}, timeout=60).status_code == 421
    for odd in ({"Host": "["}, {"Origin": "http://["}):
        assert requests.get(f"{server}/health", headers=odd, timeout=60).status_code in (421, 403)
    form = b'--x\r\nContent-Disposition: form-data; name="f"; filename="a.wav"\r\n\r\n' + good[1] + b"\r\n--x--\r\n"
    kind = {"Content-Type": "Multipart/Form-Data; boundary=x"}
    assert requests.post(f"{server}/score", data=form, headers=kind, timeout=60).json()["clips"][0]["path"] == "a.wav"
    host, port = server.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as line:  # a client that goes away; the fixture reads the log
        line.sendall(f"POST /score HTTP/1.1\r\nHost: {host}:{port}\r\nContent-Length: 9000\r\n\r\nRIFF".encode())
    assert requests.get(f"{server}/health", timeout=60).json()["machines"] == {"fan": ["00"]}


def test_a_token_is_asked_for_and_an_upload_that_does_not_end_is_ended(fan_detector, clips):
    app = make_app(Detector.load(fan_detector), token="secret", most_s=0.5)
    address = []
    threading.Thread(target=serve, args=(app, "127.0.0.1", 0, address.append), daemon=True).start()
    until(lambda: address)
    content = clips[0].read_bytes()
    for headers, status in (
        ({}, 401),
        ({"Authorization": "Bearer wrong"}, 401),
        ({"Authorization": "Bearer secret"}, 200),
    ):
        assert requests.post(f"{address[0]}/score", data=content, headers=headers, timeout=60).status_code == status
    assert requests.get(f"{address[0]}/health", timeout=60).status_code == 200
    host, port = address[0].removeprefix("http://").split(":")
    head = (
        f"POST /score HTTP/1.1\r\nHost: {host}:{port}\r\nAuthorization: Bearer secret\r\nContent-Length: 90000\r\n\r\n"
    )
    with socket.create_connection((host, int(port))) as line:
        line.sendall(head.encode() + content[:100])
        started = time.monotonic()
        assert b" 408 " in line.recv(1000)
        assert time.monotonic() - started < 30


def test_wrong_use_is_refused_before_the_detector_is_read(cli, tmp_path):
    for words, message in (
        (("--host", "0.0.0.0"), "requests need a token"),
        (("--max-mb", "0"), "--max-mb"),
    ):
        ran = cli("serve", tmp_path / "none.asd", *words)
        assert ran.code == 2
        assert message in ran.err
    assert cli("serve", tmp_path / "none.asd").code == 3


def test_a_port_in_use_is_named(cli, fan_detector):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        ran = cli("serve", fan_detector, "--port", other.getsockname()[1])
    assert ran.code == 2
    assert "Another port" in ran.err


@pytest.mark.parametrize("dark", [False, True])
def test_the_page_scores_and_explains_what_is_dropped_on_it(server, clips, browser, tmp_path, dark):
    samples, rate = soundfile.read(clips[0])
    soundfile.write(tmp_path / "<i>loud.wav", samples, rate)
    (tmp_path / "text.wav").write_text("no sound")
    context = browser.new_context(color_scheme="dark" if dark else "light", viewport={"width": 420, "height": 900})
    page, complaints = context.new_page(), []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(server)
    page.locator("#files").set_input_files([tmp_path / "<i>loud.wav", tmp_path / "text.wav"])
    true_in(page, "document.querySelectorAll('#results tbody tr').length === 2", 60)
    rows = page.locator("#results tbody tr")
    assert rows.nth(0).locator("td").first.inner_text() == "<i>loud.wav"
    assert rows.nth(0).locator("td").nth(1).inner_text() in ("anomalous", "normal")
    assert "cannot be decoded" in rows.nth(1).inner_text()
    page.locator("button", has_text="why?").click()
    true_in(page, "document.querySelectorAll('#explanations article svg').length === 3", 60)
    assert page.locator("#explanations h3").inner_text() == "<i>loud.wav"
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    assert complaints == []
    context.close()


def test_the_schema_is_told(server):
    assert {"/score", "/explain", "/health"} <= set(
        json.loads(requests.get(f"{server}/openapi.json", timeout=60).text)["paths"]
    )
