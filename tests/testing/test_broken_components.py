"""What an author can get wrong is found, each by the check that is meant for it."""

import re
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
import torch

from asdbench.core.errors import RequirementError, UsageError
from asdbench.testing import (
    CheckError,
    check_augmentation,
    check_extractor,
    check_frontend,
    check_scorer,
    check_step,
)

SCORER = """
    class Mine(Scorer):
        def fit(self, embeddings, clips):
            self.rng = np.random.default_rng(self.seed)
            self.mean, self.clips = embeddings.mean(axis=0), clips
        def score(self, embeddings):
            distances = np.linalg.norm(embeddings - self.mean, axis=1)
            return distances.astype(np.float64)
"""
STEP = """
    class Changes(Changed):
        def learn(self, embeddings):
            self.mean = embeddings.mean(axis=0)
        def change(self, embeddings):
            return embeddings - self.mean

    class Mine(Step):
        def around(self, make):
            return Changes(make())
"""
EXTRACTOR = """
    class Mine(Extractor):
        def fit(self, clips, context):
            self.rng = np.random.default_rng(context.seed)
            self.level = np.mean([context.features[clip.key].mean() for clip in clips], dtype=np.float32)
        def embed(self, clips, context):
            rows = [context.features[clip.key].mean(axis=-1).ravel() for clip in clips]
            return np.stack(rows) - self.level
        def save(self, folder):
            np.save(folder / "level.npy", self.level)
        def load(self, folder):
            self.level = np.load(folder / "level.npy")
"""
AUGMENTATION = """
    class Mine(Augmentation):
        works_on = "waveform"
        def __call__(self, batch, generator):
            return batch + 0.1 * torch.randn(batch.shape, generator=generator)
"""
FRONTEND = """
    class Mine:
        sample_rate_hz, channel, frame_rate_hz, min_samples = 8000, "0", 8000 / 64, 128
        def __call__(self, waveform):
            power = waveform.unfold(-1, 64, 64).square().sum(-1)
            return torch.log(power + 1e-6)[:, None, None]
"""
IMPORTS = """
import numpy as np
import torch
from asdbench.augmentations import Augmentation
from asdbench.extractors import Extractor
from asdbench.scorers import Scorer
from asdbench.scorers.steps import Changed, Step
"""
CHECKS = {
    "scorers": (check_scorer, SCORER),
    "steps": (check_step, STEP),
    "extractors": (check_extractor, EXTRACTOR),
    "augmentations": (check_augmentation, AUGMENTATION),
    "frontends": (check_frontend, FRONTEND),
}


def classes(kind, *changes):
    code = textwrap.dedent(CHECKS[kind][1])
    for before, after in changes:
        assert before in code, before
        code = code.replace(before, after)
    known = {}
    exec(IMPORTS + code, known)
    return known["Mine"]


@pytest.mark.parametrize("kind", CHECKS)
def test_sound_components_pass(kind):
    checks = CHECKS[kind][0](classes(kind))
    assert len(checks) >= 6
    assert all(check.passed for check in checks)


RETURN = "return distances.astype(np.float64)"
BROKEN = [
    ("scorers", (RETURN, "return -distances.astype(np.float64)"), "direction", "a clear anomaly to score higher"),
    ("scorers", (RETURN, "return distances"), "scores", "scores are float32 (46,)"),
    ("scorers", (RETURN, "return distances.astype(float)[:, None]"), "scores", "scores are float64 (46, 1)"),
    ("scorers", (RETURN, "return distances.astype(float) / 0 * 0"), "scores", "46 of 46 scores are not finite"),
    ("scorers", (RETURN, "return list(distances)"), "scores", "scores are of the type list"),
    ("scorers", (RETURN, "return distances.astype(float) - distances.mean()"), "blindness", "alone and among others"),
    ("scorers", (RETURN, "return distances.astype(float) + np.arange(len(distances))"), "order", "differ, by up to 45"),
    ("scorers", (RETURN, "return distances.astype(float) + 1e-3 * np.random.rand()"), "seed", "46 of 46 scores differ"),
    ("scorers", (RETURN, "return distances.astype(float) + 0 * np.random.rand()"), "random state", "of numpy.random"),
    ("scorers", ("self.mean, self", "torch.manual_seed(1); self.mean, self"), "random state", "of torch was"),
    ("scorers", ("self.mean, self", "embeddings -= 1; self.mean, self"), "inputs", "fit has altered"),
    ("scorers", ("self.mean, self",
     "{c.domain[0] for c in clips}; self.mean, self"), "domains", "TypeError: 'NoneType'"),
    ("scorers", ("self.mean, self", "self.labels = clips[0].label; self.mean, self"), "fit", "AttributeError: "),
    ("scorers", ("def score",
     "def training_scores(self): return np.zeros(3)\n    def score"), "training scores", "(3,)"),
    ("steps", ("return Changes(make())", "return make"), "build", "has no fit and no score"),
    ("steps", ("return embeddings - self.mean", "return embeddings - embeddings.mean(axis=0)"), "blindness", "differ"),
    ("steps", ("return embeddings - self.mean", "return embeddings * 0"), "direction", "score higher"),
    ("extractors", ("return np.stack(rows)",
     "return np.float64(1) * np.stack(rows)"), "embeddings", "are float64 (48,"),
    ("extractors", ("- self.level",
     "- self.level * np.float32('nan')"), "embeddings", "48 of 48 embeddings are not fin"),
    ("extractors", ("return np.stack(rows)", "return np.stack(rows)[1:]"), "embeddings", "are float32 (47, 128)"),
    ("extractors", ("return np.stack(rows)",
     "rows = np.stack(rows); return rows - rows.mean(0)"), "blindness", "fewer"),
    ("extractors", ("return np.stack(rows)",
     "return np.float32([[int(c.key[0], 16)] for c in clips]) + np.stack(rows)"), "names", "under other keys"),
    ("extractors", ("return np.stack(rows)", "return 0 * np.stack(rows)"), "direction", "holds for 0% of pairs"),
    ("extractors", ("folder / \"level.npy\", self.level",
     "folder / \"level.npy\", self.level + 1"), "save and load", "differ"),
    ("extractors", ("np.save(folder / \"level.npy\", self.level)",
     "torch.save(self.level, folder / \"level.npy\")"), "save and load", "level.npy is read by unpickling"),
    ("extractors", ("np.load(folder / \"level.npy\")", "0"), "save and load", "differ"),
    ("extractors", ("for clip in clips], dtype=np.float32)",
     "for clip in clips], dtype=np.float32) + np.float32(np.random.rand())"), "seed", "differ"),
    ("extractors", ("for clip in clips], dtype", "for clip in clips if clip.label == 0], dtype"), "fit", "'label'"),
    ("extractors", ("rows = [", "context.training.waveforms; rows = ["), "embeddings", "AttributeError: 'NoneType'"),
    ("extractors", ("class Mine(Extractor):",
     "class Mine(Extractor):\n    needs_fit = False"), "no fit", "no attribute 'level'"),
    ("extractors", ("class Mine(Extractor):",
     "class Mine(Extractor):\n    curves = {'loss': [float('nan')]}"), "record", "is nan in epoch 1"),
    ("augmentations", ("works_on = \"waveform\"", "works_on = \"sound\""), "works_on", "it is 'sound'"),
    ("augmentations", (", generator=generator", ""), "seed", "clips differ"),
    ("augmentations", ("batch + 0.1", "batch + 0.0"), "effect", "all are as before"),
    ("augmentations", ("return batch + 0.1 * torch.randn(batch.shape,",
     "return batch[:, :100] + 0.1 * torch.randn(batch[:, :100].shape,"), "batch", "clips are float32 (6, 100)"),
    ("frontends", ("[:, None, None]", "[:, None]"), "features", "features are float32 (6, 1, 125)"),
    ("frontends", (" + 1e-6", ""), "silence", "not finite"),
    ("frontends", ("power = waveform", "power = waveform.mul_(2)"), "inputs", "the waveforms are altered"),
    ("frontends", ("torch.log(power", "torch.log(power / power.max()"), "blindness", "differ"),
    ("frontends", ("8000 / 64, 128", "8000 / 64, 60"), "shortest", "RuntimeError"),
    ("frontends", ("torch.log(power", "torch.log(torch.rand(1) + power"), "seed", "features differ"),
    ("frontends", ("\"0\", 8000 / 64", "\"0\", 0.0"), "attributes", "frame_rate_hz is 0.0"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "change", "check", "text"), BROKEN)
def test_a_fault_is_found_by_its_check(kind, change, check, text):
    with np.errstate(all="ignore"), pytest.raises(CheckError) as caught:
        CHECKS[kind][0](classes(kind, change))
    lines = {failure.name: str(failure) for failure in caught.value.failures}
    assert text in lines[check]
    assert lines[check].startswith(f"{check}: expected ")
    assert all(line in str(caught.value) for line in lines.values()), "all at once"


def test_all_that_is_wrong_is_listed_at_once():
    broken = classes("scorers", (RETURN, "return -distances.astype(float) + np.random.rand()"))
    with pytest.raises(AssertionError, match=r"The scorer 'Mine' fails \d of 11 checks") as caught:
        check_scorer(broken)
    assert {failure.name for failure in caught.value.failures} >= {"seed", "random state", "direction", "blindness"}


def test_what_was_drawn_before_goes_on_as_if_nothing_had_been_checked():
    np.random.seed(3)
    torch.manual_seed(3)
    expected = np.random.rand(), float(torch.rand(1))
    np.random.seed(3)
    torch.manual_seed(3)
    check_scorer(classes("scorers"))
    assert (np.random.rand(), float(torch.rand(1))) == expected


def test_objects_and_names_with_parameters_are_taken():
    from sklearn.svm import OneClassSVM

    import asdbench

    check_scorer(OneClassSVM(gamma=0.01))
    check_scorer(asdbench.scorer("knn", n_neighbors=2))
    check_scorer("knn", n_neighbors=3)
    with pytest.raises(UsageError, match=r"knn\.n_neighbors takes a whole number"):
        check_scorer("knn", n_neighbors=0)
    with pytest.raises(UsageError, match="Parameters go with a name or a class"):
        check_scorer(OneClassSVM(), nu=0.5)
    check_extractor(torch.nn.AdaptiveAvgPool2d((16, 1)), frontend="mel-image")


def test_weights_that_are_not_there_are_no_fault_of_the_extractor(monkeypatch):
    from asdbench.extractors.pretrained import timm_backbone

    def unreachable(*_, **__):
        raise OSError("no network")

    monkeypatch.setattr(timm_backbone.timm, "create_model", unreachable)
    with pytest.raises(RequirementError, match="cannot be had from the hub"):
        check_extractor("pretrained-timm", backbone="test_resnet")


CARD = """
summary = "Mine."
target = "MODULE:Mine"
version = 1
[params.power]
default = 1.0
range = [0.0, 2.0]
help = "Exponent."
"""
INIT = "(Scorer):\n    def __init__(self, *, power):\n        super().__init__()\n        self.power = power"


@pytest.fixture
def plugin(tmp_path, monkeypatch, request):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    module = "mine_" + re.sub(r"\W", "_", request.node.name)

    def write(*changes, card=CARD):
        code = IMPORTS.lstrip() + textwrap.dedent(SCORER).replace("(Scorer):", INIT)
        for before, after in changes:
            assert before in code + card, before
            code, card = code.replace(before, after), card.replace(before, after)
        (tmp_path / "mine" / "registry" / "scorers").mkdir(parents=True, exist_ok=True)
        (tmp_path / "mine" / f"{module}.py").write_text(code)
        (tmp_path / "mine" / "registry" / "scorers" / "mine.toml").write_text(card.replace("MODULE", module))
        return module

    return write


def test_the_command_says_all_that_fails_and_ends_with_1(plugin, cli):
    module = plugin(
        (RETURN, "return 1 / np.zeros(3).tolist()[0] if len(embeddings) == 1 else -distances.astype(float)")
    )
    line = 1 + (Path("mine") / f"{module}.py").read_text().partition("return 1 /")[0].count("\n")
    told = cli("check", "mine", "--plugin-path", "mine")
    assert told.code == 1
    assert "mine (scorer): 2 of 12 checks failed" in told.out
    assert re.search(
        rf"failed  blindness: expected .*; it raised ZeroDivisionError: .* \(mine/{module}.py, line {line}\)", told.out
    )
    assert re.search(r"failed  direction: expected a clear anomaly to score higher", told.out)
    found = cli("check", "mine", "--plugin-path", "mine", "--json").json
    assert not found["passed"]
    (component,) = found["components"]
    assert [one["check"] for one in component["checks"] if not one["passed"]] == ["blindness", "direction"]
    assert all(one["expected"] for one in component["checks"])


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (("[params.power]", "[params.powr]"), "'powr' is no argument of Mine"),
        (("[params.power]", "[params.powr]"), "Mine (mine/MODULE.py, line 8) asks for 'power'"),
        (("*, power", "*, power, root"), "asks for 'root', which is no parameter of the card"),
        (("default = 1.0", "default = 3.0"), "takes a number from 0 to 2, not 3.0"),
        (("summary", "sumary"), "unknown key 'sumary'"),
        (("    def score", "    def scores"), "Mine (mine/MODULE.py, line 8) has no score"),
        (("import torch", "import torsh"), "No module named 'torsh' (mine/MODULE.py, line 2)"),
        (("        self.power = power", "        self.power = power.root"), "AttributeError"),
    ],
)  # fmt: skip
def test_a_card_that_does_not_fit_its_code(plugin, cli, change, text):
    module = plugin(change)
    told = cli("check", "mine", "--plugin-path", "mine")
    assert told.code == 1
    assert text.replace("MODULE", module) in told.out
    assert "Traceback" not in told.out + told.err


def test_parameters_and_what_cannot_be_checked(cli, plugin):
    plugin(("self.power = power", "self.power = power; assert power != 2, 'two'"))
    assert cli("check", "mine", "--plugin-path", "mine").code == 0
    told = cli("check", "mine", "--plugin-path", "mine", "-p", "mine.power=2")
    assert (told.code, "AssertionError: two (mine/" in told.out) == (1, True)
    assert cli("check", "mine", "--plugin-path", "mine", "-p", "mine.power=3").code == 2
    assert "cannot be checked" in cli("check", "shin2023-simclr-ml").err
    assert cli("check", "shin2023-simclr-ml").code == 2
    assert "Nothing is named 'knm'. Did you mean 'knn'" in cli("check", "knm").err
    assert cli("check", "pretrained-onnx").code == 2, "it has no model"
    assert "for more: -p siamese.epochs=N" in cli("check", "siamese").out
