"""Fixtures: small recordings, caches and a command line of their own."""

import gc
import json
import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import click
import numpy as np
import official_score
import pytest
import soundfile
from browser import launched
from click.testing import CliRunner
from filelock import FileLock
from typer.main import get_command
from zygote import Zygote

import asdbench
from asdbench.core.progress import Silent

gc.disable()  # until all is imported
# Else each of hundreds of processes compiles all of asdbench, and each of the test run all tests.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
for _name in [name for name in os.environ if name.startswith("MLFLOW_")]:
    del os.environ[_name]
os.environ["ASDBENCH_TRACKING"] = "none"  # also for what is made once for a session; tests of tracking say else
MEMORY = Path("/dev/shm")
if MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > 4e9:  # whole files wait for the disk, some fifty times a run
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(MEMORY))
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # of a suite in the background; its commands would be deaf too
    signal.signal(signal.SIGINT, signal.default_int_handler)
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:  # under nohup, likewise
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


def pytest_collection_finish() -> None:
    """Let the collector of garbage leave all that was imported alone: it took a tenth of the time."""
    gc.enable()
    gc.freeze()
    gc.set_threshold(20_000, 10, 50)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real recordings and published numbers; tests that need them are skipped where they are not."""
    place = os.environ.get("ASDBENCH_TEST_DATA")
    if not place:
        pytest.skip("ASDBENCH_TEST_DATA is not set: no real recordings and published numbers to test against")
    return Path(place)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """One Chromium for the tests of a file; no longer, as Playwright leaves no room for another event loop."""
    with launched() as opened:
        yield opened


@pytest.fixture(scope="session")
def shared_folder(tmp_path_factory) -> Path:
    """One folder for all processes of the test run: what is dear is made there once, under a lock."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


@pytest.fixture(scope="session")
def small_dataset(shared_folder) -> Path:
    """Two machine types, 1 s clips, 16 + 4 for training and 16 for testing each."""
    folder = shared_folder / "data" / "small"
    maker = asdbench.build("synthetic", machines=["fan", "valve"], clip_s=1.0, train_source=16, train_target=4, test=16)
    with FileLock(shared_folder / "small.lock"):
        if not folder.is_dir():
            maker.make(folder, 2, Silent())
    return folder


@pytest.fixture(scope="session")
def session_cache(shared_folder) -> Path:
    """All processes of the test run share it, as commands share a user's cache."""
    return shared_folder / "cache"


@pytest.fixture(scope="session")
def small_synthetic(session_cache, small_dataset) -> None:
    """The data set ``synthetic`` of the session's cache is the small one; to make it in its own size takes seconds."""
    from asdbench.datasets.synthetic import SyntheticDataset
    from asdbench.harness.data import made_data
    from asdbench.registry import load_catalog

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SyntheticDataset, "make", lambda _, folder, *__: shutil.copytree(small_dataset, folder))
        made_data(load_catalog().component("datasets", "synthetic"), session_cache, 1, Silent())


@pytest.fixture(autouse=True)
def own_cache(session_cache, monkeypatch) -> Path:
    """No test touches the user's cache; features and embeddings are shared by the tests of a session."""
    monkeypatch.setenv("ASDBENCH_CACHE", str(session_cache))
    monkeypatch.delenv("ASDBENCH_PLUGIN_PATH", raising=False)
    return session_cache


@dataclass
class Outcome:
    """What a command left on its way."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        return json.loads(self.out)


@cache
def _command() -> click.Command:
    """The command line, whose options take some time to put together."""
    from asdbench.cli.app import app

    return get_command(app)


@pytest.fixture(scope="session")
def command_line() -> click.Command:
    """All verbs with their options."""
    return _command()


@pytest.fixture
def cli() -> Callable[..., Outcome]:
    """Runs ``asdbench`` in this process: ``cli("list", "scorers")``."""

    def call(*words: object) -> Outcome:
        result = CliRunner().invoke(_command(), [str(word) for word in words])
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Outcome(result.exit_code, result.stdout, result.stderr)

    return call


@pytest.fixture(scope="session")
def zygote(shared_folder) -> Iterator[Zygote]:
    """Starts commands at once, that can be killed."""
    one = Zygote(shared_folder)
    yield one
    one.end()


@pytest.fixture(name="official_score_of_files")
def _official_score_of_files() -> Callable[[Path], float]:
    """An independent computation of the official score from score files."""
    return official_score.official_score_of_files


@pytest.fixture
def write_wav() -> Callable[..., Path]:
    """Writes a recording; noise when no samples are given."""

    def write(path: Path, samples=None, rate_hz: int = 16000, seconds: float = 0.5, seed: int = 0) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        if samples is None:
            samples = 0.1 * np.random.default_rng([seed, len(str(path.name))]).standard_normal(int(seconds * rate_hz))
        soundfile.write(path, samples, rate_hz)
        return path

    return write


@pytest.fixture
def make_folder(tmp_path, write_wav) -> Callable[..., Path]:
    """Makes a small data set: ``make_folder({"pump": {"train": [names], "test": [names]}})``."""

    def make(machines: dict[str, dict[str, list[str]]], root: Path = tmp_path / "recordings") -> Path:
        count = 0
        for machine, splits in machines.items():
            for split, names in splits.items():
                (root / machine / split).mkdir(parents=True, exist_ok=True)
                for name in names:
                    count += 1
                    write_wav(root / machine / split / name, seed=count)
        return root

    return make


def names_2023(train: int = 8, test: int = 3) -> dict[str, list[str]]:
    """File names of one machine type in the DCASE 2023 layout."""
    return {
        "train": [f"section_00_source_train_normal_{i:04d}_vel_1.wav" for i in range(train)]
        + [f"section_00_target_train_normal_{i:04d}_vel_2.wav" for i in range(2)],
        "test": [
            f"section_00_{domain}_test_{label}_{i:04d}_vel_1.wav"
            for domain in ("source", "target")
            for label in ("normal", "anomaly")
            for i in range(test)
        ],
    }


@pytest.fixture
def dcase2023_names() -> Callable[..., dict[str, list[str]]]:
    return names_2023
