"""The audit of a data set in which the sound of recordings is wrong, one fault at a time."""

import numpy as np
import pytest
import soundfile
from tiny_challenge import RATE, audit, only

from asdbench.core.progress import Silent
from asdbench.datasets.audit import verify
from asdbench.datasets.inventory import inventory_of


def noise(shape=RATE // 2, level=0.1):
    return level * np.random.default_rng(5).standard_normal(shape)


@pytest.mark.parametrize(
    ("spoil", "kind", "level", "message"),
    [
        (lambda path: path.write_bytes(b""), "unusable", "error", "empty"),
        (lambda path: path.write_bytes(path.read_bytes()[:3000]), "unusable", "error", "truncated"),
        (lambda path: path.write_text("not a recording"), "unusable", "error", "cannot be decoded"),
        (lambda path: soundfile.write(path, np.zeros(8000), RATE), "unusable", "error", "silent"),
        (lambda path: soundfile.write(path, np.full(8000, 0.2), RATE), "unusable", "error", "silent"),
        (lambda path: soundfile.write(path, np.r_[noise(7999), np.nan], RATE, "FLOAT"), "unusable", "error", "NaN"),
        (lambda path: soundfile.write(path, noise(), 8000), "rate", "warning", "8000 Hz"),
        (lambda path: soundfile.write(path, noise(9000), RATE), "length", "warning", "0.56 s"),
    ],
)
def test_recordings_that_are_no_good(tiny, spoil, kind, level, message):
    spoil(tiny / "fan" / "train" / "section_00_source_train_normal_0001_vel_1.wav")
    found = [one for one in audit(tiny).findings if (one.kind, one.level) == (kind, level)]
    (place,) = found[0].files
    assert place.file == "fan/train/section_00_source_train_normal_0001_vel_1.wav"
    assert message in place.note


def test_several_silent_recordings_are_no_duplicates(tiny):
    for path in sorted((tiny / "fan" / "train").iterdir())[:2]:
        soundfile.write(path, np.zeros(8000), RATE)
    assert [(one.kind, len(one.files)) for one in audit(tiny).findings] == [("unusable", 2)]


@pytest.mark.parametrize(
    ("samples", "kinds"),
    [
        (noise((8000, 2)), ["channels"]),
        (np.c_[noise(), np.full(8000, 0.1)], ["dead-channel", "channels"]),
        (np.c_[noise(), noise()], ["same-channels", "channels"]),
    ],
)
def test_channels(tiny, samples, kinds):
    soundfile.write(tiny / "fan" / "train" / "section_00_source_train_normal_0001_vel_1.wav", samples, RATE)
    found = audit(tiny)
    assert [one.kind for one in found.findings] == kinds
    assert found.errors == 0


def tone(hz, level):
    return np.clip(level * np.sin(2 * np.pi * hz * np.arange(8000) / RATE), -1, 1)


@pytest.mark.parametrize(
    ("samples", "clipped"),
    [
        (tone(50, 1.0), False),  # just reaches full scale
        (tone(50, 1.2), True),
        (tone(3000, 1.0), False),
        (noise() / np.abs(noise()).max(), False),
        (np.clip(noise(level=1.0), -1, 1), True),
        (noise(), False),
    ],
)
def test_clipping_is_several_samples_in_a_row_at_full_scale(tiny, samples, clipped):
    soundfile.write(tiny / "fan" / "train" / "section_00_source_train_normal_0001_vel_1.wav", samples, RATE)
    assert [one.kind for one in audit(tiny).findings] == ["clipped"] * clipped


def test_the_worst_clipped_recording_comes_first(tiny):
    paths = sorted((tiny / "fan" / "train").iterdir())
    for path, level in zip(paths[:3], (1.2, 4.0, 2.0), strict=True):
        soundfile.write(path, tone(50, level), RATE)
    finding = only(audit(tiny), "warning")
    assert [place.file for place in finding.files] == [f"fan/train/{paths[i].name}" for i in (1, 2, 0)]
    assert finding.message.startswith("3 recordings of 14 clipped")


def test_a_folder_is_compared_with_the_bulk_of_the_machine_type(tiny):
    soundfile.write(tiny / "fan" / "train" / "section_00_source_train_normal_0001_vel_1.wav", noise(4000), RATE)
    soundfile.write(tiny / "fan" / "train" / "section_00_source_train_normal_0002_vel_1.wav", noise(8000), 22050)
    found = verify(inventory_of(tiny), 2, Silent())
    # Two of fourteen lengths differ: below nine in ten nothing is the rule.
    assert [(one.kind, len(one.files)) for one in found.findings] == [("rate", 1)]
    soundfile.write(tiny / "fan" / "train" / "section_00_source_train_normal_0002_vel_1.wav", noise() * 0.9, RATE)
    finding = only(verify(inventory_of(tiny), 2, Silent()), "warning")
    assert (finding.kind, finding.files[0].note) == ("length", "0.25 s")
