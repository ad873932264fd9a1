"""What shells propose: asked as their scripts ask, and by a real bash on a terminal."""

import os
import pty
import re
import select
import shutil
import subprocess
import sys
import time

import pytest
from typer.main import get_command

from asdbench.cli.app import app
from asdbench.cli.completion import SHELLS, VARIABLE, answer
from asdbench.registry import load_catalog
from asdbench.registry.libraries import detectors_of

ROOT = get_command(app)
BREAKS = "([:=])"  # at which bash splits words


@pytest.fixture
def ask(monkeypatch, capsys):
    """What is proposed at the end of a command line; what bash would leave of it there is put in front again."""

    def call(line, shell="bash"):
        words = line.split(" ")
        if shell == "bash":
            parts = [part for word in words for part in (re.split(BREAKS, word) if word else [""])]
            words = [part for part in parts[:-1] if part] + parts[-1:]
            if not words[-1] and not line.endswith(" "):
                words.pop()
        monkeypatch.setenv(VARIABLE, f"{shell}_complete")
        monkeypatch.setenv("COMP_WORDS", line if shell == "fish" else "\n".join(words))
        monkeypatch.setenv("COMP_CWORD", line.split(" ")[-1] if shell == "fish" else str(len(words) - 1))
        assert answer(ROOT)
        lines = capsys.readouterr().out.splitlines()
        if shell == "zsh":
            return [name.replace("\\:", ":") for name in lines[1::3]]
        return [one.partition(",")[2] for one in lines] if lines != [""] else []

    return call


@pytest.mark.parametrize(
    ("line", "some"),
    [
        ("comp", ["compare", "completion"]),
        ("run --extr", ["--extractor"]),
        ("runs sh", ["show"]),
        ("run --extractor raw", ["raw-mel"]),
        ("run --scorer knn-l", ["knn-ldn", "knn-ldn-domains"]),
        ("run --scorer whiten+kn", ["whiten+knn"]),
        ("run --scorer whiten+uni", ["whiten+unit-length+knn"]),
        ("run --scorer=gm", ["--scorer=gmm"]),
        ("run --extractor raw-mel:kn", ["raw-mel:knn"]),
        ("run --extractor raw-mel:knn,ps", ["raw-mel:knn,psd"]),
        ("run --system shin2023-simclr-m", ["shin2023-simclr-ml"]),
        ("run --dataset dcase2025", ["dcase2025"]),
        ("run --device c", ["cpu", "cuda"]),
        ("run --extractor simclr --scorer knn -p ", ["simclr.", "knn.", "log-mel.", "time-mask."]),
        ("run --extractor simclr -p simclr.ep", ["simclr.epochs=", "simclr.epochs=40"]),
        ("run --scorer whiten+knn -p whiten.", ["whiten.variance="]),
        ("run --extractor siamese -p siamese.batch_norm=", ["siamese.batch_norm=true", "siamese.batch_norm=false"]),
        ("run --extractor raw-mel --vary log-mel.n_m", ["log-mel.n_mels="]),
        ("run --system beats-knn -p beats.w", ["beats.weights="]),
        ("check cosine -p kn", ["knn."]),
        ("data make factory -p mach", ["machines="]),
        ("weights get beats-iter3", ["beats-iter3"]),
        ("show sim", ["simclr"]),
        ("list st", ["steps"]),
        ("completion f", ["fish"]),
    ],
)
def test_names_are_proposed_where_they_are_taken(ask, line, some):
    assert set(some) <= set(ask(f"asdbench {line}", "zsh"))


def test_bash_is_given_what_follows_the_last_colon_or_equals_sign(ask):
    assert ask("asdbench show pyod:IFo") == ["IForest"]
    assert ask("asdbench run --scorer=sklearn:svm") == ["svm.OneClassSVM"]
    assert ask("asdbench run --extractor raw-mel -p log-mel.mel_scale=") == ["slaney", "htk"]
    assert ask("asdbench run --extractor raw-mel -p log-mel.mel_scale=h") == ["htk"]
    assert ask("asdbench run --scorer=gm", "zsh") == ["--scorer=gmm"]
    assert ask("asdbench show pyod:IFo", "fish") == ["pyod:IForest"]


def test_a_prefix_alone_is_followed_by_what_it_stands_before(ask):
    assert len(ask("asdbench run --scorer pyo", "zsh")) == len(detectors_of("pyod")) > 30
    everything = set(ask("asdbench run --scorer ", "zsh"))
    assert set(load_catalog().names("scorers")) | {"pyod:", "sklearn:", "whiten+"} <= everything


def test_runs_are_proposed_with_the_newest_first(ask, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for age, name in enumerate(("b-s0-22", "a-s0-11", ".half")):
        (tmp_path / "runs" / name).mkdir(parents=True)
        (tmp_path / "runs" / name / "run.json").write_text("no record is read")
        os.utime(tmp_path / "runs" / name / "run.json", (1000 - age, 1000 - age))
    for line in (
        "report ",
        "runs show ",
        "evaluate ",
        "fit --from ",
        "compare a-s0-11 ",
        "leaderboard add ",
        "submit ",
    ):
        assert ask(f"asdbench {line}") == ["latest", "b-s0-22", "a-s0-11"], line
    (tmp_path / "runs").rename(tmp_path / "elsewhere")
    assert ask("asdbench report --out elsewhere a") == ["a-s0-11"]
    assert ask("asdbench report ") == [""]
    monkeypatch.chdir(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "leaderboards").mkdir()
    (tmp_path / "elsewhere" / "leaderboards" / "mine.html").touch()
    assert ask("asdbench transfer m") == ["mine"]


@pytest.mark.parametrize("shell", SHELLS)
def test_every_shell_has_its_script(cli, shell):
    script = cli("completion", shell).out
    assert f"{VARIABLE}={shell}_complete" in script
    assert "_asdbench_completion" in script
    if shutil.which(shell):
        subprocess.run([shell, "-n"], input=script, text=True, check=True)


def test_nothing_heavy_is_imported():
    code = (
        "import sys\n"
        "from asdbench.cli.app import main\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code\n"
        "heavy = {'torch', 'pandas', 'numpy', 'pydantic', 'sklearn', 'pyod', 'rich'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    asked = {VARIABLE: "bash_complete", "COMP_WORDS": "asdbench\nrun\n--scorer\npyod\n:\nK", "COMP_CWORD": "5"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | asked, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["plain,KDE", "plain,KNN", "plain,KPCA"]


@pytest.mark.skipif(not shutil.which("bash"), reason="bash is not installed")
def test_a_real_bash_completes(cli, tmp_path):
    """On a terminal: what stands on the line after the tab is printed by the shell itself."""
    program, script = tmp_path / "asdbench", tmp_path / "script"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m asdbench "$@"\n')
    program.chmod(0o755)
    script.write_text(cli("completion", "bash").out)
    path = f"{tmp_path}:{os.environ['PATH']}"
    environ = os.environ | {"PATH": path, "PS1": "$ ", "TERM": "dumb", "HISTFILE": ""}
    master, slave = pty.openpty()
    words = ["bash", "--norc", "--noprofile", "-i"]
    shell = subprocess.Popen(words, stdin=slave, stdout=slave, stderr=slave, env=environ, start_new_session=True)
    os.close(slave)
    try:
        os.write(master, f"bind 'set enable-bracketed-paste off'; source '{script}'\n".encode())
        _read_until(master, r"script'\r\n.*\$ $")
        for begun, whole in (
            ("asdbench run --scorer=pyod:IFo", "asdbench run --scorer=pyod:IForest |"),
            ("asdbench run --extractor simclr -p simclr.ep", "asdbench run --extractor simclr -p simclr.epochs=|"),
        ):
            os.write(master, f"{begun}\t".encode())
            _read_until(master, re.escape(whole[:-1]))
            os.write(master, b"|'\x01echo 'GOT:\n")
            assert _read_until(master, "\r\nGOT:asdbench.*\r\n[$] $").rpartition("GOT:")[2].splitlines()[0] == whole
    finally:
        shell.kill()
        shell.wait()
        os.close(master)


def _read_until(terminal, pattern):
    """What a terminal shows up to there."""
    shown, end = "", time.monotonic() + 20
    while time.monotonic() < end:
        if select.select([terminal], [], [], 0.1)[0]:
            shown += os.read(terminal, 4096).decode().replace("\a", "")
        if re.search(pattern, shown):
            return shown
    raise AssertionError(shown)
