"""The notebooks of examples/ run from the first cell to the last, and hold small outputs."""

import json
from pathlib import Path

import pytest
from notebooks import EXAMPLES, environment_of

NOTEBOOKS = sorted(EXAMPLES.glob("*.ipynb"))


@pytest.mark.usefixtures("small_synthetic")
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs(path, zygote, own_cache, tmp_path, monkeypatch):
    shown = json.loads(path.read_text())["cells"]
    log = tmp_path / "log"
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    command = zygote.start(path, cache=own_cache, log=log, **environment_of(tmp_path))
    assert zygote.wait(command) == 0, log.read_text()
    assert all(cell["execution_count"] for cell in shown if cell["cell_type"] == "code"), "make notebooks fills it"
    assert path.stat().st_size < 100_000


def test_the_page_of_the_tutorials_names_all_of_them():
    page = Path(EXAMPLES, "README.md").read_text()
    assert len(NOTEBOOKS) == 5
    assert all(f"({path.name})" in page for path in NOTEBOOKS)
