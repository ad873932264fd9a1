"""The front end that hands on samples."""

import numpy as np
import soundfile
import torch

import asdbench
from asdbench.core.progress import Silent
from asdbench.datasets import read_folder
from asdbench.frontends import FeatureStore
from asdbench.registry import load_catalog


def test_it_is_the_waveform():
    frontend = asdbench.build("waveform")
    samples = torch.randn(3, 700)
    assert torch.equal(frontend(samples), samples.reshape(3, 1, 1, 700))
    assert frontend.frame_rate_hz == frontend.sample_rate_hz == 16_000


def test_a_pack_holds_the_recording_as_soundfile_reads_it(tmp_path):
    random = np.random.default_rng(0)
    for split in ("test", "train"):
        path = tmp_path / "data" / "fan" / split / f"section_00_source_{split}_normal_0000_vel_1.wav"
        path.parent.mkdir(parents=True)
        soundfile.write(path, 0.1 * random.standard_normal((4_000, 2)), 16_000, subtype="PCM_16")
    table = read_folder(tmp_path / "data")
    for channel, expected in (("1", lambda both: both[:, 1]), ("mean", lambda both: both.mean(axis=1))):
        component = load_catalog().component("frontends", "waveform", {"channel": channel})
        features = FeatureStore(tmp_path / "cache", 1, Silent()).read(table, component)
        [clip] = table.training_view()
        both = soundfile.read(path, dtype="float32")[0]
        np.testing.assert_array_equal(features[clip.key][0, 0], expected(both))
