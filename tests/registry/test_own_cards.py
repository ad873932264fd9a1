"""Every card of asdbench against the code that it names."""

import inspect
from importlib import import_module

import pytest

from asdbench.registry import KINDS, load_catalog

CATALOG = load_catalog()
BUILT = [kind for kind in KINDS if kind != "systems"]
ALL = [CATALOG.entries[kind][name] for kind in BUILT for name in CATALOG.names(kind)]
ENTRIES = [entry for entry in ALL if entry.challenge is None]
PYTHON_TYPES = {
    "bool": ("bool",),
    "int": ("int",),
    "float": ("float",),
    "str": ("str",),
    "strings": ("Sequence[str]", "collections.abc.Sequence[str]"),
    "any": ("Any",),
}


def test_there_are_cards_and_no_warnings():
    assert {entry.name for entry in ENTRIES} >= {
        "synthetic", "synthetic-large", "synthetic-stereo",
        "log-mel", "raw-mel", "simclr", "pitch-shift", "gaussian-noise", "time-mask",
        "siamese", "autoencoder", "mel-image", "attribute-classifier", "twfr", "psd", "precomputed", "waveform",
        "lora-classifier",
        "pretrained-timm", "pretrained-torchaudio", "pretrained-onnx", "whiten", "unit-length", "by-domain",
        "mahalanobis-ml", "mahalanobis-lw", "elliptic-envelope", "knn", "lof", "gmm", "identity", "random",
    }  # fmt: skip
    assert not CATALOG.warnings


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_card_and_target_agree(entry):
    module, _, attribute = entry.card.target.partition(":")
    target = getattr(import_module(module), attribute)
    arguments = inspect.signature(target).parameters
    assert set(arguments) == set(entry.card.params)
    for name, argument in arguments.items():
        assert argument.kind is inspect.Parameter.KEYWORD_ONLY, f"{name} must be keyword-only"
        assert argument.default is inspect.Parameter.empty, f"the default of {name} stands in the card"
        annotation = argument.annotation
        words = annotation.__name__ if isinstance(annotation, type) else str(annotation)
        assert words.endswith(PYTHON_TYPES[entry.card.params[name].type]), f"{name}: {words}"


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_defaults_profiles_and_help(entry):
    for profile in (None, *entry.card.profiles):
        for name, value in entry.defaults(profile).items():
            entry.card.params[name].check(value)
    assert all(param.help for param in entry.card.params.values())
    assert entry.summary.endswith(".")


@pytest.mark.parametrize("entry", [e for e in ENTRIES if e.kind == "extractors"], ids=lambda entry: entry.name)
def test_what_an_extractor_card_names_exists(entry):
    assert entry.card.frontend in CATALOG.names("frontends")
    assert set(entry.card.augmentations) <= set(CATALOG.names("augmentations"))
