import tomllib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_runs import made_run
from made_studies import made_study, made_trial, plain_part

from asdbench.core.progress import Silent
from asdbench.harness import request
from asdbench.harness.plan import make_plan
from asdbench.harness.record import load_record, write_record
from asdbench.harness.spec import RunSpec, read_spec
from asdbench.tuning.best import run_file, write_best

TUNED = {"scorer": "mahalanobis-ml", "simclr.temperature": 0.1 + 0.2, "simclr.epochs": 4, "time-mask.long_s": 0.1}


@pytest.fixture
def asked(small_dataset, tmp_path):
    return {
        "extractor": ["simclr"],
        "scorer": ["knn", "mahalanobis-ml"],
        "dataset": [str(small_dataset)],
        "params": {"log-mel.n_mels": 64, "knn.n_neighbors": 3, "simclr.steps": "2", "autoencoder.epochs": 2},
        "out": str(tmp_path / "runs"),
        "jobs": 2,
    }


def planned(path=None, **spec):
    spec = read_spec(path, {}) if path else RunSpec(**spec)
    return make_plan(spec, Silent())


def study_of(asked, params, values=(0.61,), **more):
    trial = made_trial(3, params=params, values=values, parts={0: {"fan": plain_part(0.6), "valve": plain_part(0.6)}})
    space = {"scorer": {"choices": ["knn", "mahalanobis-ml"]}}
    return made_study([trial], asked=asked, space=space, machines=["fan", "valve"], **more), trial


def test_the_run_of_best_toml_is_that_of_the_trial(asked, tmp_path, monkeypatch):
    """The trial ran with ``auto``, which means ``quick`` here; on more clips the file still means what was tuned."""
    own = {key: value for key, value in TUNED.items() if "." in key}
    kept = {key: value for key, value in asked["params"].items() if not key.startswith(("knn.", "autoencoder."))}
    of_trial = planned(**{**asked, "scorer": ["mahalanobis-ml"], "params": kept | own, "seed": [4, 5]})
    assert of_trial.cells[0].profile == "quick"
    record, trial = study_of(asked, TUNED, seeds=[4, 5])
    path = tmp_path / "best.toml"
    path.write_text(run_file(record, trial, of_trial.cells[0].profile), encoding="utf-8")
    runs = [cell.run_id for cell in of_trial.cells]
    assert [cell.run_id for cell in planned(path).cells] == runs
    assert len(runs) == 2
    monkeypatch.setattr(request, "QUICK_BELOW_CLIPS", 0)
    assert [cell.run_id for cell in planned(path).cells] == runs
    path.write_text(run_file(record, trial), encoding="utf-8")
    assert [cell.run_id for cell in planned(path).cells] != runs


@pytest.mark.parametrize(("used", "written"), [("quick", "quick"), (None, "full")])  # None: the extractor has no other
def test_the_profile_is_that_of_the_trials_runs(asked, tmp_path, used, written):
    run = load_record(made_run(tmp_path / "runs"))
    record, trial = study_of(asked, TUNED)
    trial = trial.model_copy(update={"runs": ["gone", run.run_id]})
    folder = tmp_path / "studies" / "made"
    write_record(
        folder / "runs" / run.run_id, run.model_copy(update={"asked": run.asked.model_copy(update={"profile": used})})
    )
    path = write_best(folder, record, [made_trial(0, "failed"), trial])
    assert path == folder / "best.toml"
    assert read_spec(path, {}).profile == written


def test_no_done_trial_leaves_no_file(tmp_path):
    failed = [made_trial(0, "failed")]
    assert write_best(tmp_path / "none", made_study(failed), failed) is None
    assert not (tmp_path / "none").exists()


def test_the_head_tells_what_to_think_of_it(asked):
    record, trial = study_of(asked, TUNED, name="a\nb", defaults={"simclr.temperature": 0.05})
    text = run_file(record, trial)
    head = [line for line in text.splitlines() if line.startswith("#")]
    assert "# Trial 3 of the study 'a b' on synthetic, 2026-01-02: the best of 1." in head
    assert "#   this trial     61.00   on the machine types that it was chosen on" in head
    assert any("leave-one-out  60.00" in line and "optimism +1.00" in line for line in head)
    assert not any("default  " in line or "ADMISSIBLE" in line or "Take out" in line for line in head)
    asked |= {"dataset": ["synthetic"], "params": {"synthetic.clip_s": 1.0}}
    record, trial = study_of(asked, {}, admissible=False)
    text = run_file(record, trial)
    assert "NOT ADMISSIBLE UNDER THE FIRST-SHOT RULE" in text
    assert "default        61.00   trial 3, nothing tuned" in text
    assert "Take out [params.synthetic] then" in text
    assert tomllib.loads(text)["seed"] == [0]


def test_only_what_decides_the_runs_is_reported(asked):
    record, trial = study_of({**asked, "fresh": True, "split": None, "threads": 2}, TUNED)
    read = tomllib.loads(run_file(record, trial))
    assert set(read) == {"extractor", "scorer", "dataset", "seed", "profile", "threads", "out", "params"}
    assert read["scorer"] == ["mahalanobis-ml"]
    assert "knn" not in read["params"]


@settings(deadline=None, max_examples=12)
@given(
    st.dictionaries(
        st.sampled_from(["simclr.lr", "sklearn:svm.OneClassSVM.gamma", "a b.c", 'q"uo\\te.p', "knn.method"]),
        st.one_of(
            st.floats(allow_nan=False, allow_infinity=False),
            st.integers(-(2**53), 2**53),
            st.booleans(),
            st.text(st.characters(exclude_categories=["Cs"])),
            st.lists(st.sampled_from(["x", "y z"])),
        ),
    )
)
def test_every_value_comes_back_as_it_was(tmp_path_factory, params):
    record, trial = study_of({"extractor": ["raw-mel"], "scorer": ["knn"]}, params)
    path = tmp_path_factory.mktemp("best") / "best.toml"
    path.write_bytes(run_file(record, trial).encode())
    read = read_spec(path, {}).params
    assert read == params
    assert {key: type(value) for key, value in read.items()} == {key: type(value) for key, value in params.items()}


def test_none_is_the_text_that_the_command_line_takes():
    record, trial = study_of({"extractor": ["raw-mel"], "scorer": ["knn"]}, {"knn.p": None})
    assert tomllib.loads(run_file(record, trial))["params"] == {"knn": {"p": "None"}}
