import shutil

import pytest

from asdbench.core.digests import digest
from asdbench.core.errors import UsageError
from asdbench.core.progress import Silent
from asdbench.harness.plan import make_plan
from asdbench.harness.spec import RunSpec

SCORERS = ("knn", "gmm", "mahalanobis-lw", "mahalanobis-ml", "mahalanobis-domains", "residual-subspace")
TEMPORARY = len("..12345678.partial.json")  # round the name of an entry while it is written


def ids(tmp_path, *folders, extractor="raw-mel", scorer="knn", seed=0):
    names = [str(folder) for folder in folders]
    asked = RunSpec(extractor=[extractor], scorer=[scorer], dataset=names, seed=[seed], out=tmp_path / "runs")
    return {cell.dataset.name: cell for cell in make_plan(asked, Silent()).cells}


def copied(small_dataset, tmp_path, *names):
    return [shutil.copytree(small_dataset, tmp_path / "data" / name) for name in names]


def test_names_of_which_an_id_drops_everything_are_told_apart(small_dataset, tmp_path):
    names = ["*", "üñí 装置", "a b", "a.b", "plain"]
    cells = ids(tmp_path, *copied(small_dataset, tmp_path, *names))
    assert set(cells) == set(names)
    assert len({cell.run_id for cell in cells.values()}) == len(names)
    digests = {cell.run_id.rpartition("-")[2] for cell in cells.values()}
    assert len(digests) == 4  # a name that the id tells is no part of its digest: ids are what they always were


def test_an_id_without_oddities_is_what_it_always_was(small_dataset, tmp_path):
    (cell,) = ids(tmp_path, small_dataset).values()
    depends = {
        **cell.identity(),
        "scorer": cell.scorer.identity(),
        "clips": cell.dataset.fingerprint,
        "protocol": "dcase2023",
        "seed": 0,
        "device": ["cpu", 1],
        "names": ["raw-mel", "knn"],
    }
    assert cell.run_id == f"raw-mel-knn-small-s0-{digest(depends, 10)}"


def test_no_id_is_longer_than_file_systems_take_and_long_names_are_told_apart(small_dataset, tmp_path):
    names = ["pumps" * 48, "pumps" * 48 + "2"]
    members = ",".join(f"{extractor}:{scorer}" for extractor in ("raw-mel", "psd") for scorer in SCORERS)
    few = ids(tmp_path, *copied(small_dataset, tmp_path, *names))
    many = ids(tmp_path, small_dataset, extractor=members, scorer="ensemble", seed=2**62)
    found = [cell.run_id for cell in (*few.values(), *many.values())]
    assert len(set(found)) == 3
    for run_id in found:
        assert len(run_id) + TEMPORARY < 200
        assert run_id.rpartition("-")[2].isalnum()


def test_a_machine_type_whose_score_files_no_file_system_takes_is_refused_before_any_work(small_dataset, tmp_path):
    (folder,) = copied(small_dataset, tmp_path, "long")
    (folder / "fan").rename(folder / ("装" * 70))  # 210 bytes
    with pytest.raises(UsageError, match="too long a name"):
        ids(tmp_path, folder)
    (folder / ("装" * 70)).rename(folder / ("装" * 60))
    assert ids(tmp_path, folder)


def test_a_machine_type_named_like_a_score_file_is_told_from_others_or_refused(small_dataset, tmp_path, cli):
    (folder,) = copied(small_dataset, tmp_path, "named")
    (folder / "valve").rename(folder / "fan_section_01_test")
    words = ("--dataset", folder, "--extractor", "raw-mel", "--scorer", "knn", "--out", tmp_path / "runs")
    (run,) = cli("run", *words, "--json").json["runs"]
    found = cli("evaluate", tmp_path / "runs" / run["run_id"], "--json").json
    assert found["official_score"] == run["official_score"]
    assert set(found["machines"]) == {"fan", "fan_section_01_test"}
    (folder / "fan").rename(folder / "DCASE2024T2fan")
    with pytest.raises(UsageError, match="taken for those of 'fan'"):
        ids(tmp_path, folder)
