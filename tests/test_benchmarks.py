"""How benchmarks are run, compared and shown; what they measure is not tested here."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
HERE = ROOT / "benchmarks"
LIBRARY = {"all", "timing", "own_data", "results", "render"}
PLANS = 'PLANS = {name: Plan() for name in ("fine", "fails", "sleeps")}'
FINE = "from timing import tell\ntell('fine, against nothing', 3.0, 2.0, 1.5, at_most=2)\n"
FAILS = "from timing import tell\ntell('half, against nothing', 1.0, 2.0, 0.5)\nraise SystemExit(3)\n"
SLEEPS = "import time\nfrom timing import skip\nskip('librosa', 'it is missing')\ntime.sleep(60)\n"


@pytest.fixture
def render(monkeypatch):
    monkeypatch.syspath_prepend(HERE)
    import render

    return render


@pytest.fixture
def folder(tmp_path):
    """Benchmarks that take no time, beside the code that runs them, in a repository of their own."""
    place = tmp_path / "repository" / "benchmarks"
    place.mkdir(parents=True)
    for name in ("timing", "results"):
        (place / f"{name}.py").write_text((HERE / f"{name}.py").read_text())
    before, plans, after = re.split(r"(^PLANS = .*?^}$)", (HERE / "all.py").read_text(), flags=re.M | re.S)
    assert "startup" in plans
    (place / "all.py").write_text(before + PLANS + after)
    for name, code in (("fine", FINE), ("fails", FAILS), ("sleeps", SLEEPS)):
        (place / f"{name}.py").write_text(code)
    subprocess.run(["git", "init", "-q", place.parent], check=True)
    return place


def run(folder, *words):
    return subprocess.run([sys.executable, folder / "all.py", *words], capture_output=True, text=True, check=False)


def commit(folder):
    who = ("-c", "user.name=a", "-c", "user.email=a@b.c")
    for words in (("add", "benchmarks/results.json"), (*who, "commit", "-qm", "results")):
        subprocess.run(["git", "-C", folder.parent, *words], check=True)


def test_the_page_shows_the_results(render):
    text = render.PAGE.read_text()
    assert render.rendered(text, render.results.read(render.results.COMMITTED)) == text, "python benchmarks/render.py"


def test_every_benchmark_is_in_the_readme_and_names_of_rows_differ(render):
    import all as running  # the script

    text = (HERE / "README.md").read_text()
    scripts = {path.stem for path in HERE.glob("*.py")}
    assert scripts >= {*running.PLANS}
    for name in scripts - LIBRARY:
        assert f"| {name}.py |" in text, f"{name}.py is not in benchmarks/README.md"
    found = render.results.read(render.results.COMMITTED)
    names = [row["name"] for one in found["benchmarks"].values() for row in one["rows"]]
    assert len(names) == len(set(names))


def test_one_that_fails_or_takes_too_long_loses_no_other(folder):
    failed = run(folder, "fails", "fine")
    assert failed.returncode == 1
    assert "fails: failed with exit code 3" in failed.stdout
    assert json.loads((folder / "results.json").read_text())["benchmarks"]["fine"]["status"] == "done"
    ended = run(folder, "sleeps", "fine", "--minutes", "0.03")
    assert ended.returncode == 1
    assert "sleeps: stopped after" in ended.stdout
    found = json.loads((folder / "results.json").read_text())
    assert [row["name"] for row in found["benchmarks"]["fails"]["rows"]] == ["half, against nothing"]
    assert found["benchmarks"]["fine"]["status"] == "left out: no time left"
    assert {"cpu", "cores", "memory_gib", "os", "python", "libraries"} == {*found["machine"]}
    assert "left out: it is missing" in ended.stdout


def test_a_benchmark_ends_with_the_command_that_runs_it(folder):
    (folder / "sleeps.py").write_text("import os, pathlib, time\npathlib.Path(__file__ + '.pid').write_text("
                                      "str(os.getpid()))\ntime.sleep(60)\n")  # fmt: skip
    noted = folder / "sleeps.py.pid"
    with subprocess.Popen([sys.executable, folder / "all.py", "sleeps"], stdout=subprocess.DEVNULL) as process:
        while not (noted.exists() and noted.read_text()):
            time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 143
    with suppress(ProcessLookupError):
        os.kill(int(noted.read_text()), 0)
        pytest.fail("it still runs")


def test_names_alone_leave_the_others_as_they_are_and_another_machine_is_refused(folder):
    run(folder, "fails")
    assert run(folder, "fine").returncode == 0
    found = json.loads((folder / "results.json").read_text())
    assert found["benchmarks"].keys() == {"fails", "fine"}
    found["machine"]["cores"] = 4096
    (folder / "results.json").write_text(json.dumps(found))
    refused = run(folder, "fine")
    assert "cores was 4096" in refused.stderr
    assert refused.returncode == 1
    assert run(folder, "fine", "--out", folder.parent / "other.json").returncode == 0
    assert "no benchmark 'fin'" in run(folder, "fin").stderr


@pytest.mark.parametrize(("was", "marked"), [(1.0, True), (1.45, False), (3.0, False)])
def test_a_ratio_that_grew_by_a_tenth_since_the_last_commit_is_marked(folder, was, marked):
    run(folder, "fine")
    text = (folder / "results.json").read_text()
    (folder / "results.json").write_text(text.replace('"ratio": 1.5', f'"ratio": {was}'))
    commit(folder)
    ended = run(folder, "fine")
    assert ("slower: 1.50 of before" in ended.stdout) == marked
    assert ended.returncode == marked


def test_a_page_says_what_is_missing_and_what_is_missed(render):
    rows = [
        {"name": "a", "ratio": 2.0, "measured": 2.0, "reference": 1.0, "unit": "s", "at_most": 1.0},
        {"name": "b", "skipped": "no librosa"},
    ]
    machine = {"cpu": "X", "cores": 2, "memory_gib": 8, "os": "Linux", "python": "3.11", "libraries": {"numpy": "2"}}
    one = {"status": "done", "seconds": 1.0, "commit": "c", "date": "2026-01-01", "rows": rows}
    other = {"status": "failed with exit code 1", "seconds": 1.0, "commit": "c", "date": "2026-01-02", "rows": []}
    shown = render.region({"machine": machine, "benchmarks": {"one": one, "other": other}})
    assert "| a | 2 s | 1 s | **2.00** | 1 |" in shown
    assert "Left out: b: no librosa; `other`: failed with exit code 1." in shown
    assert "2026-01-01 to 2026-01-02: X, 2 cores, 8 GiB, Linux; Python 3.11, numpy 2." in shown
