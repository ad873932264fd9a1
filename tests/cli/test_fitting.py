"""Nothing is said many times, and nothing is wider than the terminal."""

import io
import shlex
import sys

import pytest

from asdbench.cli.output import echo, fitted
from asdbench.cli.progress import ConsoleProgress

SINGULAR = "the covariance of {} training clips in {} dimensions is singular; its pseudo-inverse is used (fan, valve)"


@pytest.fixture
def said(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "300")

    def call(*messages):
        progress = ConsoleProgress(quiet=False)
        for message in messages:
            progress.note(message)
        progress.say_repeated()
        return capsys.readouterr().err.splitlines()

    return call


def test_notes_that_differ_by_run_machine_type_or_number_are_said_once_and_counted(said):
    names = [f"{extractor} + {scorer}" for extractor in ("raw-mel", "psd", "twfr") for scorer in ("ml", "lw", "shared")]
    first, repeated = said(*(f"{name}: {SINGULAR.format(10 + place, 256)}" for place, name in enumerate(names)))
    assert first == f"note: raw-mel + ml: {SINGULAR.format(10, 256)}"
    assert repeated.startswith(
        "note: the like of raw-mel + lw, raw-mel + shared, psd + ml, 5 more: the covariance of 10"
    )


def test_of_one_run_the_others_are_counted(said):
    assert said("knn: 3 clips (fan)", "knn: 4 clips (valve)", "knn: 3 clips (fan)")[1:] == [
        "note: the like 1 times more: 3 clips (fan)"
    ]


@pytest.mark.parametrize(
    "messages",
    [
        ["https://x.example/a.zip: timed out; attempt 2", "https://x.example/a.zip: timed out; attempt 3"],
        ["simclr: small training set", "simclr: another thing"],
        ["3 files are here", "4 files are here"],
    ],
)
def test_other_notes_are_said_as_they_come(said, messages):
    assert said(*messages, *messages) == [f"note: {one}" for one in messages]


def test_prose_is_wrapped_and_a_command_stays_one_command():
    prose = "Systems in one column are not apart; " * 5
    assert max(map(len, fitted(prose, 60).splitlines())) <= 60
    assert " ".join(fitted(prose, 60).split()) == prose.strip()
    command = "asdbench compare " + " ".join(f"raw-mel+scorer-{number}" for number in range(9)) + " --out 'my runs'"
    lines = fitted(f"Next: {command}   (which of them the test clips tell apart)", 80).splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[-1] == "  (which of them the test clips tell apart)"
    joined = "\n".join(lines[:-1]).removeprefix("Next: ").replace("\\\n", "")
    assert shlex.split(joined) == shlex.split(command)
    assert fitted("short\n" + "x" * 90, 80) == "short\n" + "x" * 90, "a path is not broken"


def test_colours_are_left_out_where_nobody_wants_them(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setattr(sys, "stdout", terminal := Terminal())
    monkeypatch.delenv("NO_COLOR", raising=False)
    echo("red", fg="red")
    monkeypatch.setenv("NO_COLOR", "1")
    echo("plain", fg="red")
    assert terminal.getvalue() == "\x1b[31mred\x1b[0m\nplain\n"


def test_a_failure_of_many_is_said_once(cli, small_dataset, tmp_path):
    words = ("--dataset", small_dataset, "--extractor", "raw-mel", "--extractor", "psd", "--scorer", "identity")
    lines = [line for line in cli("run", *words, "--out", tmp_path).out.splitlines() if line.startswith("failed: ")]
    (first, _), (second, _) = [line.split(", seed 0, fan, valve: ") for line in lines]
    assert (first, second) == ("failed: raw-mel + identity", "failed: psd + identity"), "of other dimensions"


def test_runs_are_listed_within_the_terminal_and_the_ids_that_are_cut_name_them(
    cli, small_dataset, tmp_path, monkeypatch
):
    monkeypatch.setattr("asdbench.cli.tables.PIPE_WIDTH", 60)
    words = ("--dataset", small_dataset, "--extractor", "raw-mel", "--scorer", "knn", "--machine", "fan")
    assert cli("run", *words, "--out", tmp_path).code == 0
    text = cli("runs", "list", "--out", tmp_path).out
    assert "need more than 60 columns, or --json" in text
    assert max(map(len, text.splitlines()[:2])) <= 60
    short = text.splitlines()[1].split()[-1]
    assert cli("runs", "show", short, "--out", tmp_path).code == 0
