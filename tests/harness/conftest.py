"""Plans over small data sets."""

import pytest

from asdbench.core.progress import Silent
from asdbench.harness import RunSpec, make_plan


@pytest.fixture
def plan(small_dataset, tmp_path):
    def make(**spec):
        given = {"extractor": ["raw-mel"], "scorer": ["knn"], "dataset": [str(small_dataset)], "out": tmp_path / "runs"}
        return make_plan(RunSpec(**given | spec), Silent())

    return make


@pytest.fixture
def fresh_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ASDBENCH_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def other_dataset(make_folder, dcase2023_names):
    return make_folder({"pump": dcase2023_names()})
