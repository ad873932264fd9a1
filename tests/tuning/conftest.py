"""``asdbench tune`` on the small recordings."""

import pytest


@pytest.fixture
def tune(cli, small_dataset, tmp_path, monkeypatch):
    """Runs ``asdbench tune`` on the small recordings in a folder of its own; the study as JSON."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("asdbench.tuning.tune.write_study_report", lambda *_: None)  # seconds, and not looked at here

    def call(*words, extractor="raw-mel", scorer=("knn",), code=0):
        parts = [word for name in scorer for word in ("--scorer", name)]
        done = cli("tune", "--dataset", small_dataset, "--extractor", extractor, *parts, "--json", *words)
        assert done.code == code, done.err
        return done

    return call
