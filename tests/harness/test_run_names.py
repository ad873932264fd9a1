"""A run is named in the same ways in every command."""

import os

import pytest
from made_runs import made_run

from asdbench.core.errors import RequirementError, UsageError
from asdbench.harness.run_names import find_run, named_runs, short_names


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    """Two seeds of raw-mel + knn, one of raw-mel + knn-ldn, and one of a system's card, which ended last."""
    out = tmp_path_factory.mktemp("named") / "runs"
    made_run(out, "raw-mel", "knn", 0, dataset="pumps")
    made_run(out, "raw-mel", "knn", 1, dataset="pumps")
    made_run(out, "raw-mel", "knn-ldn", 0, dataset="pumps")
    made_run(out, "raw-mel", "gmm", 0, dataset="pumps", system="guan2023-twfr-gmm")
    for path in out.glob("*/run.json"):
        ended = 2000 if "gmm" in path.parent.name else 1000
        os.utime(path, (ended, ended))
    return out


def ids(out, *parts):
    return sorted(path.name for path in out.iterdir() if all(part in path.name for part in parts))


def test_one_run_has_many_names(out):
    (folder,) = [path for path in out.iterdir() if "knn-ldn" in path.name]
    digest = folder.name.rpartition("-")[2]
    for name in (folder.name, folder.name[:-3], digest, digest[:8], "ldn", "raw-mel+knn-ldn", "raw-mel-knn-ldn"):
        assert find_run(name, out) == folder, name
    for name in (str(folder), f"{out}/ldn", f"{out}/raw-mel+knn-ldn"):
        assert find_run(name, out / "elsewhere") == folder, name


def test_latest_is_the_run_that_ended_last_and_a_card_names_its_run(out):
    assert find_run("latest", out) == find_run("guan2023-twfr-gmm", out) == find_run("guan", out)
    assert "gmm" in find_run("latest", out).name


def test_a_system_means_all_its_runs_and_where_one_is_wanted_they_are_listed(out):
    both = ids(out, "knn-pumps")
    assert [folder.name for folder in named_runs("raw-mel + knn", out)] == both
    assert [folder.name for folder in named_runs("raw-mel-knn", out)] == both, "not those of raw-mel-knn-ldn"
    with pytest.raises(UsageError, match="means 2 runs") as told:
        find_run("raw-mel+knn", out)
    assert all(f"\n  {name}\n" in str(told.value) for name in both)


def test_what_means_none_or_is_a_part_of_several_is_refused(out, tmp_path):
    with pytest.raises(UsageError, match="'pumps' means 4 runs"):
        named_runs("pumps", out)
    with pytest.raises(UsageError, match=r"No run 'raw-mel\+kn' in .*, and no system\. Did you mean 'raw-mel \+ knn'"):
        named_runs("raw-mel+kn", out)
    with pytest.raises(RequirementError, match="There is no folder"):
        named_runs("latest", tmp_path / "none")
    with pytest.raises(RequirementError, match=r"there is no run\.json"):
        named_runs(str(out), out)


def test_the_short_name_of_each_run_means_it_alone(out):
    for whole, short in short_names(ids(out)).items():
        assert find_run(short, out).name == whole
        assert len(short) < 15


@pytest.mark.parametrize(
    "verb",
    [
        "report NAME",
        "evaluate NAME",
        "runs show NAME",
        "leaderboard add NAME",
        "fit --from NAME --to FILE.asd",
        "track model NAME --to FILE",
        "compare NAME latest",
        "submit NAME --label Sato_NTU_task2_1",
    ],
)
def test_every_command_asks_the_same_place(cli, out, tmp_path, verb):
    option = "--runs" if verb.startswith("submit") else "--out"
    for name, message in (("nothing-such", "No run 'nothing-such' in"), ("pumps", "'pumps' means 4 runs:")):
        words = verb.replace("NAME", name).replace("FILE", str(tmp_path / "x")).split()
        outcome = cli(*words, option, out)
        assert (outcome.code, message in outcome.err) == (2, True), outcome.err
    assert not list(tmp_path.iterdir())
