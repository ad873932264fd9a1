from asdbench.cli.tuning_results import _parameters
from made_studies import made_study, made_trial
from rich.console import Console


def test_every_tuned_parameter_is_shown_and_those_of_what_was_not_chosen_by_a_dash(capsys):
    trial = made_trial(0, params={"scorer": "knn", "knn.n_neighbors": 3}, values=[0.6])
    space = {"scorer": {"choices": ["knn", "gmm"]}, "knn.n_neighbors": {}, "gmm.n_components": {}}
    shares = {"gmm.n_components": 0.6, "scorer": 0.3, "knn.n_neighbors": 0.1}
    record = made_study(space=space, defaults={"scorer": "gmm", "gmm.n_components": 2}, importances=shares)
    Console(width=80).print(_parameters(record, trial))
    rows = [line.split() for line in capsys.readouterr().out.splitlines()[1:]]
    assert rows[:2] == [["gmm.n_components", "-", "2", "60", "%"], ["scorer", "knn", "gmm", "30", "%"]]
    assert [int(row[-2]) for row in rows] == [60, 30, 10]
