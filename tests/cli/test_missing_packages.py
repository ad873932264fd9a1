"""Commands where heavy packages are not installed: most need none of them, and the others name what installs it."""

import json
import subprocess
import sys

import pytest
from made_runs import made_run

from asdbench.core.faults import fault_of

ABSENT = ("torch", "torchaudio", "torchvision", "timm", "mlflow", "optuna", "ray", "pyod", "imblearn")
PROGRAM = """
import json, sys
from importlib.machinery import PathFinder

find = PathFinder.find_spec
absent, commands = json.loads(sys.argv[1])
PathFinder.find_spec = lambda name, *rest: None if name.partition(".")[0] in absent else find(name, *rest)
from click.testing import CliRunner
from typer.main import get_command
from asdbench.cli.app import app

for words in commands:
    result = CliRunner().invoke(get_command(app), words)
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    print(json.dumps([result.exit_code, result.stdout, result.stderr]))
"""


@pytest.fixture
def without(tmp_path):
    """Runs commands in one process that has no such packages: code, output and messages of each."""

    def run(absent, *commands):
        words = json.dumps([absent, [[str(word) for word in command] for command in commands]])
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, words], cwd=tmp_path, check=True, stdout=subprocess.PIPE, text=True
        )
        return [json.loads(line) for line in done.stdout.splitlines()]

    return run


def test_scores_and_boards_need_no_heavy_package(without, cli, tmp_path):
    runs, boards = tmp_path / "runs", tmp_path / "boards"
    folders = [made_run(runs, scorer=scorer, quality=quality) for scorer, quality in (("knn", 2.0), ("random", 0.0))]
    board = ("--board-dir", boards)
    commands = [
        ("evaluate", folders[0] / "scores", "--json"),
        ("compare", "raw-mel+knn", "raw-mel+random", "--replicates", "200", "--json"),
        ("leaderboard", "add", *folders, *board),
        ("leaderboard", "render", *board),
        ("list",),
        ("show", "simclr"),
        ("doctor",),
    ]
    outcomes = without(ABSENT, *commands)
    assert [(words[:2], code, err) for words, (code, _, err) in zip(commands, outcomes, strict=True) if code] == []
    assert json.loads(outcomes[0][1]) == cli(*commands[0]).json
    assert cli("leaderboard", "check", *board).code == 0, "the same pages as with all of them"


def test_a_missing_package_is_told_with_the_command_that_installs_it(without, small_dataset, tmp_path):
    made_run(tmp_path / "runs")
    (tmp_path / "runs" / "mlflow.db").touch()
    run = ("run", "--extractor", "raw-mel", "--dataset", small_dataset, "--quiet", "--scorer")
    commands = {
        "'log-mel' needs torch, which is not installed here.\nGet it: pip install 'torch<": (*run, "knn"),
        "needs pyod, which is not installed here.\nGet it: pip install 'pyod>=": (*run, "pyod:KNN"),
        "needs optuna, which is not installed here.\nGet it: pip install 'optuna<": ("tune", *run[1:], "knn"),
        "--engine ray needs ray, which is not installed here.\nGet it: pip install 'asdbench[ray]'": (
            *run, "knn", "--engine", "ray",
        ),
        "the page needs mlflow, which is not installed here.\nGet it: pip install 'mlflow<": ("ui",),
        "tracking needs mlflow, which is not installed here. Get it: pip install 'mlflow<": ("track", "sync"),
    }  # fmt: skip
    outcomes = without(ABSENT, *commands.values())
    for message, (code, _, err) in zip(commands, outcomes, strict=True):
        assert message in err
        assert code in (1, 3)


def test_so_does_the_record_of_what_failed():
    with pytest.raises(ModuleNotFoundError) as raised:
        raise ModuleNotFoundError(name="imblearn")
    assert "Get it: pip install 'imbalanced-learn>=" in fault_of(raised.value).reason
