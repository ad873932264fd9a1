"""The notebooks of examples/ run from the first cell to the last, and hold small outputs."""

import json
from pathlib import Path

import pytest
from notebooks import EXAMPLES, executed

NOTEBOOKS = sorted(EXAMPLES.glob("*.ipynb"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs(path, tmp_path, monkeypatch):
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "runtime"))
    shown = json.loads(path.read_text())["cells"]
    assert executed(path, tmp_path).cells
    assert all(cell["execution_count"] for cell in shown if cell["cell_type"] == "code"), "make notebooks fills it"
    assert path.stat().st_size < 100_000


def test_the_page_of_the_tutorials_names_all_of_them():
    page = Path(EXAMPLES, "README.md").read_text()
    assert len(NOTEBOOKS) == 5
    assert all(f"({path.name})" in page for path in NOTEBOOKS)
