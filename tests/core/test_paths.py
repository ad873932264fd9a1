from pathlib import Path

import pytest

from asdbench.core.errors import UsageError
from asdbench.core.paths import cache_root, user_path
from asdbench.harness.data import data_root
from asdbench.registry import load_catalog
from asdbench.tracking.store import store_of


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def test_a_tilde_is_the_home_folder(home):
    assert user_path("~/runs") == home / "runs"
    assert user_path("~") == home
    assert user_path("runs/~") == Path("runs/~")


@pytest.mark.parametrize(("asked", "reason"), [("a\0b", "NUL"), ("~nobody9/x", "a home folder that is not known")])
def test_what_no_path_can_be_is_refused(asked, reason):
    with pytest.raises(ValueError, match=reason):
        user_path(asked)


def test_every_variable_that_names_a_place_knows_it(home, monkeypatch):
    monkeypatch.setenv("ASDBENCH_CACHE", "~/kept")
    assert cache_root() == home / "kept"
    monkeypatch.setenv("ASDBENCH_DATA", "~/data")
    assert data_root() == home / "data"
    (home / "plugin" / "registry" / "scorers").mkdir(parents=True)
    (home / "plugin" / "registry" / "scorers" / "mine.toml").write_text('summary = "x"\ntarget = "x:X"\nversion = 1\n')
    monkeypatch.setenv("ASDBENCH_PLUGIN_PATH", "~/plugin")
    assert "mine" in load_catalog().names("scorers")
    environ = {"MLFLOW_TRACKING_URI": "sqlite:///~/mlflow.db", "MLFLOW_DEFAULT_ARTIFACT_ROOT": "~/files"}
    store = store_of(home / "runs", environ)
    assert (store.file, store.artifacts) == (home / "mlflow.db", str(home / "files"))


def test_a_variable_is_named_where_its_value_is_no_place(monkeypatch):
    monkeypatch.setenv("ASDBENCH_CACHE", "~nobody9/cache")
    with pytest.raises(UsageError, match="ASDBENCH_CACHE=~nobody9/cache"):
        cache_root()
