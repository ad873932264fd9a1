"""What the documents tell a reader to do, done."""

import ast
import re
import shlex
from collections.abc import Iterator
from itertools import groupby, pairwise, takewhile
from pathlib import Path

import click
import pytest

from asdbench.core.documentation import TITLES

ROOT = Path(__file__).resolve().parents[1]
HOW_TO, EXPLANATION = ROOT / "docs" / "how-to", ROOT / "docs" / "explanation"
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
RUN = ["README.md", *(f"docs/{page}" for page in (
    "index.md", "how-to/python.md", "how-to/detectors.md", "how-to/tuning.md", "explanation/thresholds.md",
))]  # fmt: skip
RUN_ELSEWHERE = {"plugins.md", "export.md", "models.md"}  # below, and by the tests of exports and models


def blocks(page: Path, *languages: str) -> list[str]:
    """The fenced blocks of a page in one of the languages."""
    found = re.findall(r"^```(\w*)[^\n]*\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE)
    return [text for language, text in found if language in languages]


def commands_of(page: Path) -> Iterator[list[str]]:
    """Every command of asdbench in the shell blocks and in the text of a page, as words."""
    typed = "\n".join(blocks(page, "", "console")).replace("\\\n", " ")
    shell = "\n".join([*blocks(page, "sh"), *re.findall(r"^\$ (.*)", typed, re.MULTILINE)]).replace("\\\n", " ")
    for line in shell.splitlines() + re.findall(r"(?:^ {4}|`)(asdbench [a-z][^`\n]*)", page.read_text(), re.MULTILINE):
        lexer = shlex.shlex(line, posix=True, punctuation_chars="();|&")
        lexer.whitespace_split, lexer.commenters = True, ""
        words = takewhile(lambda word: not word.startswith("#"), lexer)
        for _, command in groupby(words, key=lambda word: set(word) <= {*"();|&"}):
            found = list(command)
            if "asdbench" in found:
                yield found[found.index("asdbench") + 1 :]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_command_of_a_page_is_one(page, command_line):
    for words in commands_of(page):
        verb, at = command_line, 0
        while isinstance(verb, click.Group) and at < len(words) and not words[at].startswith("-"):
            assert words[at] in verb.commands or not words[at].islower(), f"asdbench {' '.join(words)}: no such verb"
            verb, at = verb.commands.get(words[at], click.Command(None)), at + 1
        known = {option for param in verb.params for option in (*param.opts, *param.secondary_opts)}
        options = {word.partition("=")[0] for word in words[at:] if re.match(r"--?[a-z]", word)}
        if verb.name:
            assert options <= known | {"--help"}, f"asdbench {' '.join(words)}: no {options - known}"


def test_links_of_the_pages_that_are_not_on_the_site_hold():
    for page in (ROOT / "README.md", ROOT / "leaderboards" / "README.md"):
        for link in re.findall(r"(?:\]\(|(?:src|srcset)=\")([^)#\":]+)", page.read_text()):
            assert (page.parent / link).exists(), f"{page.name}: {link}"


def test_the_readme_stays_short():
    readme = ROOT / "README.md"
    assert len(readme.read_text().splitlines()) <= 120
    assert max(map(len, "".join(blocks(readme, "sh")).splitlines())) <= 100


def test_every_python_block_is_run_or_at_least_parsed():
    with_code = {page: blocks(page, "python") for page in PAGES}
    for page, texts in with_code.items():
        ast.parse("\n".join(texts), str(page))
    ran = {page for page, texts in with_code.items() if texts and page.name not in RUN_ELSEWHERE}
    assert ran == {ROOT / name for name in RUN}


def test_the_plugin_of_the_guide_runs(cli, small_dataset, tmp_path):
    guide = (HOW_TO / "plugins.md").read_text()
    blocks = re.findall(r"```(?:python|toml)\n(# mine/.*?)```", guide, re.DOTALL)
    assert len(blocks) == 6
    for text in blocks:
        path = tmp_path / text.partition("\n")[0].removeprefix("# ")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    outcome = cli(
        "run", "--plugin-path", tmp_path / "mine", "--extractor", "raw-mel", "--scorer", "cosine",
        "--scorer", "clip+cosine",
        "-p", "cosine.centre=false", "--dataset", small_dataset, "--out", tmp_path / "runs", "--json",
    )  # fmt: skip
    assert outcome.code == 0, outcome.err
    assert [run["status"] for run in outcome.json["runs"]] == ["done", "done"]
    for name in ("cosine", "clip", "residual"):
        checked = cli("check", name, "--plugin-path", tmp_path / "mine")
        assert checked.code == 0, checked.out


def test_messages_call_pages_by_their_titles_and_not_by_files():
    for name, title in TITLES.items():
        assert (ROOT / "docs" / f"{name}.md").read_text().startswith(f"# {title}\n")
    for path in (ROOT / "asdbench").rglob("*.py"):
        assert not re.search(r"docs/[a-z-]+/[a-z-]+\.md", path.read_text()), path


def test_what_the_page_on_the_architecture_names_exists():
    for page in (EXPLANATION / "architecture.md", ROOT / "CONTRIBUTING.md"):
        text = page.read_text()
        paths = {path for path in re.findall(r"`((?:asdbench|registry|tests)/[\w/.]*)`", text) if "NAME" not in path}
        assert len(paths) >= 10
        assert not [path for path in paths if not (ROOT / path).exists()]
        for name, path in re.findall(r"`(\w+)`(?: in|,| \(| \|) `(asdbench/[\w/]+\.py)`", text):
            assert re.search(rf"^(?:def|class) {name}\b", (ROOT / path).read_text(), re.MULTILINE), (name, path)
    packages = {path.parent.name for path in (ROOT / "asdbench").glob("*/__init__.py")}
    assert packages == set(
        re.findall(r"^\| `asdbench/(\w+)`", (EXPLANATION / "architecture.md").read_text(), re.MULTILINE)
    )


@pytest.mark.usefixtures("small_synthetic")
@pytest.mark.parametrize("page", RUN)
def test_the_code_of_a_page_runs(page, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    exec("".join(blocks(ROOT / page, "python")), {})
    shown = capsys.readouterr().out
    assert "failed" not in shown
    assert "mahalanobis-lw" in shown or page.endswith(("detectors.md", "tuning.md", "thresholds.md"))


def test_every_card_that_the_documents_name_exists():
    from asdbench.registry import load_catalog

    catalog = load_catalog()
    own = {"my-scorer", "cosine"}
    for page in PAGES:
        for words in commands_of(page):
            for option, name in pairwise(words):
                if option in ("--extractor", "--scorer", "--system") and name not in own and not name.isupper():
                    catalog.find(f"{option[2:]}s", name)


def test_the_example_of_the_protocols_comes_out_as_stated():
    import numpy as np

    from asdbench.protocols import SectionScores, evaluate

    page = (EXPLANATION / "protocols.md").read_text()
    rows = []
    for domain, normal, anomalous in re.findall(
        r"^\| (source|target) \| ([\d. ]+) \| ([\d. ]+) \|$", page, re.MULTILINE
    ):
        rows += [(domain, 0, float(score)) for score in normal.split()]
        rows += [(domain, 1, float(score)) for score in anomalous.split()]
    assert len(rows) == 12
    section = SectionScores(
        labels=np.array([label for _, label, _ in rows]),
        domains=np.array([domain for domain, *_ in rows]),
        scores=np.array([score for *_, score in rows]),
        decisions=None,
    )
    stated = re.findall(r"^\| (20\d\d) \| (.*\d) \| (0\.\d{4}) \|$", page, re.MULTILINE)
    assert [year for year, *_ in stated] == ["2020", "2021", "2022"]
    for year, terms, score in stated:
        result = evaluate(f"dcase{year}", {("fan", "00"): section})
        assert result.official_score == pytest.approx(float(score), abs=5e-5)
        part = result.machines["fan"].sections["00"]
        domains = part.domains.values()
        ours = [one.auc for one in domains] + ([one.pauc for one in domains] if year == "2021" else [part.pauc])
        assert ours == pytest.approx([float(value) for value in re.findall(r"0\.\d{4}", terms)], abs=5e-5)
