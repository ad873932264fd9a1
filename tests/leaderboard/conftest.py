"""Boards made by hand, and their numbers from few resampled test sets."""

import shutil
import sys
from pathlib import Path

import pytest
from made_runs import MACHINES, made_run

from asdbench.core.files import write_text
from asdbench.harness.record import load_record
from asdbench.leaderboard import add_run
from asdbench.leaderboard.boards import make_boards
from asdbench.leaderboard.references import read_references
from asdbench.leaderboard.store import entry_of, read_entries
from asdbench.leaderboard.table import make_table


@pytest.fixture(autouse=True)
def _few_replicates(monkeypatch):
    """Intervals of a hundred resampled test sets instead of ten thousand: it is the pages that are tested here."""
    monkeypatch.setattr(
        sys.modules["asdbench.leaderboard.render"], "make_table", lambda board, _: make_table(board, 100)
    )


@pytest.fixture
def add(cli, tmp_path):
    def call(*arguments):
        return cli("leaderboard", "add", *arguments, "--out", tmp_path / "runs", "--board-dir", tmp_path / "boards")

    return call


@pytest.fixture(scope="module")
def one_board(tmp_path_factory):
    """Three systems, one of two seeds, one that failed on a machine type."""
    root = tmp_path_factory.mktemp("board")
    folders = [made_run(root / "runs", seed=seed, quality=1.5) for seed in (0, 1)]
    folders.append(made_run(root / "runs", scorer="gmm", quality=0.4, parameters=1234567))
    folders.append(made_run(root / "runs", scorer="a|b<i>", failed=["valve"], reason="it is <b>singular</b> | so"))
    others = {}
    for folder in folders:
        add_run(folder, root / "boards", others=others)
    return root / "boards"


@pytest.fixture
def board_dir(one_board, tmp_path):
    return Path(shutil.copytree(one_board, tmp_path / "boards"))


@pytest.fixture
def leaderboard(cli, board_dir):
    return lambda verb, *arguments: cli("leaderboard", verb, "--board-dir", board_dir, *arguments)


REPLICATES = 500


def place(folder, board_dir):
    """As a file that came with a merge: nobody asked whether it fits."""
    entry, _ = entry_of(folder)
    write_text(board_dir / "results" / f"{entry.record.run_id}.json", entry.text())


@pytest.fixture
def put(tmp_path):
    def call(*args, **options):
        folder = made_run(tmp_path / "runs", *args, **options)
        place(folder, tmp_path / "boards")
        return load_record(folder)

    return call


@pytest.fixture
def boards(tmp_path):
    def call():
        found = read_entries(tmp_path / "boards")
        assert not found.problems
        return make_boards(found.entries, read_references(tmp_path / "boards").references)

    return call


@pytest.fixture
def table(boards):
    def call(name="synthetic"):
        made, problems = boards()
        assert not problems
        return make_table(made[name], REPLICATES)

    return call


@pytest.fixture
def publish(tmp_path):
    def call(score=None, protocol="dcase2023", machines=MACHINES, percent=60.0, system="Published"):
        folder = tmp_path / "boards" / "references"
        folder.mkdir(parents=True, exist_ok=True)
        text = (
            f'system="{system}"\ndataset="dcase2023"\nsplit="dev"\nprotocol="{protocol}"\nyear=2023\nsource="A paper"\n'
        )
        text += f"official_score = {score}\n" if score else ""
        text += "[machines]\n" + "".join(
            f"{machine} = {{ auc_source = {percent}, auc_target = {percent}, pauc = {percent} }}\n"
            for machine in machines
        )
        (folder / f"{system}-{protocol}.toml").write_text(text)

    return call
