"""What is tuned, and how it is narrowed and widened on the command line."""

from itertools import pairwise

import pytest

from asdbench.core.errors import UsageError
from asdbench.harness.request import Scopes, asked_stages
from asdbench.harness.spec import RunSpec
from asdbench.registry import load_catalog
from asdbench.tuning.space_options import make_space

CATALOG = load_catalog()
MANY_CLIPS = 10_000  # no quick profile


def space_of(asked=(), only=(), clips=MANY_CLIPS, **words):
    spec = RunSpec(**words)
    stages = asked_stages(spec, CATALOG)
    return make_space(spec, Scopes(spec, CATALOG, stages, ["synthetic"]), stages, clips, asked, only)


def test_the_cards_say_what_is_tuned_and_the_default_lies_in_it():
    space = space_of(extractor=["raw-mel"], scorer=["mahalanobis-ml"])
    names = ["n_fft", "hop", "n_mels", "f_min_hz", "f_max_hz"]
    assert list(space.dimensions) == [*(f"log-mel.{name}" for name in names), "raw-mel.poolings"]
    assert space.default == {
        "log-mel.n_fft": 2048, "log-mel.hop": 512, "log-mel.n_mels": 128, "log-mel.f_min_hz": 0.0,
        "log-mel.f_max_hz": 8000.0, "raw-mel.poolings": "mean,std",
    }  # fmt: skip


def test_every_default_of_a_card_lies_in_its_space_or_stands_for_something_else():
    outside = {"elliptic-envelope.support_fraction"}  # its 0 is scikit-learn's own choice
    outside_of_space = set()
    for kind in ("frontends", "extractors", "augmentations", "scorers"):
        for name in CATALOG.names(kind):
            entry = CATALOG.find(kind, name)
            for param, card in entry.card.params.items():
                tune, default = card.tune, entry.defaults()[param]
                if tune is not None and tune.choices is not None:
                    inside = default in [card.tunable(choice) for choice in tune.choices]
                    outside_of_space |= set() if inside else {f"{name}.{param}"}
                elif tune is not None and not tune.low <= default <= tune.high:
                    outside_of_space.add(f"{name}.{param}")
    assert outside_of_space == outside


def test_p_fixes_a_parameter_and_only_leaves_the_others_alone():
    words = {"extractor": ["raw-mel"], "scorer": ["knn"]}
    fixed = space_of(params={"frontend.n_mels": "64"}, **words)
    assert "log-mel.n_mels" not in fixed.dimensions
    assert list(space_of(only=["scorer"], **words).dimensions) == ["knn.n_neighbors"]
    assert list(space_of(only=["frontend.hop", "knn"], **words).dimensions) == ["log-mel.hop", "knn.n_neighbors"]


def test_only_takes_parts_of_chains_and_ensembles():
    chain = {"extractor": ["raw-mel"], "scorer": ["whiten+knn"]}
    assert list(space_of(only=["whiten"], **chain).dimensions) == ["whiten+knn.whiten.variance"]
    ensemble = {"extractor": ["raw-mel:knn,psd:gmm"], "scorer": ["ensemble"]}
    assert list(space_of(only=["knn"], **ensemble).dimensions) == ["raw-mel:knn,psd:gmm.knn.n_neighbors"]
    assert not [name for name in space_of(**ensemble).dimensions if name.startswith("log-mel.")]


def test_front_ends_of_members_are_tuned_together_and_apart_from_those_of_other_extractors():
    whole, own = "raw-mel:knn,psd:gmm", {"log-mel.n_mels"}
    both = {"extractor": [whole, "raw-mel"], "scorer": ["knn"]}
    names = set(space_of(only=["frontend"], **both).dimensions)
    assert names >= {f"{whole}.log-mel.n_mels", *own}
    space = space_of(only=["log-mel.n_mels"], **both)
    assert {one.name for one in space.within({"extractor": whole})} == {f"{whole}.log-mel.n_mels"}
    assert {one.name for one in space.within({"extractor": "raw-mel"})} == own
    assert len(list(space.combinations())) == 3 + 3


def test_recordings_are_not_tuned():
    with pytest.raises(UsageError, match=r"--space synthetic\.clip_s: recordings are not tuned"):
        space_of(["dataset.clip_s=1:2"], extractor=["raw-mel"], scorer=["knn"])


def test_only_does_not_drop_a_space_that_was_asked_for():
    with pytest.raises(UsageError, match=r"--space whiten\+knn.whiten.variance: --only names others"):
        space_of(
            ["whiten.variance=0.5,0.9"], only=["whiten+knn.n_neighbors"], extractor=["raw-mel"], scorer=["whiten+knn"]
        )


@pytest.mark.parametrize(
    ("text", "described"),
    [
        ("knn.n_neighbors=1:50", {"low": 1, "high": 50, "log": False}),
        ("scorer.n_neighbors=1:64:log", {"low": 1, "high": 64, "log": True}),
        ("knn.n_neighbors=5:25:5", {"low": 5, "high": 25, "log": False, "step": 5}),
        ("knn.n_neighbors=1,3,5", {"choices": [1, 3, 5]}),
        ("knn.metric=euclidean,cosine", {"choices": ["euclidean", "cosine"]}),
        ("raw-mel.poolings=mean;mean,std", {"choices": ["mean", "mean,std"]}),
        ("log-mel.floor_db=-120:-60", {"low": -120.0, "high": -60.0, "log": False}),
    ],
)
def test_a_space_given_by_hand_takes_the_place_of_the_cards(text, described):
    space = space_of([text], extractor=["raw-mel"], scorer=["knn"])
    key = text.partition("=")[0].replace("scorer.", "knn.")
    assert space.described()[key] == described
    from optuna.trial import FixedTrial

    value = described.get("choices", [described.get("low")])[0]
    suggested = space.suggest(FixedTrial(space.defaults | {key: value}))
    assert suggested[key] == value
    assert type(suggested[key]) is type(value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("knn.n_neighbors=50:1", "the lower end 50 is not below the upper one 1"),
        ("knn.n_neighbors=0:5", "takes a whole number from 1 to 1000, not 0"),
        ("knn.n_neighbors=1.5:5", "takes a whole number from 1 to 1000, not '1.5'"),
        ("knn.n_neighbors=1:5:linear", "'linear' is neither 'log' nor a step"),
        ("knn.n_neighbors=1:5:0", "the step takes a number above 0"),
        ("knn.n_neighbors=", "an empty choice"),
        ("knn.n_neighbors=3,3", "the same choice twice"),
        ("knn.metric=euclidian,cosine", "takes one of euclidean | manhattan | cosine, not 'euclidian'"),
        ("log-mel.f_min_hz=0:500:log", "a logarithmic range begins above 0, not at 0"),
        ("raw-mel.poolings=mean;loudest", "a comma-separated list of mean"),
        ("knn.neighbors=1:5", "'knn' has no parameter 'neighbors'. Did you mean 'n_neighbors'?"),
        ("kn.n_neighbors=1:5", "--space kn.n_neighbors: nothing named 'kn' in this command. Did you mean 'knn'?"),
        ("n_neighbors=1:5", "expected COMPONENT.PARAM"),
        ("knn.n_neighbors", "expected COMPONENT.PARAM"),
    ],
)
def test_a_space_that_cannot_be_is_refused_with_what_is_accepted(text, words):
    with pytest.raises(UsageError) as refused:
        space_of([text], extractor=["raw-mel"], scorer=["knn"])
    assert words in str(refused.value)
    assert "--space" in str(refused.value)


def test_contradictions_and_nothing_to_tune_are_refused():
    words = {"extractor": ["raw-mel"], "scorer": ["knn"]}
    with pytest.raises(UsageError, match="-p fixes what --space tunes"):
        space_of(["scorer.n_neighbors=1:5"], params={"knn.n_neighbors": "3"}, **words)
    with pytest.raises(UsageError, match="that is not tuned here"):
        space_of(only=["knn.metric"], **words)
    with pytest.raises(UsageError, match="Nothing to tune"):
        space_of(extractor=["raw-mel"], scorer=["mahalanobis-ml"], frontend="mel-image",
                 params={"raw-mel.poolings": "mean", "mel-image.spectrogram": "64x64"})  # fmt: skip


def test_of_several_names_each_brings_its_own_parameters():
    space = space_of(extractor=["raw-mel", "siamese"], scorer=["knn", "lof"])
    assert space.choices == {"extractor": ("raw-mel", "siamese"), "scorer": ("knn", "lof")}
    of_lof = {one.component for one in space.within({"extractor": "siamese", "scorer": "lof"})}
    assert of_lof == {"mel-image", "siamese", "lof"}
    assert {one.component for one in space.within({"extractor": "raw-mel", "scorer": "knn"})} == {
        "log-mel", "raw-mel", "knn",
    }  # fmt: skip
    assert space.default["extractor"] == "raw-mel"
    assert not any(name.startswith(("siamese.", "lof.")) for name in space.default)


def test_what_another_parameter_takes_the_place_of_is_not_tuned_unless_asked_for():
    words = {"extractor": ["simclr"], "scorer": ["knn"]}
    assert "simclr.epochs" in space_of(**words).dimensions
    quick = space_of(clips=50, **words)  # this profile counts steps
    assert "simclr.epochs" not in quick.dimensions
    assert quick.default is not None
    assert "simclr.epochs" in space_of(["simclr.epochs=2:4"], clips=50, **words).dimensions


def test_the_siamese_paper_s_table_1_is_one_grid_in_which_detectors_share_fits():
    space = space_of(extractor=["siamese"], scorer=["knn", "gmm", "lof"], clips=50).grid()
    trials = list(space.combinations())
    assert len(trials) == 6 * 3 * 3 * 3 == len({tuple(sorted(trial.items())) for trial in trials})
    for name, count in (("scorer", 3), ("mel-image.spectrogram", 6), ("siamese.conv_layers", 3), ("siamese.pairs", 3)):
        assert len({trial[name] for trial in trials}) == count
    fits = [{key: value for key, value in trial.items() if key != "scorer"} for trial in trials]
    changes = sum(before != after for before, after in pairwise(fits))
    assert changes == 6 * 3 * 3 - 1, "each fit is asked for by three trials in a row"


def test_a_grid_takes_steps_and_choices_and_leaves_the_rest():
    space = space_of(["knn.n_neighbors=1:9:4", "lof.n_neighbors=5,10"], extractor=["raw-mel"],
                     scorer=["knn", "lof"], only=["scorer"])  # fmt: skip
    trials = list(space.grid().combinations())
    assert [trial.get("knn.n_neighbors", trial.get("lof.n_neighbors")) for trial in trials] == [1, 5, 9, 5, 10]
    assert space_of(extractor=["raw-mel"], scorer=["knn"], only=["knn"]).endless() == ["knn.n_neighbors"]


def test_parts_of_chains_and_ensembles_are_tuned_by_their_own_names():
    words = {"extractor": ["raw-mel"], "scorer": ["whiten+knn", "knn"]}
    chain = space_of(["knn.n_neighbors=2:4"], ["whiten.variance", "knn.n_neighbors"], **words)
    assert set(chain.dimensions) == {"whiten+knn.whiten.variance", "whiten+knn.n_neighbors", "knn.n_neighbors"}
    assert {one.space["high"] for name, one in chain.dimensions.items() if "neighbors" in name} == {4}
    pair = "raw-mel:knn,raw-mel:gmm"
    both = space_of(only=["knn.n_neighbors", "ensemble.combine"], extractor=[pair], scorer=["ensemble"])
    assert set(both.dimensions) == {f"{pair}.knn.n_neighbors", "ensemble.combine"}
    with pytest.raises(UsageError, match=r"--only whitn\.variance: nothing named 'whitn'"):
        space_of(only=["whitn.variance"], extractor=["raw-mel"], scorer=["whiten+knn"])
