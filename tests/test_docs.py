"""What the documents tell a reader to do, done."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
HOW_TO, EXPLANATION = ROOT / "docs" / "how-to", ROOT / "docs" / "explanation"
OF_OTHERS = {
    "--no-deps",  # pip
    "--env-manager",  # MLflow
    "--ray",  # benchmarks/cost.py
    "--data-binary",  # curl
    *("--head", "--port", "--address", "--num-cpus", "--num-gpus", "--min-nodes", "--generate"),  # Ray
    *("--nodes", "--ntasks-per-node", "--cpus-per-task", "--gpus-per-node", "--exclusive"),  # Slurm
}


def test_the_plugin_of_the_guide_runs(cli, small_dataset, tmp_path):
    guide = (HOW_TO / "plugins.md").read_text()
    blocks = re.findall(r"```(?:python|toml)\n(# mine/.*?)```", guide, re.DOTALL)
    assert len(blocks) == 4
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
    for name in ("cosine", "clip"):
        checked = cli("check", name, "--plugin-path", tmp_path / "mine")
        assert checked.code == 0, checked.out


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


@pytest.mark.parametrize("page", ["python.md", "detectors.md"])
def test_the_code_of_the_pages_for_python_runs(page, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", (HOW_TO / page).read_text(), re.DOTALL)
    exec("".join(blocks), {})
    shown = capsys.readouterr().out
    assert page != "python.md" or "mahalanobis-lw" in shown
    assert "failed" not in shown


def test_every_option_that_the_documents_name_exists(cli):
    texts = (ROOT / "README.md").read_text() + "".join(path.read_text() for path in (ROOT / "docs").rglob("*.md"))
    verbs = (
        ["run"],
        ["check"],
        ["evaluate"],
        ["submit"],
        ["compare"],
        ["transfer"],
        ["report"],
        ["tune"],
        ["cache", "prune"],
        ["leaderboard", "add"],
        ["track", "sync"],
        ["track", "model"],
        ["ui"],
        ["reproduce"],
        ["weights", "get"],
        *([verb] for verb in ("fit", "score", "serve", "export")),
        *(["data", verb] for verb in ("make", "download", "verify", "info")),
    )
    known = "".join(cli(*verb, "--help").out for verb in verbs)
    options = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", texts))
    assert len(options) > 10
    assert not [option for option in options - OF_OTHERS if option not in known]


def test_every_card_that_the_documents_name_exists():
    from asdbench.registry import load_catalog

    catalog = load_catalog()
    texts = (ROOT / "README.md").read_text() + "".join(
        path.read_text() for path in (EXPLANATION / "synthetic.md", HOW_TO / "choosing.md")
    )
    for kind, pattern in (("extractors", r"--extractor ([\w:.,+-]*\w)"), ("scorers", r"--scorer ([\w:.+-]*\w)")):
        for name in re.findall(pattern, texts):
            catalog.find(kind, name)


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
