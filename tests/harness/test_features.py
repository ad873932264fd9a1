"""Features of several front ends come of one decoding, with the results of each alone."""

import pytest

from asdbench.core.errors import DataError
from asdbench.core.progress import Silent
from asdbench.frontends import decoding
from asdbench.harness.experiment import execute

BINS = [16, 32]


@pytest.fixture
def decoded(monkeypatch):
    """Paths that were decoded, one after the other."""
    paths, decode = [], decoding.decode

    def counted(path, frontend):
        paths.append(path)
        return decode(path, frontend)

    monkeypatch.setattr(decoding, "decode", counted)
    return paths


@pytest.mark.usefixtures("fresh_cache")
def test_a_matrix_of_front_ends_decodes_every_recording_once(plan, decoded, tmp_path, monkeypatch):
    together = plan(vary={"frontend.n_mels": BINS}, scorer=["knn", "random"])
    records = list(execute(together, Silent()))
    assert [record.status for record in records] == ["done"] * 4
    assert sorted(decoded) == sorted(clip.path for clip in together.datasets[0])
    assert all(record.seconds["features"] > 0 for record in records)
    monkeypatch.setenv("ASDBENCH_CACHE", str(tmp_path / "other"))
    alone = [
        record
        for bins in BINS
        for record in execute(
            plan(params={"frontend.n_mels": str(bins)}, scorer=["knn", "random"], out=tmp_path / "alone"), Silent()
        )
    ]
    results = {record.run_id: record.digests for record in records}
    assert results == {record.run_id: record.digests for record in alone}


@pytest.mark.usefixtures("fresh_cache")
def test_a_front_end_that_fails_costs_no_other(plan, monkeypatch):
    from asdbench.frontends.log_mel import LogMel

    call = LogMel.__call__

    def fail(self, waveform):
        if self._mel._count == BINS[0]:
            raise RuntimeError("odd")
        return call(self, waveform)

    monkeypatch.setattr(LogMel, "__call__", fail)
    one, other = execute(plan(vary={"frontend.n_mels": BINS}), Silent())
    assert {one.frontend.params["n_mels"]: one.status, other.frontend.params["n_mels"]: other.status} == {
        BINS[0]: "failed",
        BINS[1]: "done",
    }
    (failure,) = next(record for record in (one, other) if record.status == "failed").failures
    assert (failure.stage, "odd" in failure.reason) == ("features", True)


@pytest.mark.usefixtures("fresh_cache")
def test_recordings_that_cannot_be_used_are_said_once(make_folder, dcase2023_names, plan):
    root = make_folder({"pump": dcase2023_names()})
    sorted((root / "pump" / "test").iterdir())[0].write_bytes(b"")
    with pytest.raises(DataError, match="the file is empty") as caught:
        list(execute(plan(dataset=[str(root)], vary={"frontend.n_mels": BINS}), Silent()))
    assert len(caught.value.problems) == 1
