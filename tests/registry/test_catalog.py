import os
import sys

import pytest

import asdbench
from asdbench.core.errors import AsdbenchError, UsageError
from asdbench.registry import load_catalog
from asdbench.registry.components import parse
from asdbench.registry.toml import CardError

CARD = """
summary = "A scorer of a third party."
target = "their_scorer:TheirScorer"
version = 1
[params.power]
default = 2.0
range = [0.5, 4.0]
help = "Exponent."
"""


METHODS = """
    notes = ()
    def fit(self, embeddings, clips): pass
    def score(self, embeddings): return embeddings[:, 0]
    def training_scores(self): return None
"""


def plugin(folder, card=CARD, name="their-scorer"):
    (folder / "registry" / "scorers").mkdir(parents=True, exist_ok=True)
    (folder / "registry" / "scorers" / f"{name}.toml").write_text(card)
    return folder


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("summary", "sumary"), "unknown key 'sumary'. Did you mean 'summary'?"),
        (("default = 2.0", "default = 9.0"), "takes a number from 0.5 to 4, not 9.0"),
        (("range", "neutral = 5.0\nrange"), "takes a number from 0.5 to 4, not 5.0"),
        (("range", "rnge"), "unknown key 'params.power.rnge'. Did you mean 'range'?"),
        (('target = "their_scorer:TheirScorer"', ""), "the key 'target' is missing"),
        (("version = 1", "version = [1"), "not a TOML file"),
        (("version = 1", "version = 1\nfit_on = 'clip'"), "fit_on"),
        (("[params.power]", "[variants.v]\npwer = 1\n[params.power]"), "variants.v sets 'pwer'"),
        (("[params.power]", "[params.power.tune]\nlow = 1\n[params.power]"), "either 'low' and 'high'"),
    ],
)
def test_a_wrong_card_names_file_key_and_nearest_key(tmp_path, change, message):
    from asdbench.registry.reader import read_card

    path = tmp_path / "scorer.toml"
    path.write_text(CARD.replace(*change))
    with pytest.raises(CardError) as caught:
        read_card(path, "scorers")
    assert str(path) in str(caught.value)
    assert message in str(caught.value)


def test_a_folder_brings_cards_and_code(tmp_path, monkeypatch, clean_modules):
    folder = plugin(tmp_path / "mine")
    (folder / "their_scorer.py").write_text(
        "class TheirScorer:\n    def __init__(self, *, power): self.power = power\n" + METHODS
    )
    catalog = load_catalog([folder])
    monkeypatch.setattr(sys, "path", list(sys.path))
    assert catalog.component("scorers", "their-scorer", {"power": "3"}).build().power == 3.0
    assert str(folder) in catalog.find("scorers", "their-scorer").origin
    monkeypatch.setenv("ASDBENCH_PLUGIN_PATH", str(folder))
    assert "their-scorer" in load_catalog().names("scorers")


def scorer_module(folder, text):
    plugin(folder)
    (folder / "their_scorer.py").write_text(f"class TheirScorer:\n    def __init__(self, *, power): {text}\n" + METHODS)
    return folder


@pytest.fixture
def clean_modules(monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield
    sys.modules.pop("their_scorer", None)


def test_changed_code_of_a_plugin_changes_what_it_is(tmp_path, clean_modules):
    folder = scorer_module(tmp_path / "mine", "pass")
    before = load_catalog([folder]).component("scorers", "their-scorer").identity()
    assert load_catalog([folder]).component("scorers", "their-scorer").identity() == before
    scorer_module(folder, "self.power = -power")
    assert load_catalog([folder]).component("scorers", "their-scorer").identity() != before


def test_the_module_of_one_plugin_is_never_taken_for_that_of_another(tmp_path, clean_modules):
    first, second = (scorer_module(tmp_path / name, "pass") for name in ("first", "second"))
    (second / "registry" / "scorers" / "their-scorer.toml").rename(second / "registry" / "scorers" / "other.toml")
    catalog = load_catalog([first, second])
    catalog.component("scorers", "their-scorer").build()
    with pytest.raises(AsdbenchError, match=r"'their_scorer' is taken by .*first.* Rename the module"):
        catalog.component("scorers", "other").build()


def test_a_plugin_that_raises_on_import_is_told_with_its_card(tmp_path, clean_modules):
    folder = plugin(tmp_path / "mine")
    (folder / "their_scorer.py").write_text("raise RuntimeError('no licence')")
    with pytest.raises(AsdbenchError, match=r"card of 'their-scorer'.*RuntimeError: no licence"):
        load_catalog([folder]).component("scorers", "their-scorer").build()


def test_an_installed_package_brings_cards(tmp_path, monkeypatch):
    site = tmp_path / "site"
    plugin(site / "their_package")
    (site / "their_package" / "__init__.py").write_text("raise RuntimeError('not to be imported for a list')")
    (site / "theirs-1.0.dist-info").mkdir()
    (site / "theirs-1.0.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: theirs\nVersion: 1.0\n")
    (site / "theirs-1.0.dist-info" / "entry_points.txt").write_text("[asdbench.plugins]\ntheirs = their_package\n")
    monkeypatch.syspath_prepend(str(site))
    assert "theirs" in load_catalog().find("scorers", "their-scorer").origin


def test_a_broken_plugin_is_a_warning_with_its_origin(tmp_path):
    folder = plugin(tmp_path / "broken", CARD.replace("summary", "sumary"))
    (folder / "registry" / "scorers" / "folder.toml").mkdir()
    (tmp_path / "empty").mkdir()
    catalog = load_catalog([folder, tmp_path / "empty"])
    assert "their-scorer" not in catalog.names("scorers")
    assert "knn" in catalog.names("scorers")
    assert any("broken" in warning and "sumary" in warning for warning in catalog.warnings)
    assert any("holds no folder registry/" in warning for warning in catalog.warnings)
    with pytest.raises(UsageError, match="nowhere: there is no such folder"):
        load_catalog([tmp_path / "nowhere"])


def test_a_name_clash_names_both_origins(tmp_path):
    folder = plugin(tmp_path / "clash", name="knn")
    catalog = load_catalog([folder])
    assert catalog.find("scorers", "knn").origin == "asdbench"
    (warning,) = catalog.warnings
    assert "that of asdbench" in warning
    assert str(folder) in warning


def test_misspelt_names_and_parameters():
    catalog = load_catalog()
    with pytest.raises(
        UsageError, match=r"No scorer 'mahalanobis'\. Did you mean 'mahalanobis-ml'\? One of a plugin needs --"
    ):
        catalog.find("scorers", "mahalanobis")
    with pytest.raises(UsageError, match=r"'knn' has no parameter 'n_neighbours'\. Did you mean 'n_neighbors'\?"):
        catalog.component("scorers", "knn", {"n_neighbours": 3})
    for value in ("0", "5.5", "many", "nan"):
        with pytest.raises(UsageError, match=r"knn\.n_neighbors takes a whole number from 1 to 1000"):
            catalog.component("scorers", "knn", {"n_neighbors": value})
    with pytest.raises(UsageError, match=r"temperature takes a number from 0\.01 to 1, not 'nan'"):
        catalog.component("extractors", "simclr", {"temperature": "nan"})


def test_variants_and_profiles_lie_over_the_defaults():
    catalog = load_catalog()
    assert catalog.component("extractors", "simclr-resnet50").params["backbone"] == "resnet50"
    quick = catalog.component("extractors", "simclr", {"crop_s": "3"}, "quick")
    assert (quick.params["steps"], quick.params["crop_s"]) == (150, 3.0)


def test_a_profile_leaves_alone_what_makes_a_variant():
    catalog = load_catalog()
    quick = [catalog.component("extractors", name, profile="quick").params for name in ("simclr", "simclr-resnet50")]
    assert [params["backbone"] for params in quick] == ["test_resnet", "resnet50"]
    assert quick[0]["steps"] == quick[1]["steps"]


def test_epochs_given_by_hand_are_not_overruled_by_a_profiles_steps():
    catalog = load_catalog()
    assert catalog.component("extractors", "simclr", {"epochs": "20"}, "quick").params["steps"] == 0
    assert catalog.component("extractors", "simclr", {"epochs": "20"}).params["min_steps"] == 0
    assert catalog.component("extractors", "simclr").params["min_steps"] == 600
    both = catalog.component("extractors", "simclr", {"epochs": "20", "steps": "9"}, "quick").params
    assert (both["epochs"], both["steps"]) == (20, 9)


def test_build_fills_in_the_cards_defaults():
    assert asdbench.build("knn", n_neighbors=3)._k == 3
    with pytest.raises(UsageError, match=r"Nothing is named 'knm'\. Did you mean 'knn'"):
        asdbench.build("knm")


def test_prefixes_reach_any_detector():
    catalog = load_catalog()
    assert catalog.component("scorers", "pyod:IForest", {"n_estimators": "20"}).params["n_estimators"] == 20
    assert catalog.find("scorers", "pyod:SO_GAAL").card.params["detector"].default == "SO_GAAL"
    with pytest.raises(UsageError, match="takes a value, not 'nan'"):
        catalog.component("scorers", "pyod:KNN", {"radius": "nan"})
    with pytest.raises(UsageError, match="PyOD has no detector 'IForst'"):
        catalog.find("scorers", "pyod:IForst")
    with pytest.raises(UsageError, match=r"Did you mean 'sklearn:svm\.OneClassSVM'"):
        catalog.find("scorers", "sklearn:svm.OneClasSVM")


def test_a_parameter_that_came_later_counts_only_away_from_its_neutral_value(tmp_path, clean_modules):
    folder = scorer_module(tmp_path / "mine", "pass")
    before = load_catalog([folder]).component("scorers", "their-scorer").identity()
    plugin(folder, CARD + '[params.root]\ndefault = true\nneutral = false\nhelp = "Take the root."\n')
    catalog = load_catalog([folder])
    assert catalog.component("scorers", "their-scorer", {"root": False}).identity() == before
    rooted = catalog.component("scorers", "their-scorer").identity()
    assert rooted["params"] == {**before["params"], "root": True}


def test_recordings_of_one_microphone_are_made_once_though_two_can_be_asked_for():
    component = load_catalog().component("datasets", "synthetic")
    assert component.params["microphones"] == 1
    assert "microphones" not in component.identity()["params"]
    assert load_catalog().component("datasets", "synthetic-stereo").identity()["params"]["microphones"] == 2


UNREADABLE = {
    "2,000 arrays within each other": b"x = " + b"[" * 2000 + b"]" * 2000,
    "100 arrays within each other": b"x = " + b"[" * 100 + b"]" * 100,
    "1,000 tables within each other": b".".join([b"a"] * 1000) + b" = 1",
    "a number beyond 64 bits": b"version = 99999999999999999999",
    "a number that cannot be printed": b"version = 0x" + b"f" * 6000,
    "a number of 5,000 digits": b"version = " + b"9" * 5000,
    "bytes that are no UTF-8": b'summary = "\xff"',
    "a NUL": b'summary = "a\0b"',
}


@pytest.mark.parametrize("content", UNREADABLE.values(), ids=UNREADABLE)
def test_a_card_that_no_reader_takes_is_refused_by_name_and_the_others_are_listed(cli, tmp_path, content):
    folder = plugin(tmp_path)
    (folder / "registry" / "scorers" / "broken.toml").write_bytes(content)
    listed = cli("list", "scorers", "--plugin-path", folder)
    assert (listed.code, "their-scorer" in listed.out, "broken.toml: not a TOML file" in listed.err) == (0, True, True)
    asked = cli("show", "broken", "--plugin-path", folder)
    assert (asked.code, "The card of 'broken' cannot be used" in asked.err) == (2, True)
    asked = cli("run", "--extractor", "raw-mel", "--scorer", "broken", "--plugin-path", folder)
    assert (asked.code, "The card of 'broken' cannot be used" in asked.err) == (2, True)
    (tmp_path / "run.toml").write_bytes(content)
    asked = cli("run", "--config", tmp_path / "run.toml")
    assert (asked.code, f"--config {tmp_path}/run.toml: not a TOML file" in asked.err) == (2, True)


@pytest.mark.parametrize("make", [lambda path: path.mkdir(), os.mkfifo], ids=["folder", "pipe"])
def test_a_card_that_is_no_file_is_told(tmp_path, make):
    make(plugin(tmp_path) / "registry" / "scorers" / "odd.toml")
    (warning,) = load_catalog([tmp_path]).warnings
    assert "odd.toml: not a TOML file: it is no file" in warning


@pytest.mark.parametrize("value", ["[" * 2000, "9" * 5000, "[" * 100 + "]" * 100])
def test_values_that_no_reader_takes_stay_texts_on_the_command_line(value):
    param = load_catalog().find("scorers", "sklearn:svm.OneClassSVM").card.params["kernel"]
    assert parse(param.model_copy(update={"type": "any"}), value) == value


@pytest.mark.parametrize("key", ["out", "data_root", "plugin_path"])
@pytest.mark.parametrize(("value", "reason"), [(r"a\u0000b", "holds a NUL"), ("~nobody9/x", "home folder")])
def test_a_place_that_no_path_can_be_is_refused_by_its_key(cli, tmp_path, key, value, reason):
    path = tmp_path / "run.toml"
    path.write_text(f'extractor = "raw-mel"\nscorer = "knn"\n{key} = "{value}"\n')
    outcome = cli("run", "--config", path)
    assert (outcome.code, f"{path}: {key}: " in outcome.err, reason in outcome.err) == (2, True, True)
