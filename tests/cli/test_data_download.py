"""``asdbench data download`` as a person and a script meet it."""

import os
import signal

import pytest
from waiting import until
from zip_server import Served, md5, recordings, serving, sha256, write_card, zip_of

from asdbench.datasets.download import transfer

NAME = "dcase2023-mini"


@pytest.fixture(autouse=True)
def _no_waits(monkeypatch):
    monkeypatch.setattr(transfer, "BACKOFF_S", 0.0)
    monkeypatch.setattr(transfer, "RETRIES", 2)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
def server(dcase2023_names):
    with serving() as running:
        for number, machine in enumerate(("fan", "valve")):
            content = zip_of(recordings(machine, dcase2023_names(), number))
            running.files[f"/files/dev_{machine}.zip"] = Served(content)
        yield running


@pytest.fixture
def download(cli, server, tmp_path):
    """Runs the command on the small challenge: ``download("--machine", "fan")``."""
    folder = write_card(tmp_path / "plugin", server.base)
    options = ("data", "download", NAME, "--plugin-path", folder, "--data-root", tmp_path / "data")
    return lambda *more: cli(*options, *more)


def test_a_summary_and_the_next_commands(download, tmp_path):
    outcome = download("--machine", "fan")
    assert outcome.code == 0
    place = tmp_path / "data" / NAME / "dev_data" / "raw" / "fan"
    assert outcome.out.startswith("fan: 22 files, ")
    assert f"in {place}; dev_fan.zip downloaded (" in outcome.out
    options = f"--split dev --machine fan --data-root {tmp_path / 'data'} --plugin-path {tmp_path / 'plugin'}"
    assert f"Check it: asdbench data verify {NAME} {options}" in outcome.err
    assert f"Run on it: asdbench run --dataset {NAME} {options} --extractor raw-mel" in outcome.err
    assert "Licence of the recordings: CC0" in outcome.err
    again = download("--machine", "fan")
    assert "dev_fan.zip present" in again.out
    assert "downloaded before" in again.err


def test_a_whole_split_says_first_how_much_is_to_come_and_can_be_run(download, cli, server, tmp_path):
    outcome = download("--json")
    assert "2 zips to transfer, " in outcome.err
    zips = outcome.json["zips"]
    assert [(one["machine"], one["state"], one["files"]) for one in zips] == [
        ("fan", "downloaded", 22),
        ("valve", "downloaded", 22),
    ]
    assert zips[0]["sha256"] == sha256(server.files["/files/dev_fan.zip"].content)
    plan = cli(
        "run", "--dataset", NAME, "--data-root", tmp_path / "data", "--plugin-path", tmp_path / "plugin",
        "--extractor", "raw-mel", "--scorer", "knn", "--out", tmp_path / "runs", "--dry-run", "--json",
    )  # fmt: skip
    assert plan.code == 0, plan.err
    assert len(plan.json["plan"]) == 1


def test_quiet_says_nothing_on_the_way(download):
    outcome = download("--quiet", "--machine", "fan", "--json")
    assert outcome.err == ""
    assert outcome.json["split"] == "dev"


def test_zips_stay_when_asked_for(download, tmp_path, server):
    download("--machine", "fan", "--keep-zips", "--quiet")
    path = tmp_path / "data" / NAME / "zips" / "dev" / "fan" / "dev_fan.zip"
    assert path.read_bytes() == server.files["/files/dev_fan.zip"].content


def test_the_data_root_of_the_environment(cli, server, tmp_path, monkeypatch):
    monkeypatch.setenv("ASDBENCH_DATA", str(tmp_path / "elsewhere"))
    folder = write_card(tmp_path / "plugin", server.base)
    outcome = cli("data", "download", NAME, "--plugin-path", folder, "--machine", "valve")
    assert str(tmp_path / "elsewhere" / NAME) in outcome.out
    assert "--data-root" not in outcome.err


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (["dcase-2023"], 2, "Did you mean 'dcase2023'"),
        (["synthetic"], 2, "Make it: asdbench data make synthetic"),
        (["dcase2023", "--split", "all"], 2, "has no split 'all'. Accepted: dev, eval."),
        (["dcase2023", "--machine", "fann"], 2, "Did you mean 'fan'"),
        (["dcase2023", "--machine", "fan", "--data-root", "/dev/null/x"], 2, "--data-root DIR"),
        ([], 2, "Missing argument 'NAME'"),
    ],
)
def test_mistakes_end_in_a_message_before_anything_is_asked_for(cli, options, code, message):
    outcome = cli("data", "download", *options)
    assert outcome.code == code
    assert message in outcome.err
    assert "Traceback" not in outcome.err
    assert outcome.out == ""


def test_failures_end_in_a_message_and_a_code(download, cli, server, tmp_path):
    del server.files["/files/dev_valve.zip"]
    outcome = download()
    assert (outcome.code, outcome.out) == (3, "")
    assert "404 Not Found" in outcome.err
    server.files["/files/dev_fan.zip"].statuses = [503] * 9
    outcome = download("--machine", "fan")
    assert outcome.code == 3
    assert "cannot be had: the server answers 503" in outcome.err
    folder = write_card(tmp_path / "other", server.base, {"dev_fan.zip": md5(b"")})
    server.files["/files/dev_fan.zip"].statuses = []
    options = ("data", "download", NAME, "--plugin-path", folder, "--data-root", tmp_path / "data", "--machine", "fan")
    outcome = cli(*options)
    assert outcome.code == 3
    assert "--accept-new" in outcome.err
    assert "Traceback" not in outcome.err
    assert cli(*options, "--accept-new").code == 0


def test_interrupted_and_killed(server, zygote, cli, tmp_path):
    """While the server makes the command wait; the next one goes on from there."""
    served = server.files["/files/dev_fan.zip"]
    folder = write_card(tmp_path / "plugin", server.base)
    options = ["data", "download", NAME, "--machine", "fan", "--plugin-path", folder, "--data-root", tmp_path / "data"]
    part = tmp_path / "data" / NAME / "zips" / "dev" / "fan" / "dev_fan.zip.part"
    transferred = 0
    for ending in (signal.SIGINT, signal.SIGKILL):
        served.cuts, served.stall_s = [1 << 16], 30.0
        process = zygote.start(*options, cache=tmp_path, log=tmp_path / "err", out=tmp_path / "out")
        until(lambda: part.exists() and part.stat().st_size > transferred)  # noqa: B023
        os.kill(process, ending)
        code, err = zygote.wait(process), (tmp_path / "err").read_text()
        if ending == signal.SIGINT:
            assert (code, (tmp_path / "out").read_text()) == (130, ""), err
            assert "are here: the same command goes on" in err
            assert "Traceback" not in err
        transferred = part.stat().st_size
    served.cuts, served.stall_s = [], 0.0
    done = cli(*options)
    assert done.code == 0, done.err
    assert server.gets()[-1].range == f"bytes={transferred}-"
    assert "fan: 22 files" in done.out
