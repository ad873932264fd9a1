"""What is well is said to be, and what is not comes with what to do."""

import os
import platform
import sqlite3
import subprocess
import sys
from contextlib import closing
from importlib import metadata
from types import SimpleNamespace

import pytest

from asdbench.cli import health
from asdbench.core.locks import exclusive
from asdbench.tracking.store import store_of


@pytest.fixture
def look(cli, tmp_path, monkeypatch):
    """State, what was found and advice by name, in a place where all is well."""
    for name in ("ASDBENCH_DATA", "ASDBENCH_TRACKING", "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ASDBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(health, "TIGHT", 0)
    monkeypatch.setattr(health, "DEVICES", ())

    def call(**variables):
        for name, value in variables.items():
            monkeypatch.setenv(name, str(value))
        outcome = cli("doctor", "--out", tmp_path / "runs", "--json")
        found = outcome.json
        assert outcome.code == (0 if found["well"] else 1)
        assert found["well"] == all(one["state"] != "problem" for one in found["checks"])
        assert all(one["advice"] for one in found["checks"] if one["state"] != "ok")
        checks = {}
        for one in found["checks"]:
            checks.setdefault(one["name"], []).append(one)
        return {name: max(some, key=lambda one: one["state"] == "problem") for name, some in checks.items()}

    return call


def test_all_is_well(look, tmp_path):
    checks = look()
    assert {one["state"] for one in checks.values()} <= {"ok", "note"}  # a container may limit its cores
    assert set(checks) >= {"asdbench", "python", "packages", "device", "cores", "cache", "data", "weights", "runs"}
    assert "torch " in checks["packages"]["found"]
    assert f"{tmp_path / 'runs' / 'mlflow.db'}, made by the first run" in checks["tracking"]["found"]
    assert not list(tmp_path.iterdir()), "looking leaves no trace"


def test_packages_that_are_missing_or_of_another_version(look, monkeypatch):
    monkeypatch.setattr(health, "requirements", lambda: ["nothing-such>=2", "pytest<1", "pytest>=2; extra == 'ray'"])
    assert look()["packages"]["state"] == "problem"
    found = {one.found: one.advice for one in health._packages() if one.state == "problem"}
    assert found["nothing-such is not installed"] == 'pip install "nothing-such>=2"'
    assert any(text.startswith("pytest ") and text.endswith("is not <1") for text in found)


def test_a_gpu_that_torch_does_not_see(look, monkeypatch, tmp_path):
    def torch(**cuda):
        version = SimpleNamespace(cuda=cuda.pop("build"))
        return SimpleNamespace(
            cuda=SimpleNamespace(**{name: lambda *_, v=v: v for name, v in cuda.items()}), version=version
        )

    monkeypatch.setattr(health, "DEVICES", (str(tmp_path),))
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setitem(sys.modules, "torch", torch(build=None, is_available=False))
    device = look()["device"]
    assert (device["state"], "is a build for the CPU alone" in device["found"]) == ("note", True)
    there = torch(build="13.0", is_available=True, device_count=1, get_device_name="NVIDIA X")
    monkeypatch.setitem(sys.modules, "torch", there)
    device = look()["device"]
    assert (device["state"], device["found"][:14]) == ("ok", "cuda: NVIDIA X")


def test_builds_of_torch_that_do_not_load_together(look, monkeypatch):
    version = metadata.version
    mixed = {"torch": "2.13.0+cpu", "torchaudio": "2.11.0", "torchvision": "0.28.0+cpu"}
    monkeypatch.setattr(metadata, "version", lambda name: mixed.get(name) or version(name))
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(sys, "platform", "linux")
    device = look()["device"]
    assert (device["state"], "torchaudio are not" in device["found"]) == ("problem", True)
    assert device["advice"].startswith("uv pip install --torch-backend cpu --reinstall 'torch==2.13.0' ")


def test_places_that_cannot_be_written_to_and_full_disks(look, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    cache = look(ASDBENCH_CACHE=tmp_path / "file" / "cache")["cache"]
    assert (cache["state"], cache["advice"]) == ("problem", "Set ASDBENCH_CACHE to a folder that you may write to.")
    monkeypatch.setattr(health, "FULL", 1e18)
    full = look(ASDBENCH_CACHE=tmp_path / "cache")["cache"]
    assert (full["state"], "asdbench cache prune" in full["advice"]) == ("problem", True)


def test_the_data_root(look, tmp_path):
    assert look(ASDBENCH_DATA=tmp_path / "none")["data"]["state"] == "problem"
    (tmp_path / "data" / "dcase2023" / "eval_data").mkdir(parents=True)
    assert look(ASDBENCH_DATA=tmp_path / "data")["data"]["found"] == f"{tmp_path / 'data'}: dcase2023 (eval)"


def test_the_store_of_tracking(look, tmp_path):
    away = look(MLFLOW_TRACKING_URI="http://127.0.0.1:9")["tracking"]
    assert (away["state"], "does not answer" in away["found"]) == ("problem", True)
    with closing(sqlite3.connect(tmp_path / "a.db")) as database, database:
        database.execute("CREATE TABLE alembic_version (version_num TEXT)")
        database.execute("INSERT INTO alembic_version VALUES ('of tomorrow')")
    newer = look(MLFLOW_TRACKING_URI=f"sqlite:///{tmp_path / 'a.db'}")["tracking"]
    assert (newer["state"], "Update MLflow" in newer["advice"]) == ("problem", True)
    with closing(sqlite3.connect(tmp_path / "b.db")) as database, database:
        database.execute("CREATE TABLE alembic_version (version_num TEXT)")
        database.execute("INSERT INTO alembic_version VALUES ('0584bdc529eb')")  # one of MLflow 3's own
    older = {"MLFLOW_TRACKING_URI": f"sqlite:///{tmp_path / 'b.db'}"}
    assert "mlflow db upgrade" in look(**older)["tracking"]["advice"]
    with exclusive(store_of(tmp_path / "runs").lock):  # as a command has it that makes the tables
        assert look(**older)["tracking"]["state"] == "ok"
    assert look(ASDBENCH_TRACKING="none")["tracking"]["state"] == "ok"
    assert look(ASDBENCH_TRACKING="nothing")["tracking"]["found"].startswith("ASDBENCH_TRACKING=nothing")


def test_no_line_is_wider_than_the_terminal(cli, monkeypatch, tmp_path):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.delenv("ASDBENCH_TRACKING")
    monkeypatch.setenv("COLUMNS", "80")
    text = cli("doctor", "--out", "runs").out
    assert max(len(line) for line in text.splitlines() if str(tmp_path) not in line) <= 80
    assert "\n                     -> Start it;" in text


def test_nothing_heavy_is_imported():
    code = (
        "import sys\n"
        "from asdbench.cli.app import app\n"
        "app(['doctor'], standalone_mode=False)\n"
        "heavy = {'torch', 'mlflow', 'sklearn', 'pyod', 'pandas', 'optuna'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL, env=os.environ)
