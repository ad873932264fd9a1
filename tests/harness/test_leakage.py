"""Nothing that a test clip's label or domain could be read from reaches an extractor or a scorer."""

import gc
import sys
import types
from pathlib import Path

import numpy as np
import pytest

from asdbench.core.progress import Silent
from asdbench.datasets import Clip, Dataset, read_folder
from asdbench.harness import RunSpec, execute, make_plan

SPY = """
import numpy as np
from asdbench.extractors import Extractor
from asdbench.scorers import Scorer

SEEN = []

class SpyExtractor(Extractor):
    def __init__(self): pass
    def fit(self, clips, context): SEEN.append(("fit", clips, context))
    def embed(self, clips, context):
        SEEN.append(("embed", clips, context))
        return np.stack([context.features[clip.key].mean(axis=(0, 2)) for clip in clips]).astype(np.float32)
    def save(self, folder): pass
    def load(self, folder): pass

class SpyScorer(Scorer):
    def __init__(self): super().__init__()
    def fit(self, embeddings, clips): SEEN.append(("scorer.fit", embeddings, clips))
    def score(self, embeddings):
        SEEN.append(("score", embeddings))
        return embeddings.mean(axis=1).astype(float)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Of plugin, cache and runs."""
    return tmp_path_factory.mktemp("spy")


@pytest.fixture(scope="module")
def seen(folder, small_dataset):
    """What the components of one run were given."""
    for kind, text in (
        ("extractors", 'target = "spy_plugin:SpyExtractor"\nfit_on = "machine"\naugmentations = ["time-mask"]'),
        ("scorers", 'target = "spy_plugin:SpyScorer"'),
    ):
        (folder / "registry" / kind).mkdir(parents=True)
        (folder / "registry" / kind / "spy.toml").write_text(f'summary = "Spy."\nversion = 1\n{text}\n')
    (folder / "spy_plugin.py").write_text(SPY)
    spec = RunSpec(
        extractor=["spy"], scorer=["spy"], dataset=str(small_dataset), out=folder / "runs", plugin_path=[folder]
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder))
        patch.setenv("ASDBENCH_CACHE", str(folder / "cache"))
        records = list(execute(make_plan(spec, Silent()), Silent()))
    assert [record.status for record in records] == ["done"]
    yield sys.modules["spy_plugin"].SEEN
    del sys.modules["spy_plugin"]


def reachable(start):
    """Every object that can be reached from one without going through modules, classes or global names."""
    found, waiting = {}, [start]
    while waiting:
        item = waiting.pop()
        if id(item) in found or isinstance(item, types.ModuleType | type | types.CodeType):
            continue
        found[id(item)] = item
        if isinstance(item, types.FunctionType):
            waiting += [cell.cell_contents for cell in item.__closure__ or ()] + list(item.__defaults__ or ())
        elif isinstance(item, np.ndarray):
            continue
        else:
            waiting += gc.get_referents(item)
    return found.values()


def test_no_label_domain_or_file_of_a_test_clip_can_be_reached(seen, small_dataset):
    table = read_folder(small_dataset)
    test_names = {clip.name for clip in table if clip.split == "test"}
    calls = [call for call in seen if call[0] in ("fit", "embed", "scorer.fit", "score")]
    assert {call[0] for call in calls} == {"fit", "embed", "scorer.fit", "score"}
    for call in calls:
        for item in reachable(call[1:]):
            assert not isinstance(item, Clip | Dataset), call[0]
            if isinstance(item, str | Path):
                words = str(item)
                assert not any(name in words for name in test_names), f"{call[0]} can read {words}"
                assert not words.endswith("/test"), f"{call[0]} can read {words}"
                assert "anomaly" not in words, f"{call[0]} can read {words}"


def test_no_folder_that_can_be_reached_tells_of_a_test_clip(seen, folder, small_dataset):
    table = read_folder(small_dataset)
    test_names = {clip.name for clip in table if clip.split == "test"}
    folders = {item for call in seen for item in reachable(call[1:]) if isinstance(item, Path)}
    inside = {file for one in folders if folder in one.parents for file in one.rglob("*") if file.is_file()}
    assert folder / "cache" not in folders
    for file in inside:
        text = file.read_bytes().decode("latin-1")
        assert not any(name in text for name in test_names), file


def test_a_fit_is_given_no_test_features(seen, small_dataset):
    table = read_folder(small_dataset)
    test_keys = {clip.key for clip in table if clip.split == "test"}
    for kind, clips, context in (call for call in seen if call[0] == "fit"):
        assert kind == "fit"
        assert not {clip.key for clip in clips} & test_keys
        texts = {item for item in reachable(context) if isinstance(item, str)}
        assert not texts & test_keys
    assert all(context.training is None for kind, _, context in (c for c in seen if c[0] == "embed"))


def test_the_order_of_the_clips_tells_nothing(seen, small_dataset):
    """Files are sorted normal after anomaly; what is passed must not be."""
    table = read_folder(small_dataset)
    clip_of = {clip.key: clip for clip in table}
    for _, clips, _ in (call for call in seen if call[0] == "embed"):
        assert [clip.key for clip in clips] == sorted(clip.key for clip in clips)
        labels = [clip_of[clip.key].label for clip in clips if clip_of[clip.key].split == "test"]
        assert labels not in (sorted(labels), sorted(labels, reverse=True))
