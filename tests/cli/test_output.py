"""What reaches the terminal, whatever stands in names, whatever the output can show and whoever else prints."""

import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest
import typer

import asdbench.cli
from asdbench.cli.app import PathOption, app
from asdbench.cli.output import print_json, print_reserved, shown
from asdbench.cli.progress import ConsoleProgress
from asdbench.cli.tables import print_table, styled, table

COMMAND = [sys.executable, "-m", "asdbench"]
OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
EVIL = "fan\x1b[31mred\x1b]0;owned\x07\x7f\x9b\u202edesrever\udcff"

LOUD = """
import atexit, ctypes, os
import numpy as np
from asdbench.scorers import Scorer

print("loud is imported")
atexit.register(print, "loud leaves")


class Loud(Scorer):
    def fit(self, embeddings, clips):
        self.mean = embeddings.mean(axis=0)
        print("loud is fitted")
        os.write(1, b"loud below Python\\n")
        ctypes.CDLL(None).puts(b"loud in the buffer of C")

    def score(self, embeddings):
        return np.linalg.norm(embeddings - self.mean, axis=1).astype(np.float64)
"""


@pytest.fixture
def loud(tmp_path):
    cards = tmp_path / "plugin" / "registry" / "scorers"
    cards.mkdir(parents=True)
    (tmp_path / "plugin" / "loud.py").write_text(LOUD)
    (cards / "loud.toml").write_text('summary = "x"\ntarget = "loud:Loud"\nversion = 1\n')
    return tmp_path / "plugin"


def run(*words, **variables):
    return subprocess.run(
        [*COMMAND, *map(str, words)], env={**os.environ, **variables}, capture_output=True, timeout=300, check=False
    )


def test_standard_output_is_one_json_object_whoever_else_prints(loud, small_dataset, zygote, own_cache, tmp_path):
    words = (
        "run", "--plugin-path", loud, "--dataset", small_dataset, "--extractor", "raw-mel", "--scorer", "loud",
        "--machine", "fan", "--json", "--out",
    )  # fmt: skip
    done = run(*words, tmp_path / "one")
    assert done.returncode == 0, done.stderr
    out, log = tmp_path / "out", tmp_path / "log"
    processes = zygote.start(*words, tmp_path / "two", "--jobs", 2, cache=own_cache, log=log, out=out)
    assert zygote.wait(processes) == 0, log.read_text()
    for output, messages in ((done.stdout, done.stderr), (out.read_bytes(), log.read_bytes())):
        assert [one["scorer"] for one in json.loads(output)["runs"]] == ["loud"]
        for line in (b"loud is imported", b"loud is fitted", b"loud below Python", b"loud in the buffer of C"):
            assert line in messages


@pytest.mark.parametrize(("encoding", "words"), [("ascii", ["show", "shin2023-simclr-ml"]), ("iso-8859-1", ["list"])])
def test_every_output_shows_what_it_can(encoding, words):
    done = run(*words, PYTHONIOENCODING=encoding)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.decode(encoding)


def test_what_an_output_cannot_show_is_replaced():
    code = "from asdbench.cli.output import *; replace_unknown_characters(); echo('1 ± 2 │ 装'); echo('├━┤', err=True)"
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "PYTHONIOENCODING": "ascii"}, capture_output=True, check=True
    )
    assert (done.stdout, done.stderr) == (b"1 +- 2 | ?\n", b"|-|\n")


def test_control_characters_are_shown_as_escapes(cli, tmp_path):
    assert shown(EVIL) == r"fan\x1b[31mred\x1b]0;owned\x07\x7f\x9b\u202edesrever\xff"
    assert shown("a\tb\r\nc ±\n") == "a\tb\nc ±\n"
    outcome = cli("show", EVIL.replace("\udcff", ""))
    assert r"\x1b[31mred" in outcome.err
    assert not OBEYED.search(outcome.err)
    outcome = cli(EVIL.replace("\udcff", ""))  # click's own message
    assert (outcome.code, r"\x1b[31mred" in outcome.err) == (2, True)
    assert not OBEYED.search(outcome.err)


@pytest.mark.parametrize("terminal", [True, False])
def test_no_table_or_bar_holds_a_control_character(capsys, monkeypatch, terminal):
    monkeypatch.setenv("COLUMNS", "200")
    print_table(table([EVIL], [[EVIL], styled([EVIL], "red")]))
    assert capsys.readouterr().out.count(r"\x1b]0;owned") == 3
    monkeypatch.setenv("FORCE_COLOR" if terminal else "NO_COLOR", "1")
    progress = ConsoleProgress(quiet=False)
    progress.note(EVIL)
    with progress.stage(EVIL, 2) as stage:
        stage.advance(1, EVIL)
    shown = capsys.readouterr().err
    assert shown.count(r"\x1b]0;owned") >= 3
    assert "\x1b]0;owned" not in shown
    assert terminal or not OBEYED.search(shown)


def test_json_is_ascii_and_says_the_same(capsys):
    content = {"name": EVIL, "other": "ü装\U0001f600"}
    print_json(content)
    text = capsys.readouterr().out
    assert text.isascii()
    assert not OBEYED.search(text)
    assert json.loads(text) == content


def test_every_verb_prints_at_the_one_place():
    for path in Path(asdbench.cli.__file__).parent.glob("*.py"):
        if path.name not in ("output.py", "tables.py", "progress.py"):
            assert not re.search(r"typer\.s?echo|click\.s?echo|rich\.console import .*\bConsole\b", path.read_text())


def options(command):
    yield from command.params
    for inner in getattr(command, "commands", {}).values():
        yield from options(inner)


def test_every_path_of_the_command_line_knows_the_home_folder(cli, tmp_path, monkeypatch):
    kinds = [option.type for option in options(typer.main.get_command(app))]
    assert not any(isinstance(kind, click.Path) for kind in kinds)
    assert sum(isinstance(kind, PathOption) for kind in kinds) > 20
    monkeypatch.setenv("HOME", str(tmp_path))
    assert f"no folder {tmp_path}/runs" in cli("runs", "list", "--out=~/runs").err
    outcome = cli("runs", "list", "--out=~nobody9/runs")
    assert (outcome.code, "a home folder that is not known, ~nobody9" in outcome.err) == (2, True)


@pytest.mark.parametrize(
    "words", [["report"], ["runs", "show"], ["compare"], ["data", "info"], ["submit", "--label", "x"]]
)
def test_a_name_that_might_be_a_path_of_a_user_who_is_not_there_is_refused_in_words(cli, words):
    outcome = cli(*words, "~nobody9/x", *(["~nobody9/y"] if words == ["compare"] else []))
    assert outcome.code in (1, 2, 3)
    assert "~nobody9" in outcome.err


def test_the_remaining_time_is_told_before_the_first_of_a_stage_is_done(capsys, monkeypatch):
    """A line when one is due and something is known; by the mean pace where the caller knows nothing better."""
    monkeypatch.setattr("asdbench.cli.progress.LINE_EVERY_S", 0.0)
    with ConsoleProgress(quiet=False).overall("runs", 3) as runs:
        runs.advance(0)
        assert capsys.readouterr().err == ""
        runs.advance(0, left_s=90.0)
        assert capsys.readouterr().err == "runs: 0/3, about 90 s left\n"
        runs.advance(3, left_s=0.0)
        assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("http://ann:s3cret@host/x and more", "http://***@host/x and more"),
        ("s3:/ann:s3cret@host", "s3:/***@host"),
        ("postgresql://ann:p@ss@host/db", "postgresql://***@host/db"),
        ("https://host/x?mail=a@b.c", "https://host/x?mail=a@b.c"),
        ("https://host?mail=a@b.c", "https://host?mail=a@b.c"),
        ("ray://t0ken@127.0.0.1:1", "ray://***@127.0.0.1:1"),
        ("runs/a@b: done, 3:4 @ 5", "runs/a@b: done, 3:4 @ 5"),
    ],
)
def test_who_logs_in_at_an_address_is_not_shown(text, hidden):
    assert shown(text) == hidden


def test_a_terminal_gets_nothing_that_it_would_obey_and_a_file_all(monkeypatch):
    for is_terminal in (True, False):
        stream = io.StringIO()
        monkeypatch.setattr(stream, "isatty", lambda is_terminal=is_terminal: is_terminal)
        monkeypatch.setattr(sys, "stdout", stream)
        print_reserved(f"{EVIL},1.0\n")
        assert bool(OBEYED.search(stream.getvalue())) != is_terminal


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_an_output_without_room_is_told_in_words():
    with Path("/dev/full").open("w") as full:
        done = subprocess.run([*COMMAND, "list"], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == "asdbench: standard output: no room left. What is finished is stored.\n"
