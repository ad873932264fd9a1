"""What an author gets wrong is answered where the name is asked for, with file and line of the plugin."""

import json
import sys
import textwrap
from pathlib import Path

import pytest

from asdbench.core.errors import AsdbenchError
from asdbench.core.faults import fault_of, is_internal
from asdbench.registry import load_catalog

SCORER = """
import numpy as np
from asdbench.scorers import Scorer

class Mine(Scorer):
    def __init__(self, *, power):
        super().__init__()
        self.power = power

    def fit(self, embeddings, clips):
        self.mean = embeddings.mean(axis=0)

    def score(self, embeddings):
        return np.linalg.norm(embeddings - self.mean, axis=1).astype(np.float64)
"""
CARD = """
summary = "Distance to the mean."
target = "MODULE:Mine"
version = 1
[params.power]
default = 2.0
help = "Exponent."
"""


@pytest.fixture
def plugin(tmp_path, monkeypatch, request):
    """Writes ``mine/``: its module, altered, and a card; the module has a name of its own in each test."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    module = f"mine_{abs(hash(request.node.nodeid))}"

    def write(*changes, code=SCORER, card=CARD, kind="scorers", name="mine"):
        for before, after in changes:
            assert before in code + card, before
            code, card = code.replace(before, after), card.replace(before, after)
        cards = tmp_path / "mine" / "registry" / kind
        cards.mkdir(parents=True, exist_ok=True)
        (tmp_path / "mine" / f"{module}.py").write_text(textwrap.dedent(code).lstrip())
        (cards / f"{name}.toml").write_text(card.replace("MODULE", module))
        return module

    return write


def line_of(module, text):
    lines = Path(f"mine/{module}.py").read_text().splitlines()
    return next(number for number, line in enumerate(lines, 1) if text in line)


def refused(kind="scorers", name="mine"):
    with pytest.raises(AsdbenchError) as caught:
        load_catalog([Path("mine")]).component(kind, name).build()
    return str(caught.value)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ([("[params.power]", "[params.pwer]")], "the card's parameter 'pwer' is no argument of Mine"),
        ([("[params.power]", "[params.pwer]")], "Did you mean 'power'?"),
        ([("*, power", "*, power, root")], "asks for 'root', which is no parameter of the card"),
        ([("*, power", "power, /")], "the argument 'power' of Mine (mine/FILE.py, line 4) cannot be given by name"),
        ([("    def score(", "    def scores(")], "Mine (mine/FILE.py, line 4) has no score"),
        ([("(Scorer)", "")], "has no training_scores and no notes; a subclass of asdbench.scorers.Scorer"),
        ([("        super().__init__()\n", "")], "has no notes; a subclass of asdbench.scorers.Scorer whose __init__"),
        ([("self.power = power", "self.power = 1 / 0")], "ZeroDivisionError: division by zero (mine/FILE.py, line 7)"),
        ([("import numpy as np", "import numpi as np")], "No module named 'numpi' (mine/FILE.py, line 1)"),
        ([("import numpy as np", "raise SystemExit(3)")], "SystemExit: 3 (mine/FILE.py, line 1)"),
        ([("def fit(self, embeddings, clips):", "def fit(self")], "(mine/FILE.py, line 9)"),
    ],
)  # fmt: skip
def test_what_cannot_be_built_says_where_and_why(plugin, changes, expected):
    module = plugin(*changes)
    told = refused()
    assert expected.replace("FILE", module) in told
    assert "'mine'" in told


def test_a_broken_card_is_answered_in_run_as_in_list(plugin, cli):
    plugin(("summary", "sumary"))
    words = ("--plugin-path", "mine", "--extractor", "raw-mel", "--scorer")
    for name in ("mine", "whiten+mine"):
        told = cli("run", *words, name)
        assert told.code == 2
        assert "mine/registry/scorers/mine.toml: unknown key 'sumary'. Did you mean 'summary'?" in told.err
        assert "No scorer" not in told.err
    assert "unknown key 'sumary'" in cli("show", "--plugin-path", "mine", "mine").err
    assert "unknown key 'sumary'" in cli("list", "--plugin-path", "mine").err


@pytest.mark.parametrize(
    ("change", "stage"),
    [
        (("self.mean = embeddings.mean(axis=0)", "self.mean = embeddings @ np.ones(3)"), "score"),
        (("return np.linalg", "return self.median + np.linalg"), "score"),
    ],
)
def test_what_a_scorer_raises_is_recorded_with_its_line_and_its_lines_alone(plugin, cli, small_dataset, change, stage):
    module = plugin(change)
    words = ("--extractor", "raw-mel", "--scorer", "mine", "--dataset", small_dataset, "--out", "runs")
    told = cli("run", "--plugin-path", "mine", *words, "--json")
    assert told.code == 1
    failure = json.loads(Path("runs", told.json["runs"][0]["run_id"], "run.json").read_text())["failures"][0]
    line = line_of(module, change[1][:20])
    assert failure["stage"] == stage
    assert failure["reason"].endswith(f"(mine/{module}.py, line {line})")
    assert f"{module}.py" in failure["detail"]
    assert "harness" not in failure["detail"]


def test_a_front_end_that_raises_costs_its_runs_alone_and_says_where(plugin, cli, small_dataset):
    code = """
    class Mine:
        sample_rate_hz, channel, frame_rate_hz, min_samples = 16000, "0", 16000.0, 1
        def __init__(self, *, power): pass
        def __call__(self, waveform):
            return waveform[:, None, None] / int("no number")
    """
    module = plugin(code=code, kind="frontends")
    words = ("--extractor", "raw-mel", "--scorer", "knn", "--frontend", "mine", "--dataset", small_dataset)
    told = cli("run", "--plugin-path", "mine", *words, "--out", "runs", "--json")
    assert told.code == 1, told.err
    (failure,) = told.json["runs"][0]["failures"]
    assert failure["stage"] == "features"
    assert failure["reason"].endswith(f"'no number' (mine/{module}.py, line 5)")


def test_scores_that_are_no_numbers_are_refused_in_words(plugin, cli, small_dataset):
    plugin(("return np.linalg.norm(embeddings - self.mean, axis=1).astype(np.float64)", "return ['high'] * 3"))
    words = ("--extractor", "raw-mel", "--scorer", "mine", "--dataset", small_dataset, "--out", "runs", "--json")
    told = cli("run", "--plugin-path", "mine", *words)
    assert told.json["runs"][0]["failures"][0]["reason"].startswith("mine gave scores that are no real numbers")


def test_whose_code_a_file_is(tmp_path):
    import numpy

    import asdbench

    assert all(is_internal(module.__file__) for module in (asdbench, numpy, json))
    assert is_internal("<frozen importlib._bootstrap>")
    assert not is_internal(__file__)
    assert not is_internal("<ipython-input-3-abc>")
    installed = tmp_path / "site-packages" / "theirs" / "code.py"
    assert is_internal(str(installed))
    (installed.parent / "registry" / "scorers").mkdir(parents=True)
    (installed.parent / "registry" / "scorers" / "x.toml").touch()
    assert not is_internal(str(installed)), "a plugin that was installed"


def test_a_fault_of_asdbench_itself_keeps_its_traceback():
    from asdbench.core.digests import file_digest

    try:
        file_digest(None)
    except Exception as error:
        error.__traceback__ = error.__traceback__.tb_next  # without the line of this test
        fault = fault_of(error)
    assert fault.place == ""
    assert "digests.py" in fault.detail
