"""Pages: the same records, the same bytes; bad input is named and hides nothing else; nobody else's file is touched."""

import html.parser
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from made_runs import MACHINES, made_run, pair_accuracy
from markdown_it import MarkdownIt

from asdbench.core.errors import AsdbenchError
from asdbench.leaderboard import add_run
from asdbench.leaderboard.board_page import MARKER
from asdbench.leaderboard.table import make_table
from asdbench.leaderboard.text import count, seconds

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def one_board(tmp_path_factory):
    """Three systems, one of two seeds, one that failed on a machine type."""
    root = tmp_path_factory.mktemp("board")
    folders = [made_run(root / "runs", seed=seed, quality=1.5) for seed in (0, 1)]
    folders.append(made_run(root / "runs", scorer="gmm", quality=0.4, parameters=1234567))
    folders.append(made_run(root / "runs", scorer="a|b<i>", failed=["valve"], reason="it is <b>singular</b> | so"))
    for folder in folders:
        add_run(folder, root / "boards")
    return root / "boards"


@pytest.fixture
def board_dir(one_board, tmp_path):
    return Path(shutil.copytree(one_board, tmp_path / "boards"))


@pytest.fixture
def leaderboard(cli, board_dir):
    return lambda verb, *words: cli("leaderboard", verb, "--board-dir", board_dir, *words)


def pages(board_dir):
    return {path.name: path.read_bytes() for path in board_dir.iterdir() if path.suffix in (".md", ".html")}


def a_result(board_dir, begin="raw-mel-gmm"):
    (path,) = (board_dir / "results").glob(f"{begin}*.json")
    return path


PROGRAM = """
import sys
from pathlib import Path
from asdbench.leaderboard import make_pages, render
print(render(Path(sys.argv[1]), make_pages(Path(sys.argv[1]))).problems)
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
    own = board_dir / "README.md"
    own.write_text("# mine\n")
    stale = [board_dir / "old.md", board_dir / "old.html"]
    for path in stale:
        path.write_bytes((board_dir / f"synthetic{path.suffix}").read_bytes())
    outcome = leaderboard("render")
    assert outcome.code == 0
    assert not any(path.exists() for path in stale)
    assert own.read_text() == "# mine\n"
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
        return make_table(board, replicates)

    monkeypatch.setattr(sys.modules["asdbench.leaderboard.render"], "make_table", broken)
    outcome = leaderboard("render")
    assert outcome.code == 1
    assert "synthetic is not rendered: no numbers today." in outcome.err
    after = pages(board_dir)
    assert {"mine.md", "mine.html"} <= set(after)
    assert after["synthetic.md"] == before["synthetic.md"]
    assert "synthetic" not in after["index.md"].decode().lower()


def test_names_of_machine_types_are_escaped_wherever_they_stand(cli, tmp_path):
    folder = made_run(tmp_path / "runs", machines=("fan", "a_b_c"), failed=["a_b_c"])
    add_run(folder, tmp_path / "boards")
    assert cli("leaderboard", "render", "--board-dir", tmp_path / "boards").code == 0
    text = (tmp_path / "boards" / "synthetic.md").read_text()
    assert r"- raw-mel + knn: a\_b\_c: failed" in text
    assert "a_b_c" not in text


EVIL = "<script>x</script> ![e](https://evil.org/e.png) [e](javascript:e) `|` | e | https://evil.org www.evil.org &lt;"


def test_nothing_of_a_name_is_active_on_any_page(cli, tmp_path):
    """Texts of published results and of records, wherever they go: tables, notes, sources, machine types, index."""
    board_dir = tmp_path / "boards"
    (board_dir / "references").mkdir(parents=True)
    terms = "{ auc_source = 60.0, auc_target = 60.0, pauc = 60.0 }"
    text = "\n".join(
        [
            f"system = '{EVIL} 1'",
            "dataset = 'dcase2023'\nsplit = 'dev'\nprotocol = 'dcase2023'\nyear = 2023",
            f"source = '{EVIL} 2'",
            "url = 'https://x.org/><script>alert(6)</script>[e](javascript:e)`|`'",
            f"official_score_source = '{EVIL} 3'\nofficial_score = 60.0",
            f"[machines]\n'{EVIL} 4' = {terms}",
        ]
    )
    (board_dir / "references" / "x.toml").write_text(text)
    totals = text.partition("official_score_source")[0].partition("\n")[2] + f"[totals]\n'- {EVIL} 5' = 61.0\n"
    (board_dir / "references" / "y.toml").write_text(totals)
    name = f"6 {EVIL}"
    for changed in ({"system": name}, {"scorer": name, "failed": ["fan"], "reason": name}, {"params": {name: name}}):
        lacks = [name] if "params" in changed else []
        add_run(made_run(tmp_path / "runs", lacks=lacks, learning=pair_accuracy(0.5), **changed), board_dir)
    add_run(made_run(tmp_path / "runs", dataset=name, finished_at="<b>|`2026", machines=("fan", "a<i>|")), board_dir)
    rendered = cli("leaderboard", "render", "--board-dir", board_dir)
    assert rendered.code == 0, rendered.err
    files = sorted(path for path in board_dir.iterdir() if path.suffix in (".md", ".html"))
    assert len(files) == 2 * 4
    markdown = MarkdownIt("commonmark").enable("table")
    for path in files:
        text = path.read_text()
        if path.suffix == ".md":
            assert not re.search(r"(?<!<)https?://|(?<![\w.-])www\.", text), "GitHub would make links of them"
            text = markdown.render(text)
            assert "&lt;script&gt;" in text, "it is there, as text"
        parsed = Text()
        parsed.feed(text)
        assert not parsed.tags & {"img", "iframe", "i<", "object"}
        assert not re.search(r"<script>\s*(x|alert)", text)
        own = (
            "index.",
            "dcase2023-dev.",
            "synthetic.",
            "6-script",
            "https://x.org/%3E%3Cscript%3Ealert",
            "data:,",
            "#",
        )
        assert not [address for address in parsed.addresses if not address.startswith(own)]


def trained_board(root):
    folders = [made_run(root / "runs", "siamese", seed=0, parameters=9, learning=pair_accuracy(0.51))]
    folders += [
        made_run(root / "runs", "siamese", seed=seed, parameters=9, learning=pair_accuracy(0.87)) for seed in (1, 2)
    ]
    folders.append(made_run(root / "runs", "simclr", parameters=9, quality=2.0, learning=pair_accuracy(0.5)))
    folders.append(made_run(root / "runs", "mae", parameters=9, learning=pair_accuracy(0.9)))
    folders += [made_run(root / "runs", "raw-mel"), made_run(root / "runs", "old", parameters=9)]
    for folder in folders:
        add_run(folder, root / "boards")
    return root / "boards"


def test_whether_it_learned_stands_beside_the_score(cli, tmp_path):
    board_dir = trained_board(tmp_path)
    assert cli("leaderboard", "render", "--board-dir", board_dir).code == 0
    markdown = (board_dir / "synthetic.md").read_text()
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in markdown.splitlines() if line[:1] == "|"]
    head = next(line for line in lines if "Score" in line)
    assert head[2:4] == ["Score", "Learned"]
    learned = {line[1]: line[3] for line in lines if len(line) == len(head)}
    assert learned["siamese + knn (did not learn in 1 of 3 seeds)"] == "75 (52), 2 of 3 seeds"
    assert learned["simclr + knn (did not learn)"] == "50 (52), 0 of 1 seed"
    assert learned["mae + knn"] == "90 (52), 1 of 1 seed"
    assert learned["raw-mel + knn"] == learned["old + knn"] == "–"
    machines = [line[0] for line in lines if len(line) == 1 + len(MACHINES)]
    assert "simclr + knn (did not learn)" in machines, "the scores by machine type are marked as well"
    assert "- simclr + knn: did not learn: pair accuracy 50 % (chance 50, untrained 52)." in markdown
    assert "simclr + knn (did not learn)" in (board_dir / "index.md").read_text()
    page = Text()
    page.feed((board_dir / "synthetic.html").read_text())
    rows = {" ".join(row[1].split()): row for row in page.rows if len(row) > 5}
    assert rows["simclr + knn did not learn"][3].strip() == "50 (52), 0 of 1 seed"
    assert rows["siamese + knn did not learn in 1 of 3 seeds"][3].strip() == "75 (52), 2 of 3 seeds"
    assert rows["old + knn"][3].strip() == "–"
    assert "(did not learn)" in (board_dir / "index.html").read_text()


def test_a_wrong_reference_is_named_and_all_else_is_rendered(leaderboard, board_dir):
    (board_dir / "references").mkdir()
    (board_dir / "references" / "x.toml").write_text('systm = "x"\n')
    outcome = leaderboard("render")
    assert outcome.code == 1
    assert "references/x.toml: unknown key 'systm'. Did you mean 'system'?" in outcome.err
    assert (board_dir / "synthetic.html").exists()


def test_a_page_that_cannot_be_written_does_not_keep_the_others_back(leaderboard, board_dir):
    (board_dir / "synthetic.md").mkdir()
    outcome = leaderboard("render")
    assert outcome.code == 1
    assert f"Cannot write {board_dir}/synthetic.md" in outcome.err
    assert (board_dir / "synthetic.html").exists()


def test_where_nothing_can_be_written_the_first_reason_is_told(leaderboard, board_dir):
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
    assert set(pages(board_dir)) == {"mine.md", "mine.html", "index.md", "index.html"}
    assert "Synthetic" in (board_dir / "index.md").read_text(), "the index has all of them"
    outcome = leaderboard("render", "--board", "mien")
    assert outcome.code == 2
    assert "Did you mean 'mine'?" in outcome.err


def test_the_markdown_is_a_table_with_every_row_and_reason(leaderboard, board_dir):
    leaderboard("render")
    text = (board_dir / "synthetic.md").read_text()
    tables = [block.splitlines() for block in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE)]
    assert len(tables) == 2
    for table in tables:
        cells = [len(re.findall(r"(?<!\\)\|", line)) for line in table]
        assert len(set(cells)) == 1, "as many cells in every line"
        assert len({len(line) for line in table}) == 1, "columns stand in line in a terminal"
        assert len(table) == 2 + 3 + 1, "three systems and chance"
    assert "chance (random scores on these test clips)" in text
    assert r"raw-mel + a\|b\<i\>: valve: failed: it is \<b\>singular\</b\> \| so" in text
    assert "1.23 M" in text


class Text(html.parser.HTMLParser):
    """Rows of the board as a browser without scripts has them, and every address."""

    def __init__(self):
        super().__init__()
        self.addresses, self.rows, self.tags = [], [], set()
        self.cell = None

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.addresses += [value for name, value in attrs if name in ("src", "href")]
        if tag == "tbody" and "entry" in dict(attrs).get("class", ""):
            self.rows.append([])
        if tag in ("td", "th") and self.rows:
            self.rows[-1].append("")
            self.cell = True

    def handle_endtag(self, tag):
        if tag in ("td", "th"):
            self.cell = None

    def handle_data(self, data):
        if self.cell and self.rows:
            self.rows[-1][-1] += data


def test_the_page_is_a_plain_table_without_scripts_and_escapes_names(leaderboard, board_dir):
    leaderboard("render")
    text = (board_dir / "synthetic.html").read_text()
    parsed = Text()
    parsed.feed(text)
    names = [" ".join(row[1].split()) for row in parsed.rows]
    assert names[0] == "raw-mel + knn"
    assert set(names) >= {"raw-mel + knn", "raw-mel + gmm", "raw-mel + a|b<i>"}
    best = parsed.rows[0]
    assert best[0] == "1"
    assert re.fullmatch(r"\d\d\.\d\d", best[2])
    assert all(address.startswith(("index.html", "synthetic.md", "data:,")) for address in parsed.addresses)
    assert not parsed.tags & {"b<i>", "iframe", "img", "object"}
    assert "it is <b>singular" not in text
    assert "it is &lt;b&gt;singular&lt;/b&gt; | so" in text
    for machine in MACHINES:
        assert f'data-machine="{machine}"' in text


def test_from_runs_to_a_board(cli, small_dataset, tmp_path):
    words = ["--extractor", "raw-mel", "--scorer", "knn", "--scorer", "gmm", "--seed", "0", "--seed", "1"]
    ran = cli("run", "--dataset", small_dataset, *words, "--out", tmp_path / "runs", "--json")
    assert ran.code == 0, ran.err
    board_dir = tmp_path / "boards"
    added = cli("leaderboard", "add", "--all", "--out", tmp_path / "runs", "--board-dir", board_dir)
    assert added.code == 0, added.err
    assert "of paths only the last part was kept: asked.dataset" in added.err
    assert cli("leaderboard", "render", "--board-dir", board_dir).code == 0
    text = (board_dir / "small.md").read_text()
    for scorer in ("knn", "gmm"):
        scores = [run["official_score"] for run in ran.json["runs"] if run["scorer"] == scorer]
        assert len(scores) == 2
        line = next(line for line in text.splitlines() if f"raw-mel + {scorer}" in line)
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


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (9123, "9,123"),
        (85123, "85.1 k"),
        (999_499, "999 k"),
        (999_999, "1 M"),
        (11_232_512, "11.2 M"),
        (None, "–"),
    ],
)
def test_numbers_of_parameters_are_short(value, text):
    assert count(value) == text


@pytest.mark.parametrize(("value", "text"), [(0.0, "0.00"), (1.456, "1.46"), (12.34, "12.3"), (12345.6, "12,346")])
def test_times_have_three_digits(value, text):
    assert seconds(value) == text
