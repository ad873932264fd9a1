"""What becomes of a trial under way: given up, or taken over by another worker; no recordings."""

from types import SimpleNamespace

import optuna
import pytest
from optuna.distributions import IntDistribution
from optuna.trial import TrialState

from asdbench.core.progress import Silent
from asdbench.harness.failures import Abandoned
from asdbench.tuning import work
from asdbench.tuning.claims import RECORD, Claims, hand_back, put_back, settled
from asdbench.tuning.methods import FIRST_TRIALS, step_median
from asdbench.tuning.storage import open_storage, quiet_optuna
from asdbench.tuning.work import Worker

DEFAULT = {"knn.k": 1}
PASSED = {1000: 0.5, 2000: 0.9, 3000: 0.9}  # what all done trials have told


@pytest.fixture
def study(tmp_path):
    with quiet_optuna():
        study = optuna.create_study(
            storage=open_storage(f"sqlite:///{tmp_path}/a.db"), direction="maximize", pruner=step_median(0)
        )
        for k in range(FIRST_TRIALS):
            study.add_trial(
                optuna.create_trial(
                    params={"knn.k": k}, distributions={"knn.k": IntDistribution(0, 99)}, value=0.9,
                    intermediate_values=PASSED, user_attrs={RECORD: {}},
                )
            )  # fmt: skip
        yield study


def attempt(study, frozen, params):
    tuning = SimpleNamespace(
        space=SimpleNamespace(default=DEFAULT), order=[("fan", 0), ("valve", 0), ("pump", 0)], seeds=[0], study=study
    )
    made = work._Attempt(tuning, frozen, optuna.trial.Trial(study, frozen._trial_id))
    made._params = params
    return made


def test_a_trial_below_the_median_is_given_up_but_never_the_default(study):
    frozen, _ = Claims(study, 9).take()
    with pytest.raises(Abandoned, match=r"40\.00 after fan"):
        attempt(study, frozen, {"knn.k": 50})._tell(1000, 0.4)
    other, _ = Claims(study, 9).take()
    attempt(study, other, DEFAULT)._tell(1000, 0.4)


def test_a_trial_that_has_scored_everything_is_not_given_up(study):
    frozen, _ = Claims(study, 9).take()
    now = attempt(study, frozen, {"knn.k": 50})
    now._tell(1000, 0.6)
    now._tell(3000, 0.1)


def test_a_trial_that_was_handed_back_is_judged_by_the_step_that_it_has_come_to(study):
    frozen, _ = Claims(study, 9).take()
    former = attempt(study, frozen, {"knn.k": 50})
    former._tell(1000, 0.6)
    former._trial.report(0.7, 2000)  # and there the former worker was interrupted
    hand_back(study, frozen._trial_id)
    again, _ = Claims(study, 9).take()
    assert again.number == frozen.number
    now = attempt(study, again, {"knn.k": 50})
    now._tell(1000, 0.6)
    with pytest.raises(Abandoned, match="after valve"):
        now._tell(2000, 0.7)


@pytest.mark.parametrize("lose", [hand_back, put_back], ids=["handed back", "put back"])
def test_a_worker_whose_trial_was_taken_over_leaves_it(lose, study, monkeypatch, tmp_path):
    notes = []
    tuning = SimpleNamespace(
        asked=SimpleNamespace(sampler="random", sampler_seed=0), fixed=lambda _: DEFAULT, folder=tmp_path, trials=9
    )
    progress = Silent()
    monkeypatch.setattr(progress, "note", notes.append)
    worker = Worker(tuning, study, progress, None)
    frozen, ordinal = Claims(study, 9).take()

    def conduct(self, *_):
        lose(study, frozen._trial_id if lose is hand_back else frozen)
        return SimpleNamespace(values=[0.5], state="done", model_dump=lambda mode: {})

    monkeypatch.setattr(work._Attempt, "conduct", conduct)
    assert worker._do(frozen, ordinal) is None
    assert len(notes) == 1
    assert TrialState.WAITING in {one.state for one in study.trials}
    assert len(settled(study.trials)) == FIRST_TRIALS


def test_a_worker_whose_trial_was_taken_over_before_it_began_leaves_it(study, tmp_path):
    tuning = SimpleNamespace(asked=SimpleNamespace(sampler="random", sampler_seed=0), fixed=lambda _: DEFAULT, trials=9)
    frozen, ordinal = Claims(study, 9).take()
    put_back(study, frozen)
    assert Worker(tuning, study, Silent(), None)._do(frozen, ordinal) is None
