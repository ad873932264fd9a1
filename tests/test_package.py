"""The wheel, as a stranger installs it."""

import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
import yaml

import asdbench

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.slow
def test_the_wheel_brings_the_cards_and_finds_them(tmp_path):
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)],
        cwd=ROOT, check=True, capture_output=True,
    )  # fmt: skip
    (wheel,) = tmp_path.glob("*.whl")
    site = tmp_path / "site"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    cards = {path.relative_to(ROOT / "registry") for path in (ROOT / "registry").glob("**/*.toml")}
    assert cards == {
        path.relative_to(site / "asdbench/_registry") for path in site.glob("asdbench/_registry/**/*.toml")
    }
    code = "import asdbench, asdbench.registry as r; print(asdbench.__file__); print(r.load_catalog().names('scorers'))"
    shown = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={"PYTHONPATH": str(site)},
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    assert str(site) in shown
    assert f"-{asdbench.__version__}-" in wheel.name, "the version stands in one place"
    assert "mahalanobis-ml" in shown


def test_the_version_stands_in_one_place():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert project["project"]["dynamic"] == ["version"]
    assert (ROOT / project["tool"]["hatch"]["version"]["path"]).samefile(asdbench.__file__)


def test_hooks_run_what_the_checks_run():
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"][0]["hooks"]
    entries = [hook["entry"] for hook in hooks]
    assert [entry.partition(" --")[0] for entry in entries] == [
        ".venv/bin/ruff check",
        ".venv/bin/ruff format",
        "make types",
    ]


def test_the_hosted_workflow_runs_targets_that_exist_on_the_pythons_that_are_promised():
    jobs = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text())["jobs"]
    runs = [step["run"].split() for job in jobs.values() for step in job["steps"] if "run" in step]
    targets = {word for make, python, *words in runs for word in words if (make, python) == ("make", "PYTHON=python")}
    made = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert {"test", "lint", "types", "docs", "boards-check", "release-check"} == targets & made
    classifiers = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["classifiers"]
    promised = [name.rpartition(" ")[2] for name in classifiers if re.search(r":: 3\.\d+$", name)]
    assert jobs["tests"]["strategy"]["matrix"]["python"] == promised


def test_citation_and_changelog_have_the_version():
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert {"cff-version", "message", "title", "authors"} <= set(cited), "what the format asks for"
    assert cited["version"] == asdbench.__version__
    assert f"\n## [{asdbench.__version__}] - {cited['date-released']}\n" in (ROOT / "CHANGELOG.md").read_text()
