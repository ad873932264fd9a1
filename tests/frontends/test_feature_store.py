import numpy as np
import pytest
import torch
from threadpoolctl import threadpool_info

from asdbench.core.errors import DataError
from asdbench.core.progress import Silent
from asdbench.datasets import read_folder
from asdbench.datasets.audio import BadRecording
from asdbench.frontends import FeatureStore, decoding
from asdbench.frontends.pack import Pack, write_arrays
from asdbench.registry import Component, load_catalog


@pytest.fixture
def log_mel() -> Component:
    return load_catalog().component("frontends", "log-mel")


def test_features_are_those_of_each_clip_alone_whatever_its_length(
    make_folder, dcase2023_names, write_wav, log_mel, tmp_path
):
    root = make_folder({"pump": dcase2023_names()})
    for number, path in enumerate(sorted((root / "pump" / "test").iterdir())):
        write_wav(path, seconds=0.4 + 0.1 * (number % 3), seed=number)
    table = read_folder(root)
    features = FeatureStore(tmp_path / "cache", 2, Silent()).read(table, log_mel)
    frontend = log_mel.build()
    import soundfile

    for clip in table:
        samples, _ = soundfile.read(clip.path, dtype="float32")
        expected = frontend(torch.from_numpy(samples)[None])[0].numpy()
        assert np.allclose(features[clip.key], expected, atol=1e-3)
    keys = [clip.key for clip in table]
    seen = [position for positions, batch in features.batches(keys, 4) for position in positions]
    assert sorted(seen) == list(range(len(keys)))


@pytest.mark.parametrize("size", [1, 2**18], ids=["long recordings", "short ones"])
@pytest.mark.parametrize("clips", [1, 16, 17, 70])
def test_features_come_in_order_whatever_a_thread_takes_at_a_time(
    write_wav, log_mel, tmp_path, monkeypatch, size, clips
):
    monkeypatch.setattr(decoding, "BATCH_BYTES", size)
    paths = [tmp_path / f"{number}.wav" for number in range(clips)]
    for number, path in enumerate(paths):
        write_wav(path, seconds=0.2, seed=number)
    (tmp_path / f"{clips // 2}.wav").write_bytes(b"no recording")
    frontend = log_mel.build()
    made = list(decoding.features_of_all(paths, frontend, 2))
    assert [number for number, one in enumerate(made) if isinstance(one, BadRecording)] == [clips // 2]
    for path, features in zip(paths, made, strict=True):
        if not isinstance(features, BadRecording):
            waveform = torch.from_numpy(decoding.decode(path, frontend)[None])
            assert np.array_equal(features, frontend(waveform)[0].numpy())


def test_threads_do_not_split_a_recordings_sums_among_others(write_wav, tmp_path):
    """A library that was not asked in a thread takes all cores there, for sums that are done before these wake up."""

    class Frontend:
        sample_rate_hz, channel, min_samples = 16000, "mean", 1

        def __call__(self, waveform):
            openmp = [library for library in threadpool_info() if library["user_api"] == "openmp"]
            limits = {library["num_threads"] for library in openmp if "torch" in library["filepath"]}
            return torch.full((1, 1, 1, 1), float(max(limits)))

    paths = [tmp_path / f"{number}.wav" for number in range(40)]
    for number, path in enumerate(paths):
        write_wav(path, seconds=0.2, seed=number)
    assert {float(one.max()) for one in decoding.features_of_all(paths, Frontend(), 2)} == {1.0}


def test_what_is_in_the_cache_is_not_computed_again(make_folder, dcase2023_names, log_mel, tmp_path, monkeypatch):
    table = read_folder(make_folder({"pump": dcase2023_names()}))
    store = FeatureStore(tmp_path / "cache", 2, Silent())
    first = {clip.key: np.array(store.read(table, log_mel)[clip.key]) for clip in table}
    monkeypatch.setattr("asdbench.frontends.store.features_of_all", None)
    again = store.read(table, log_mel)
    assert all(np.array_equal(again[key], values) for key, values in first.items())


def test_equal_recordings_share_features_and_each_has_a_row(
    make_folder, dcase2023_names, log_mel, tmp_path, monkeypatch
):
    root = make_folder({"pump": dcase2023_names()})
    first, second, *_ = sorted((root / "pump" / "train").iterdir())
    second.write_bytes(first.read_bytes())
    table = read_folder(root)
    features = FeatureStore(tmp_path / "cache", 2, Silent()).read(table, log_mel)
    keys = [clip.key for clip in table if clip.path in (first, second)]
    assert len(set(keys)) == 2
    assert np.array_equal(*(features[key] for key in keys))
    assert features.shape(keys[0]) == features[keys[0]].shape
    assert len(features) == len(table) - 1
    assert sorted(row for rows, _ in features.batches(keys, 4) for row in rows) == [0, 1]


def test_every_bad_recording_is_listed_and_nothing_is_kept(make_folder, dcase2023_names, write_wav, log_mel, tmp_path):
    root = make_folder({"pump": dcase2023_names(), "fan": dcase2023_names()})
    bad = [sorted((root / machine / split).iterdir())[0] for machine in ("fan", "pump") for split in ("train", "test")]
    bad[0].write_bytes(b"")
    bad[1].write_text("no audio")
    write_wav(bad[2], np.zeros(8000))
    write_wav(bad[3], seconds=0.05)
    with pytest.raises(DataError) as caught:
        FeatureStore(tmp_path / "cache", 2, Silent()).read(read_folder(root), log_mel)
    assert len(caught.value.problems) == 4
    for path, words in zip(bad, ("empty", "cannot be decoded", "silent", "too short"), strict=True):
        assert any(str(path) in problem and words in problem for problem in caught.value.problems)
    assert not list((tmp_path / "cache").glob("**/*"))


@pytest.fixture
def decoded(monkeypatch):
    """Paths that were decoded, one after the other."""
    paths, decode = [], decoding.decode

    def counted(path, frontend):
        paths.append(path)
        return decode(path, frontend)

    monkeypatch.setattr(decoding, "decode", counted)
    return paths


def test_front_ends_that_take_the_same_samples_are_made_of_one_decoding(
    make_folder, dcase2023_names, log_mel, tmp_path, decoded
):
    root = make_folder({"pump": dcase2023_names(), "fan": dcase2023_names()})
    first, second, *_ = sorted((root / "pump" / "train").iterdir())
    second.write_bytes(first.read_bytes())
    table = read_folder(root)
    others = {"n_mels": 32}, {"n_fft": 512, "edges": "zeros"}, {"sample_rate_hz": 8000, "f_max_hz": 4000.0}
    frontends = [log_mel, *map(log_mel.altered, others)]
    alone, together = (FeatureStore(tmp_path / name, 2, Silent()) for name in ("alone", "together"))
    expected = [alone.read(table, frontend) for frontend in frontends]
    decoded.clear()
    together.make_together(table, frontends)
    assert sorted(decoded) == sorted({clip.content: clip.path for clip in table}.values())
    made = [together.read(table, frontend) for frontend in frontends[:3]]
    assert len(decoded) == len(table) - 1
    for one, reader in zip(expected[:3], made, strict=True):
        assert all(np.array_equal(one[clip.key], reader[clip.key]) for clip in table)
    together.make_together(table, frontends)  # of another sample rate one alone is missing
    assert len(decoded) == len(table) - 1


def test_front_ends_that_change_what_they_are_given_change_it_for_no_other(write_wav, tmp_path):
    class Doubling:
        sample_rate_hz, channel, min_samples = 16000, "mean", 1

        def __call__(self, waveform):
            return waveform.mul_(2.0).reshape(1, 1, 1, -1)

    path = tmp_path / "a.wav"
    write_wav(path, seconds=0.2)
    ((first, second),) = decoding.features_of_several([path], [Doubling(), Doubling()], 1)
    assert np.array_equal(first, second)


def test_what_cannot_be_made_together_is_left_to_each(make_folder, dcase2023_names, log_mel, tmp_path):
    root = make_folder({"pump": dcase2023_names(), "fan": dcase2023_names()})
    bad = sorted((root / "pump" / "train").iterdir())[0]
    bad.write_bytes(b"")
    table, store = read_folder(root), FeatureStore(tmp_path / "cache", 2, Silent())
    frontends = [log_mel, log_mel.altered({"n_mels": 32})]
    store.make_together(table, frontends)
    for frontend in frontends:
        assert [pack.intact for pack in store.packs(table, frontend)] == [True, True, False, True]
        with pytest.raises(DataError, match="the file is empty"):
            store.read(table, frontend)


def test_what_to_do_fits_the_reason(make_folder, dcase2023_names, log_mel, tmp_path):
    """Recordings with one channel are sound: nothing is to be repaired."""
    root = make_folder({"pump": dcase2023_names()})
    pair = log_mel.altered({"channel": "0-1"})
    one_channel, channel = "has 1 channel(s); 0-1 takes two", "-p log-mel.channel=0"
    for component in (pair, log_mel.altered({"channel": "2"})):
        with pytest.raises(DataError) as caught:
            FeatureStore(tmp_path / "cache", 2, Silent()).read(read_folder(root), component)
        assert "The recordings are sound; take a channel that they have: -p log-mel.channel=0" in str(caught.value)
        assert "Repair" not in str(caught.value)
    damaged = sorted((root / "pump" / "train").iterdir())[0]
    damaged.write_bytes(b"")
    for component, advice in (
        (pair, ["Repair or remove them", channel, one_channel]),
        (log_mel, ["Repair or remove them; nothing is left out silently."]),
    ):
        with pytest.raises(DataError) as caught:
            FeatureStore(tmp_path / "cache", 2, Silent()).read(read_folder(root), component)
        assert all(words in str(caught.value) for words in advice)
        assert (channel in str(caught.value)) == (component is pair)


def test_a_pack_cut_off_while_written_does_not_exist(tmp_path):
    def arrays():
        yield "a", np.ones((1, 2, 3))
        raise KeyboardInterrupt

    pack = Pack(tmp_path / "packs" / "p")
    with pytest.raises(KeyboardInterrupt):
        pack.get_or_make(lambda folder: write_arrays(folder, arrays()), pytest.fail)
    assert not pack.intact
    assert not list((tmp_path / "packs").iterdir())


def test_features_are_the_same_bits_whatever_the_number_of_threads(make_folder, dcase2023_names, log_mel, tmp_path):
    table = read_folder(make_folder({"pump": dcase2023_names()}))
    before = torch.get_num_threads()
    one, three = (FeatureStore(tmp_path / f"{jobs}", jobs, Silent()).read(table, log_mel) for jobs in (1, 3))
    assert all(np.array_equal(one[clip.key], three[clip.key]) for clip in table)
    assert torch.get_num_threads() == before


def test_a_pack_gives_arrays_of_any_shape_in_its_type(tmp_path, monkeypatch):
    monkeypatch.setattr("asdbench.frontends.pack.REMAP_AFTER", 2)  # arrays stay the same when the file is mapped anew
    rows = {str(size): np.random.default_rng(size).standard_normal((2, size, 3)) for size in (5, 0, 7)}
    pack = Pack(tmp_path / "pack")
    pack.get_or_make(lambda folder: write_arrays(folder, rows.items(), "float16"), pytest.fail)
    assert list(pack) == list(rows)
    read = {key: pack[key] for key in pack}
    for key, row in rows.items():
        np.testing.assert_array_equal(read[key], row.astype(np.float16))
        assert pack.shape(key) == row.shape
