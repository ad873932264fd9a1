"""What the documents tell a reader to do, done."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def test_the_plugin_of_the_guide_runs(cli, small_dataset, tmp_path):
    guide = (ROOT / "docs" / "plugins.md").read_text()
    code, card = (re.search(rf"```{kind}\n(# mine/.*?)```", guide, re.DOTALL)[1] for kind in ("python", "toml"))
    for text in (code, card):
        path = tmp_path / text.partition("\n")[0].removeprefix("# ")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    outcome = cli(
        "run", "--plugin-path", tmp_path / "mine", "--extractor", "raw-mel", "--scorer", "cosine",
        "-p", "cosine.centre=false", "--dataset", small_dataset, "--out", tmp_path / "runs", "--json",
    )  # fmt: skip
    assert outcome.code == 0, outcome.err
    assert outcome.json["runs"][0]["status"] == "done"


def test_every_option_that_the_documents_name_exists(cli):
    texts = (ROOT / "README.md").read_text() + "".join(path.read_text() for path in (ROOT / "docs").glob("*.md"))
    known = cli("run", "--help").out + cli("data", "make", "--help").out
    options = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", texts))
    assert len(options) > 10
    assert not [option for option in options if option not in known]


def test_every_card_that_the_documents_name_exists():
    from asdbench.registry import load_catalog

    catalog = load_catalog()
    texts = (ROOT / "README.md").read_text() + (ROOT / "docs" / "synthetic.md").read_text()
    for kind, pattern in (("extractors", r"--extractor ([\w:.-]+)"), ("scorers", r"--scorer ([\w:.-]+)")):
        for name in re.findall(pattern, texts):
            catalog.find(kind, name)
