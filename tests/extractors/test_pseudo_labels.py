from dataclasses import replace

import numpy as np
import pytest

from asdbench.core.progress import Silent
from asdbench.datasets import TrainingClip
from asdbench.extractors import Context
from asdbench.extractors.classification.pseudo_labels import labelled, log_spectrum
from asdbench.frontends.pack import InMemoryFeatures

RATE = 16000


def tones(frequencies):
    """A clip of each tone with noise, and the context that holds them."""
    rng = np.random.default_rng(0)
    time = np.arange(8000) / RATE
    clips, arrays = [], {}
    for number, frequency in enumerate(frequencies):
        key = f"{number:02d}"
        samples = np.sin(2 * np.pi * frequency * time) + 0.01 * rng.standard_normal(8000)
        arrays[key] = samples.astype(np.float32)[None, None]
        clips.append(TrainingClip(key, "fan", "00", "source", ()))
    return clips, Context(0, "cpu", 1, Silent(), InMemoryFeatures(arrays), float(RATE))


def test_clips_without_attributes_are_clustered_by_their_spectra():
    frequencies = [500, 3000, 6000] * 6
    clips, context = tones(frequencies)
    classes, notes = labelled(clips, 3, context)
    found = {(frequency, classes[clip.key]) for frequency, clip in zip(frequencies, clips, strict=True)}
    assert len(found) == 3, "a cluster for each tone"
    assert len({name for _, name in found}) == 3
    assert "3 clusters" in notes[0]
    assert labelled(clips, 3, context)[0] == classes


def test_one_cluster_is_none_and_domains_stay_apart():
    clips, context = tones([500, 3000] * 3)
    clips[0] = replace(clips[0], domain="target")
    classes, notes = labelled(clips, 1, context)
    assert len(set(classes.values())) == 2
    assert not notes
    assert classes[clips[0].key] not in {classes[clip.key] for clip in clips[1:]}


def test_attributes_sections_and_machines_make_classes():
    clips, context = tones([500] * 6)
    clips[1] = replace(clips[1], attributes=(("vel", "12"),))
    clips[2] = replace(clips[2], attributes=(("vel", "12"),), domain="target")
    clips[3] = replace(clips[3], section="01")
    clips[4] = replace(clips[4], machine="valve")
    classes, notes = labelled(clips, 4, context)
    assert len(set(classes.values())) == 5
    assert classes[clips[0].key] == classes[clips[5].key]
    assert not notes, "a section with several attributes needs no clusters, nor one with a single clip"


def test_the_spectrum_of_a_tone_is_highest_at_its_frequency():
    clips, context = tones([3000])
    spectrum = log_spectrum(context.features[clips[0].key])
    assert spectrum.shape == (513,)
    assert spectrum.argmax() == pytest.approx(3000 * 1024 / RATE, abs=1)
    assert np.isfinite(log_spectrum(np.zeros((1, 1, 200), np.float32))).all()
