"""Steps in front of a scorer, under one name."""

import numpy as np
import pytest

from asdbench.core.errors import AsdbenchError, UsageError
from asdbench.harness.request import Scopes, asked_stages
from asdbench.harness.spec import RunSpec
from asdbench.registry import load_catalog

CATALOG = load_catalog()


def test_a_chain_has_the_parameters_of_its_parts():
    chain = CATALOG.component("scorers", "by-domain+whiten+knn", {"whiten.variance": "0.8", "n_neighbors": "1"})
    assert chain.params["whiten.variance"] == 0.8
    assert chain.params["n_neighbors"] == 1
    assert chain.params["by-domain.standardise"] is True
    assert chain.card.params["whiten.variance"].tune is not None  # can be tuned like any other
    with pytest.raises(UsageError, match=r"'whiten\+knn' has no parameter 'whiten.varianc'. Did you mean"):
        CATALOG.component("scorers", "whiten+knn", {"whiten.varianc": 0.5})
    with pytest.raises(UsageError, match=r"whiten\+knn.whiten.variance takes a number from 0.01 to 1"):
        CATALOG.component("scorers", "whiten+knn", {"whiten.variance": 3})


def test_what_a_chain_computes_is_named_by_all_its_parts():
    def identity(name, **values):
        return CATALOG.component("scorers", name, values).identity()

    base = identity("whiten+knn")
    others = [
        identity("knn"),
        identity("unit-length+knn"),
        identity("whiten+unit-length+knn"),
        identity("unit-length+whiten+knn"),
        identity("whiten+lof"),
        identity("whiten+knn", **{"whiten.variance": 0.5}),
        identity("whiten+knn", n_neighbors=1),
    ]
    assert base == identity("whiten+knn")
    for place, one in enumerate([base, *others]):
        assert one not in [base, *others][place + 1 :]


def test_steps_are_done_in_the_order_of_the_name():
    rows = np.random.default_rng(0).standard_normal((40, 5)).astype(np.float32) * np.array([9, 3, 1, 1, 1], np.float32)
    found = {}
    for name in ("whiten+unit-length+knn", "unit-length+whiten+knn"):
        scorer = CATALOG.component("scorers", name).build()
        scorer.fit(rows[:30], [])
        found[name] = scorer.score(rows[30:])
    lengths = CATALOG.component("scorers", "whiten+unit-length+knn").build()
    lengths.fit(rows[:30], [])
    assert found["whiten+unit-length+knn"].max() <= 2.0  # what is of length one is at most two apart
    assert not np.allclose(*found.values())


def test_libraries_scorers_take_steps_too():
    chain = CATALOG.component("scorers", "whiten+pyod:KNN", {"n_neighbors": 3})
    assert chain.build() is not None
    assert [entry.kind for entry in CATALOG.find_anywhere("whiten+pyod:KNN")] == ["scorers"]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("whiten+whiten+knn", "takes a step twice"),
        ("knn+whiten", r"'knn\+whiten' ends in a step; the scorer comes last: whiten\+knn$"),
        ("by-domain+whiten", r"the scorer comes last: by-domain\+whiten\+knn$"),
        ("whitn+knn", "No step 'whitn'. Did you mean 'whiten'"),
        ("whiten+kn", "No scorer 'kn'. Did you mean 'knn'"),
    ],
)
def test_what_is_no_chain_is_refused(name, words):
    with pytest.raises(UsageError, match=words):
        CATALOG.find("scorers", name)


def test_steps_are_shown_and_listed(cli):
    assert "STEP+SCORER" in cli("list", "scorers").out
    assert "whiten.variance" in cli("show", "whiten+knn").out
    assert "explain" in cli("show", "whiten").out


@pytest.mark.parametrize("key", ["whiten.variance", "whiten+knn.whiten.variance", "scorer.whiten.variance"])
def test_a_step_is_set_by_its_name_and_by_that_of_the_whole(key):
    spec = RunSpec(extractor=["raw-mel"], scorer=["whiten+knn"], params={key: "0.5"})
    stages = asked_stages(spec, CATALOG)
    assert Scopes(spec, CATALOG, stages, []).component("scorers", "whiten+knn", stages[0]).params == {
        **CATALOG.component("scorers", "whiten+knn").params,
        "whiten.variance": 0.5,
    }


PLUGIN = {
    "no_step.py": "class Nothing:\n    pass\n",
    "registry/steps/nothing.toml": 'summary = "Nothing."\ntarget = "no_step:Nothing"\nversion = 1\n',
}


def test_what_is_no_step_is_named(tmp_path):
    for name, text in PLUGIN.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    chain = load_catalog((tmp_path,)).component("scorers", "nothing+knn")
    with pytest.raises(
        AsdbenchError,
        match=r"'nothing' \(no_step:Nothing\) cannot be used .* Nothing .*no_step.py, line 1\) has no around",
    ):
        chain.build()


def test_a_step_alone_is_no_scorer():
    with pytest.raises(UsageError, match=r"--scorer whiten\+SCORER"):
        CATALOG.component("scorers", "whiten")
