from dataclasses import replace

import numpy as np
import pytest

import asdbench
from asdbench.core.errors import UsageError
from asdbench.selection import Outliers, SelectionError, criterion, outlier_features, reference_detector

CANDIDATES = ["0", "0.9", "1"]


def written_out(values, r):
    """Each bin's frames from loud to soft, the i-th with weight r^i."""
    rows = []
    for clip in values:
        row = []
        for one_bin in clip:
            total = weights = 0.0
            for place, level in enumerate(sorted(one_bin.tolist(), reverse=True)):
                weight = 1.0 if place == 0 else r**place
                total += weight * level
                weights += weight
            row.append(total / weights)
        rows.append(row)
    return np.array(rows)


@pytest.mark.parametrize("r", [0.0, 0.5, 0.99, 1.0])
def test_frames_are_weighted_by_their_rank(table, make_context, r):
    clips, context = table.blind_view()[:6], make_context(training=False)
    values = np.stack([context.features[clip.key][0] for clip in clips])
    rows = asdbench.build("twfr", r=r).embed(clips, context)
    assert rows.dtype == np.float32
    assert np.allclose(rows, written_out(values, r), atol=1e-4)
    limits = {0.0: values.max(-1), 1.0: values.mean(-1)}
    if r in limits:
        assert np.allclose(rows, limits[r], atol=1e-4)


def test_a_given_r_needs_no_recordings_to_fit(table, make_context):
    extractor = asdbench.build("twfr")
    extractor.fit(table.training_view(), make_context(training=False))
    assert not extractor.notes


@pytest.fixture
def fan(table, monkeypatch):
    monkeypatch.setattr("asdbench.selection.pasted.OUTLIERS", 20)
    return table.select(machines=["fan"])


def chosen(clips, context):
    extractor = asdbench.build("twfr", choose_from=CANDIDATES)
    extractor.fit(clips, context)
    return extractor


def test_the_r_of_the_best_criterion_is_taken_and_kept(fan, make_context, tmp_path):
    clips, context = fan.training_view(), make_context(seed=3)
    extractor = chosen(clips, context)
    training = context.training
    pasted = list(outlier_features(clips, training.waveforms, training.frontend, context.seed, 1))
    made_of = np.array([host for host, _ in pasted])
    ratings = {}
    for text in CANDIDATES:
        r = float(text)
        normal = written_out([context.features[clip.key][0] for clip in clips], r).astype(np.float32)
        outliers = Outliers(written_out([features[0] for _, features in pasted], r).astype(np.float32), made_of)
        ratings[r] = criterion(normal, clips, reference_detector, outliers)
    best = max(ratings, key=ratings.__getitem__)
    assert len(set(ratings.values())) == 3
    rows = extractor.embed(fan.blind_view(), context)
    assert np.array_equal(rows, asdbench.build("twfr", r=best).embed(fan.blind_view(), context))
    assert f"fan: r = {best:g}," in extractor.notes[0]
    extractor.save(tmp_path)
    again = asdbench.build("twfr", choose_from=CANDIDATES)
    again.load(tmp_path)
    assert np.array_equal(again.embed(fan.blind_view(), context), rows)


def test_the_choice_depends_on_the_seed_alone(fan, make_context):
    clips = fan.training_view()
    first, one_job, other = (
        chosen(clips, context).notes
        for context in (make_context(), replace(make_context(), jobs=1), make_context(seed=1))
    )
    assert first == one_job
    assert first != other


def test_sections_are_judged_apart(fan, make_context):
    clips, context = fan.training_view(), make_context()
    two = [replace(clip, section=f"0{place % 2}") for place, clip in enumerate(clips)]
    halves = [chosen([clip for clip in two if clip.section == name], context).notes[0] for name in ("00", "01")]

    def ratings(note):
        return np.array([float(part.split(": ")[-1].rstrip(")")) for part in note.split("0.5: ")[1].split(", ")])

    both = ratings(chosen(two, context).notes[0])
    assert np.allclose(both, (ratings(halves[0]) + ratings(halves[1])) / 2, atol=1.1e-3)


def test_what_cannot_be_is_said(fan, make_context):
    with pytest.raises(UsageError, match=r"twfr.choose_from takes .* not '0.5,1.5'"):
        asdbench.build("twfr", choose_from=["0.5", "1.5"])
    with pytest.raises(UsageError, match="not 'loud'"):
        asdbench.build("twfr", choose_from=["loud"])
    with pytest.raises(SelectionError, match="at least 10 of a section; there are 7"):
        chosen(fan.training_view()[:7], make_context())
