import re
import warnings
from html.parser import HTMLParser

import optuna
import pytest
from browser import shown
from made_studies import SPACE, distribution, lived_study, made_study, made_trial

from asdbench.tuning.report import draw_plots, ranked, render_study_report, seconds_text, space_text, write_study_report

EVERY = ["history", "slice", "contour", "parallel", "intermediate", "edf", "timeline"]


@pytest.fixture(scope="module")
def twenty():
    return lived_study(20)


def settings():
    """What drawing might leave changed."""
    import matplotlib as mpl
    import matplotlib.pyplot as plt

    level = optuna.logging.get_verbosity()
    return dict(mpl.rcParams), dict(plt.style.library["ggplot"]), plt.get_fignums(), mpl.get_backend(), level


@pytest.fixture(scope="module")
def drawn(twenty, tmp_path_factory):
    """The page, and the settings before and after."""
    before = settings()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        path = write_study_report(*twenty, tmp_path_factory.mktemp("study"))
    return path, before, settings()


@pytest.fixture(scope="module")
def page_of_twenty(drawn):
    return drawn[0]


class Text(HTMLParser):
    """What stands on the page, pictures left out."""

    def __init__(self, html):
        super().__init__()
        self.inside, self.words = [], []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        if tag in ("svg", "style", "script"):
            self.inside.append(tag)

    def handle_endtag(self, tag):
        if self.inside and tag == self.inside[-1]:
            self.inside.pop()

    def handle_data(self, data):
        if not self.inside:
            self.words.append(data)

    def __str__(self):
        return re.sub(r"\s+", " ", " ".join(self.words))


def test_every_plot_is_drawn(page_of_twenty):
    html = page_of_twenty.read_text()
    titles = re.findall(r"<h3>(.*?)</h3>", html)
    assert len(titles) == len(EVERY)
    assert html.count('<svg class="figure"') == len(EVERY) + 4  # one for each of five parameters
    assert 'class="gap"' not in html


def test_equal_studies_give_equal_bytes_and_what_others_still_do_does_not_show(twenty, page_of_twenty):
    made, record, trials = twenty
    study = optuna.create_study(direction="maximize", study_name=made.study_name)
    study.add_trials(made.get_trials(deepcopy=False))
    study.ask()  # a trial that runs
    study.add_trial(optuna.create_trial(state=optuna.trial.TrialState.FAIL))  # one too many, without a record
    assert render_study_report(study, record, trials[::-1]) == page_of_twenty.read_text()


def test_the_page_tells_best_default_leave_one_out_and_why_trials_failed(twenty, page_of_twenty):
    _, record, trials = twenty
    text = str(Text(page_of_twenty.read_text()))
    for score in (record.best.score, record.default.score, record.leave_one_out.score):
        assert f"{100 * score:.2f} %" in text
    assert f"{100 * (record.best.score - record.leave_one_out.score):+.2f}" in text
    assert "14 trials done, 4 pruned, 2 failed" in text
    assert text.count("the loss is no longer finite after epoch 3") == 2
    assert "still somewhat optimistic" in text
    assert "Not admissible" not in text
    assert all(name in text for name in record.space)
    assert "None" not in text
    assert len(ranked(trials)) == 20
    assert [trial.state for trial in ranked(trials)] == ["done"] * 14 + ["pruned"] * 4 + ["failed"] * 2


def test_studies_that_hold_too_little_say_what_is_missing():
    study, record, trials = lived_study(1)
    missing = {plot.name: plot.caption for plot in draw_plots(study, record) if not plot.svgs}
    assert set(missing) == set(EVERY)
    assert "too few" in missing["history"]
    empty, record, trials = lived_study(0)
    assert not any(plot.svgs for plot in draw_plots(empty, record))
    assert "No trial is done yet" in str(Text(render_study_report(empty, record, trials)))


def test_trials_that_all_came_to_the_same(tmp_path):
    study = optuna.create_study(direction="maximize")
    one = {"knn.n_neighbors": optuna.distributions.IntDistribution(1, 9)}
    trials = []
    for number in range(6):
        params = {"knn.n_neighbors": 3}
        study.add_trial(optuna.create_trial(params=params, distributions=one, value=0.5))
        trials.append(made_trial(number, params=params, values=[0.5]))
    record = made_study(trials, machines=["fan"], space={"knn.n_neighbors": {"low": 1, "high": 9, "log": False}})
    named = {plot.name: plot for plot in draw_plots(study, record)}
    assert not named["slice"].svgs
    assert named["history"].svgs


def test_a_parameter_of_one_choice_alone_makes_no_surface_with_that_choice():
    """Every trial that has ``knn.n_neighbors`` has the scorer knn."""
    study = optuna.create_study(direction="maximize")
    trials = []
    for number in range(10):
        params = {"scorer": "knn", "knn.n_neighbors": 1 + number} if number % 2 else {"scorer": "mahalanobis-ml"}
        given = {name: distribution(SPACE[name]) for name in params}
        study.add_trial(optuna.create_trial(params=params, distributions=given, value=0.5 + number / 100))
        trials.append(made_trial(number, params=params, values=[0.5 + number / 100]))
    record = made_study(trials, machines=["fan"], space={name: SPACE[name] for name in ("scorer", "knn.n_neighbors")})
    named = {plot.name: plot for plot in draw_plots(study, record)}
    assert "too alike" in named["contour"].caption
    assert all(named[name].svgs for name in ("history", "slice", "edf"))


def test_two_objectives_have_a_front(monkeypatch):
    study, record, trials = lived_study(6, objectives=("score", "seconds"))
    plots = draw_plots(study, record)
    monkeypatch.setattr("asdbench.tuning.report.draw_plots", lambda *_: plots)
    named = {plot.name: plot for plot in plots}
    assert named["pareto"].svgs
    assert not named["intermediate"].svgs
    assert str(Text(render_study_report(study, record, trials))).count(" front ") >= len(record.pareto) > 1


def test_what_is_not_admissible_says_so_at_the_top(monkeypatch):
    monkeypatch.setattr("asdbench.tuning.report.draw_plots", lambda *_: [])
    study, record, trials = lived_study(5, machines=("fan",), admissible=False)
    record = record.model_copy(update={"sampler": "random", "pruner": "none"})
    text = str(Text(render_study_report(study, record, trials)))
    assert text.index("Not admissible under the first-shot rule.") < text.index("Parameters")
    assert "leave-one-out" not in text


def test_names_are_escaped(twenty, monkeypatch):
    monkeypatch.setattr("asdbench.tuning.report.draw_plots", lambda *_: [])
    study, record, trials = twenty
    evil = "<script>alert(1)</script>"
    record = record.model_copy(update={"name": evil, "dataset": evil, "asked": {evil: evil}})
    trials = [trial.model_copy(update={"reason": evil}) for trial in trials]
    assert evil not in render_study_report(study, record, trials)


def test_nothing_of_matplotlib_or_optuna_is_left_changed(drawn):
    _, before, after = drawn
    assert before == after


@pytest.mark.parametrize(
    ("space", "text"),
    [
        ({"low": 1, "high": 30, "log": False}, "1 to 30"),
        ({"low": 0.02, "high": 0.5, "log": True}, "0.02 to 0.5, logarithmic"),
        ({"low": 16, "high": 64, "log": False, "step": 16}, "16 to 64, step 16"),
        ({"choices": [1, "a", None, True]}, "1, a, none, yes"),
    ],
)
def test_spaces_in_words(space, text):
    assert space_text(space) == text


def test_seconds_in_words():
    assert [seconds_text(value) for value in (0.42, 12.4, 200, 7500)] == ["0.42 s", "12 s", "3 min 20 s", "2 h 05 min"]


@pytest.mark.parametrize(("width", "dark"), [pytest.param(1280, False, marks=pytest.mark.slow), (375, True)])
def test_the_page_fits_a_phone_and_asks_the_network_for_nothing(browser, page_of_twenty, width, dark):
    with shown(browser, page_of_twenty, width, dark=dark) as page:
        assert page.overflow_px == 0
        assert page.complaints == []
        assert page.requests == []
        assert page.page.locator("svg.figure").count() == len(EVERY) + 4
