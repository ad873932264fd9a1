"""Pages: the same records, the same bytes; bad input is named and hides nothing else; nobody else's file is touched."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from made_runs import made_run

from asdbench.core.errors import AsdbenchError
from asdbench.leaderboard import add_run
from asdbench.leaderboard.board_page import MARKER
from asdbench.leaderboard.table import make_table

ROOT = Path(__file__).resolve().parents[2]


def pages(board_dir):
    return {path.name: path.read_bytes() for path in board_dir.iterdir() if path.suffix in (".md", ".html")}


def a_result(board_dir, begin="raw-mel-gmm"):
    (path,) = (board_dir / "results").glob(f"{begin}*.json")
    return path


PROGRAM = """
import sys
from pathlib import Path
from asdbench.leaderboard import make_pages, render
print(render(Path(sys.argv[1]), make_pages(Path(sys.argv[1]), replicates=100)).problems)
"""


def test_the_same_records_give_the_same_bytes_wherever_they_are_rendered(leaderboard, board_dir, tmp_path):
    assert leaderboard("render").code == 0
    first = pages(board_dir)
    assert set(first) == {"synthetic.md", "synthetic.html", "index.md", "index.html"}
    again = leaderboard("render")
    assert "0 pages written, 4 unchanged, 0 removed" in again.out
    other = tmp_path / "elsewhere"
    (other / "results").mkdir(parents=True)
    for path in sorted((board_dir / "results").iterdir(), reverse=True):  # another order in the folder
        shutil.copy(path, other / "results")
    environ = {**os.environ, "PYTHONHASHSEED": "7", "LC_ALL": "C", "TZ": "Asia/Tokyo", "OMP_NUM_THREADS": "2"}
    environ |= {"PYTHONPATH": str(ROOT), "MPLCONFIGDIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, other], env=environ, capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"
    assert pages(other) == first


def test_check_names_every_page_that_is_not_as_its_records(leaderboard, board_dir):
    outcome = leaderboard("check")
    assert outcome.code == 1
    assert f"{board_dir}/synthetic.html is missing." in outcome.err
    leaderboard("render")
    before = pages(board_dir)
    assert leaderboard("check").code == 0
    (board_dir / "synthetic.md").write_bytes(before["synthetic.md"].replace(b"| 1 ", b"| 2 ", 1))
    (board_dir / "gone.html").write_bytes(before["synthetic.html"])
    outcome = leaderboard("check")
    assert outcome.code == 1
    assert f"{board_dir}/synthetic.md does not match its records." in outcome.err
    assert f"{board_dir}/gone.html is of no board any more." in outcome.err
    assert "synthetic.html" not in outcome.err
    assert "Render them: asdbench leaderboard render --board-dir" in outcome.err
    assert (board_dir / "gone.html").exists(), "check changes nothing"
    assert leaderboard("render").code == 0
    assert pages(board_dir) == before


def test_a_changed_record_makes_check_fail(leaderboard, board_dir):
    leaderboard("render")
    a_result(board_dir).unlink()
    outcome = leaderboard("check")
    assert outcome.code == 1
    for name in ("synthetic.md", "synthetic.html", "index.md"):
        assert f"{board_dir}/{name} does not match its records." in outcome.err or name == "index.md"


def test_rendering_removes_its_own_stale_pages_and_nothing_else(leaderboard, board_dir):
    leaderboard("render")
    readme = board_dir / "README.md"
    readme.write_text("# mine\n")
    stale = [board_dir / "old.md", board_dir / "old.html"]
    for path in stale:
        path.write_bytes((board_dir / f"synthetic{path.suffix}").read_bytes())
    outcome = leaderboard("render")
    assert outcome.code == 0
    assert not any(path.exists() for path in stale)
    assert readme.read_text() == "# mine\n"
    assert all(MARKER in text.decode() for name, text in pages(board_dir).items() if name != "README.md")


def damaged(path):
    path.write_text("{")


def newer(path):
    content = json.loads(path.read_text())
    content["record"]["schema_version"] = 99
    path.write_text(json.dumps(content))


def altered(path):
    content = json.loads(path.read_text())
    content["record"]["results"]["official_score"] = 0.99
    path.write_text(json.dumps(content))


@pytest.mark.parametrize(
    ("harm", "said"),
    [(damaged, "is damaged"), (newer, "has a record of schema 99"), (altered, "is altered: results.official_score")],
)
def test_bad_entries_are_named_and_all_else_is_rendered(leaderboard, board_dir, harm, said):
    path = a_result(board_dir)
    harm(path)
    for verb in ("render", "check"):
        outcome = leaderboard(verb)
        assert outcome.code == 1
        assert f"{path} {said}" in outcome.err
        assert "Traceback" not in outcome.err
    text = (board_dir / "synthetic.md").read_text()
    assert "raw-mel + knn" in text
    assert "raw-mel + gmm" not in text


def test_a_board_of_two_protocols_is_not_rendered_and_others_are(leaderboard, board_dir, tmp_path):
    leaderboard("render")
    before = pages(board_dir)
    other = add_run(made_run(tmp_path / "more", scorer="lof", protocol="dcase2022"), tmp_path / "elsewhere")
    shutil.copy(other.path, board_dir / "results")
    add_run(made_run(tmp_path / "more", scorer="lof", dataset="mine"), board_dir)
    outcome = leaderboard("render")
    assert outcome.code == 1
    assert "synthetic is not rendered:" in outcome.err
    assert "raw-mel-lof-synthetic-s0" in outcome.err
    after = pages(board_dir)
    assert after["synthetic.md"] == before["synthetic.md"], "the last sound page stays"
    assert {"mine.md", "mine.html"} <= set(after)
    assert "synthetic" not in after["index.md"].decode().lower()
    assert leaderboard("check").code == 1


def test_one_board_whose_numbers_cannot_be_had_does_not_stop_the_others(leaderboard, board_dir, tmp_path, monkeypatch):
    leaderboard("render")
    before = pages(board_dir)
    add_run(made_run(tmp_path / "more", dataset="mine"), board_dir)

    def broken(board, replicates):
        if board.name == "synthetic":
            raise AsdbenchError("no numbers today.")
        return make_table(board, 100)

    monkeypatch.setattr(sys.modules["asdbench.leaderboard.render"], "make_table", broken)
    outcome = leaderboard("render")
    assert outcome.code == 1
    assert "synthetic is not rendered: no numbers today." in outcome.err
    after = pages(board_dir)
    assert {"mine.md", "mine.html"} <= set(after)
    assert after["synthetic.md"] == before["synthetic.md"]
    assert "synthetic" not in after["index.md"].decode().lower()


def test_a_wrong_reference_is_named_and_all_else_is_rendered(leaderboard, board_dir):
    (board_dir / "references").mkdir()
    (board_dir / "references" / "x.toml").write_text('systm = "x"\n')
    outcome = leaderboard("render")
    assert outcome.code == 1
    assert "references/x.toml: unknown key 'systm'. Did you mean 'system'?" in outcome.err
    assert (board_dir / "synthetic.html").exists()


def test_a_page_that_cannot_be_written_does_not_stop_the_others(leaderboard, board_dir):
    (board_dir / "synthetic.md").mkdir()
    outcome = leaderboard("render")
    assert outcome.code == 1
    assert f"Cannot write {board_dir}/synthetic.md" in outcome.err
    assert (board_dir / "synthetic.html").exists()


def test_where_nothing_can_be_written_the_first_reason_is_shown(leaderboard, board_dir):
    for name in ("synthetic.md", "synthetic.html", "index.md", "index.html"):
        (board_dir / name).mkdir()
    outcome = leaderboard("render")
    assert outcome.code == 2
    assert f"Cannot write {board_dir}/index.html: it is a folder." in outcome.err
    assert "--board-dir DIR" in outcome.err


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written_is_an_error(leaderboard, board_dir):
    board_dir.chmod(0o500)
    outcome = leaderboard("render")
    board_dir.chmod(0o700)
    assert outcome.code == 2
    assert "Cannot write" in outcome.err
    assert "--board-dir" in outcome.err


def test_a_folder_that_is_not_there_is_a_missing_requirement(cli, tmp_path):
    for verb in ("render", "check"):
        outcome = cli("leaderboard", verb, "--board-dir", tmp_path / "none")
        assert outcome.code == 3
        assert f"There is no folder {tmp_path / 'none'}" in outcome.err


def test_one_board_can_be_rendered_alone(leaderboard, board_dir, tmp_path):
    add_run(made_run(tmp_path / "more", dataset="mine"), board_dir)
    outcome = leaderboard("render", "--board", "mine")
    assert outcome.code == 0
    assert set(pages(board_dir)) == {"mine.md", "mine.html"}, "the index tells what all boards say together"
    outcome = leaderboard("render", "--board", "mien")
    assert outcome.code == 2
    assert "Did you mean 'mine'?" in outcome.err


def test_from_runs_to_a_board(cli, small_dataset, tmp_path):
    arguments = ["--extractor", "raw-mel", "--scorer", "knn", "--seed", "0", "--seed", "1"]
    ran = cli("run", "--dataset", small_dataset, *arguments, "--out", tmp_path / "runs", "--json")
    assert ran.code == 0, ran.err
    board_dir = tmp_path / "boards"
    added = cli("leaderboard", "add", "--all", "--out", tmp_path / "runs", "--board-dir", board_dir)
    assert added.code == 0, added.err
    assert "of paths only the last part was stored: asked.dataset" in added.err
    assert cli("leaderboard", "render", "--board-dir", board_dir).code == 0
    text = (board_dir / "small.md").read_text()
    scores = [run["official_score"] for run in ran.json["runs"]]
    assert len(scores) == 2
    line = next(line for line in text.splitlines() if "raw-mel + knn" in line)
    assert f"{100 * sum(scores) / 2:.2f}" in line
    assert str(small_dataset.parent) not in "".join(path.read_text() for path in board_dir.rglob("*.*"))


def test_the_project_has_its_boards():
    """That they match their records is what ``make boards-check`` holds."""
    folder = ROOT / "leaderboards"
    names = {path.stem for path in folder.glob("*.html")}
    assert names >= {"dcase2023-dev", "dcase2023-eval", "dcase2024-eval", "dcase2025-dev", "index"}
    for name in names:
        assert MARKER in (folder / f"{name}.md").read_text()
        assert MARKER in (folder / f"{name}.html").read_text()
