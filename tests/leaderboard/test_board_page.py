"""What stands on a board's pages, and that nothing of a name is active there."""

import html.parser
import re
from pathlib import Path

import pytest
from made_runs import MACHINES, made_run, pair_accuracy
from markdown_it import MarkdownIt

from asdbench.harness.record import load_record
from asdbench.leaderboard import add_run
from asdbench.leaderboard.row_details import card_links, cards_of
from asdbench.leaderboard.text import count, seconds

ROOT = Path(__file__).resolve().parents[2]


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
            prose = re.sub(r"(?<!`)(`+)(?!`).+?(?<!`)\1(?!`)", "", text)
            assert not re.search(r"(?<!<)https?://|(?<![\w.-])www\.", prose), "GitHub would make links of them"
            text = markdown.render(text)
            assert "&lt;script&gt;" in text, "it is there, as text"
        parsed = Text()
        parsed.feed(text)
        assert not parsed.tags & {"img", "iframe", "i<", "object"}
        assert not re.search(r"<script>\s*(x|alert)", text)
        allowed = (
            "index.",
            "results/",
            "dcase2023-dev.",
            "synthetic.",
            "6-script",
            "https://x.org/%3E%3Cscript%3Ealert",
            "data:,",
            "#",
        )
        assert not [address for address in parsed.addresses if not address.startswith(allowed)]


def trained_board(root):
    folders = [made_run(root / "runs", "siamese", seed=0, parameters=9, learning=pair_accuracy(0.51))]
    folders += [
        made_run(root / "runs", "siamese", seed=seed, parameters=9, learning=pair_accuracy(0.87)) for seed in (1, 2)
    ]
    folders.append(made_run(root / "runs", "simclr", parameters=9, quality=2.0, learning=pair_accuracy(0.5)))
    folders.append(made_run(root / "runs", "mae", parameters=9, learning=pair_accuracy(0.9)))
    folders += [made_run(root / "runs", "raw-mel"), made_run(root / "runs", "old", parameters=9)]
    others = {}
    for folder in folders:
        add_run(folder, root / "boards", others=others)
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
    assert rows["simclr + knn did not learn"][4].strip() == "50 (52), 0 of 1 seed"
    assert rows["siamese + knn did not learn in 1 of 3 seeds"][4].strip() == "75 (52), 2 of 3 seeds"
    assert rows["old + knn"][4].strip() == "–"
    assert "(did not learn)" in (board_dir / "index.html").read_text()


def test_the_markdown_is_a_table_with_every_row_and_reason(leaderboard, board_dir):
    leaderboard("render")
    text = (board_dir / "synthetic.md").read_text()
    tables = [block.splitlines() for block in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE)]
    assert len(tables) == 3
    for table in tables:
        cells = [len(re.findall(r"(?<!\\)\|", line)) for line in table]
        assert len(set(cells)) == 1, "as many cells in every line"
        assert len({len(line) for line in table}) == 1, "columns stand in line in a terminal"
        assert len(table) == 2 + 3 + 1, "three systems and chance"
    assert "chance (random scores on these test clips)" in text
    assert r"raw-mel + a\|b\<i\>: valve: failed: it is \<b\>singular\</b\> \| so" in text
    assert "1.23 M" in text


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
    assert re.fullmatch(r"\d\d\.\d\d ± \d\.\d\d", best[2])
    assert all(address.startswith(("index.html", "synthetic.md", "results/", "data:,")) for address in parsed.addresses)
    assert not parsed.tags & {"b<i>", "iframe", "img", "object"}
    assert "it is <b>singular" not in text
    assert "it is &lt;b&gt;singular&lt;/b&gt; | so" in text
    for machine in MACHINES:
        assert f"<div><dt>{machine}</dt>" in text


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


def test_rows_link_the_cards_of_what_they_are_made_of(tmp_path):
    record = load_record(made_run(tmp_path / "runs", "raw-mel:by-domain+knn,twfr:gmm", "ensemble"))
    cards = cards_of(record)
    assert ("extractors", "twfr") in cards
    assert [name for kind, name in cards if kind in ("steps", "scorers")] == ["by-domain", "knn", "gmm", "ensemble"]
    links = card_links(ROOT / "leaderboards")
    assert links("systems", "shin2023-simclr-elliptic") == "../registry/systems/shin2023-simclr-ml.toml"
    for kind, name in cards:
        assert (ROOT / "leaderboards" / links(kind, name)).is_file()
    assert links("scorers", "sklearn:x") == card_links(tmp_path)("extractors", "twfr") == ""
    asked = record.asked.model_copy(update={"system": "beats-knn"})
    assert cards_of(record.model_copy(update={"asked": asked})) == [("systems", "beats-knn")]


def test_no_table_of_the_project_has_more_than_seven_columns():
    for path in sorted((ROOT / "leaderboards").glob("*.md")):
        rows = [line for line in path.read_text().splitlines() if line.startswith("|")]
        assert all(len(re.findall(r"(?<!\\)\|", line)) - 1 <= 7 for line in rows), path
    for path in sorted((ROOT / "leaderboards").glob("*.html")):
        columns = re.findall(r'<tr class="columns">.*?</tr>', path.read_text(), re.DOTALL)
        assert all(head.count("<th ") <= 7 for head in columns), path
