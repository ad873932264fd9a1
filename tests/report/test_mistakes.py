import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from asdbench.report.contents import read_contents
from asdbench.report.decisions import Counts, count, scored_clips, typical_normal, worst_mistakes
from asdbench.report.scores import draw_scores, score_groups


@pytest.fixture
def contents(make_run, clips_of):
    rows = {("fan", "00"): clips_of("00", 30, 1), ("fan", "01"): clips_of("01", 30, 2)}
    return read_contents(make_run(rows)), rows


def test_the_worst_are_those_of_a_brute_force_sort(contents):
    found, rows = contents
    false_alarms, misses = worst_mistakes(found.sections_of("fan"), 5)
    clips = [(clip.removesuffix(".wav"), score) for chosen in rows.values() for clip, score in chosen]
    normal = sorted(((-score, clip) for clip, score in clips if "normal" in clip and score > 0.5))
    anomaly = sorted(((score, clip) for clip, score in clips if "anomaly" in clip and not score > 0.5))
    assert len(normal) > 5 < len(anomaly)
    assert [one.score for one in false_alarms] == [-score for score, _ in normal[:5]]
    assert [one.score for one in misses] == [score for score, _ in anomaly[:5]]
    for mistake in (*false_alarms, *misses):
        score = dict(clips)[mistake.name.removesuffix(".wav")]
        assert mistake.score == score


def test_sections_are_compared_by_their_distance_from_their_own_threshold(make_run, clips_of):
    from asdbench.harness.record import UsedThreshold

    rows = {("fan", "00"): clips_of("00"), ("fan", "01"): [(name, score + 100) for name, score in clips_of("01")]}
    of_each = {"00": UsedThreshold(value=0.2, method=""), "01": UsedThreshold(value=100.45, method="")}
    found = read_contents(make_run(rows, thresholds={"fan": of_each}))
    first = worst_mistakes(found.sections_of("fan"), 1)[0][0]
    assert first.section == "00"  # although those of 01 score a hundred more


def test_counts_are_those_of_the_rows(contents):
    found, rows = contents
    for (_, section), clips in rows.items():
        view = next(view for view in found.sections if view.section == section)
        for domain in ("source", "target"):
            chosen = [(clip, score) for clip, score in clips if domain in clip]
            expected = Counts(
                sum("normal" in clip for clip, _ in chosen),
                sum("normal" in clip and score > 0.5 for clip, score in chosen),
                sum("anomaly" in clip for clip, _ in chosen),
                sum("anomaly" in clip and score <= 0.5 for clip, score in chosen),
            )
            assert count([clip for clip in scored_clips([view]) if clip.domain == domain]) == expected


def test_nothing_is_wrong_without_a_threshold(make_run, clips_of):
    found = read_contents(make_run({("fan", "00"): clips_of()}, threshold=None))
    assert worst_mistakes(found.sections, 3) == ([], [])
    assert count(scored_clips(found.sections)) is None
    draw_scores(found.sections[0])


def test_the_typical_clip_has_the_median_score(contents):
    found, rows = contents
    scores = sorted(s for chosen in rows.values() for clip, s in chosen if "source_test_normal" in clip)
    assert typical_normal(found.sections, "source").score == scores[(len(scores) - 1) // 2]


@pytest.mark.parametrize("each", [8, 200])
def test_every_clip_is_in_the_picture_once(make_run, clips_of, each):
    clips = clips_of(each=each)
    view = read_contents(make_run({("fan", "00"): clips})).sections[0]
    axes = draw_scores(view).axes[0]
    if each == 8:
        drawn = sorted(x for line in axes.lines if line.get_marker() in ("o", "D") for x in line.get_xdata())
        assert drawn == pytest.approx(sorted(score for _, score in clips))
    else:
        heights = [abs(bar.get_height()) for bar in axes.patches]
        assert sum(heights) / min(heights) == pytest.approx(len(clips))
    remarks = [text.get_text() for text in axes.texts]
    for domain in ("source", "target"):
        chosen = [s for clip, s in clips if f"{domain}_test_normal" in clip]
        assert f"{sum(s > 0.5 for s in chosen)} of {each} false alarms" in remarks
        chosen = [s for clip, s in clips if f"{domain}_test_anomaly" in clip]
        assert f"{sum(s <= 0.5 for s in chosen)} of {each} missed" in remarks
    assert any(line.get_xdata()[0] == 0.5 for line in axes.lines if len(line.get_xdata()) == 2)


@pytest.mark.parametrize(("each", "threshold"), [(8, -0.3), (8, 0.5), (40, 0.1), (200, 0.5), (200, 1.2)])
def test_captions_have_a_place_of_their_own(make_run, clips_of, each, threshold):
    view = read_contents(make_run({("fan", "00"): clips_of(each=each)}, threshold=threshold)).sections[0]
    figure = draw_scores(view)
    assert figure.bbox.width <= 343  # of a phone's page, so that letters are not made smaller there
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    pen = canvas.get_renderer()
    axes = figure.axes[0]
    assert axes.get_window_extent(pen).width > 0.93 * figure.bbox.width
    texts = [text for text in axes.texts if text.get_text()]
    boxes = [text.get_window_extent(pen) for text in texts]
    assert len(texts) == 9  # the threshold's, and name and remark of four groups
    assert min(text.get_fontsize() for text in texts) >= 11
    drawn = [one.get_window_extent(pen) for one in (*axes.lines, *axes.patches)]
    for number, box in enumerate(boxes):
        assert figure.bbox.x0 <= box.x0
        assert box.x1 <= figure.bbox.x1
        for other in [*boxes[number + 1 :], *drawn]:
            apart = box.x1 <= other.x0 or other.x1 <= box.x0 or box.y1 <= other.y0 or other.y1 <= box.y0
            assert apart, texts[number]


@pytest.mark.parametrize("value", [0.0, 3.0, -1e9])
def test_constant_scores_can_be_drawn(make_run, clips_of, value):
    folder = make_run({("fan", "00"): [(clip, value) for clip, _ in clips_of()]}, threshold=value)
    low, high = draw_scores(read_contents(folder).sections[0]).axes[0].get_xlim()
    assert low < value < high


def test_scores_far_apart_get_a_logarithmic_axis(make_run, clips_of):
    clips = [(clip, float(10.0 ** (5 * score))) for clip, score in clips_of(each=20)]
    axes = draw_scores(read_contents(make_run({("fan", "00"): clips}, threshold=300.0)).sections[0]).axes[0]
    assert axes.get_xscale() == "log"
    assert "logarithmic" in axes.get_xlabel()


def test_unlabelled_clips_stand_by_domain_alone(make_run):
    clips = [(f"section_00_{number:04d}.wav", number / 10) for number in range(10)]
    view = read_contents(make_run({("fan", "00"): clips}, results=None)).sections[0]
    (group,) = score_groups(view)
    assert (group.name, group.remark) == ("unlabelled", "4 of 10 above the threshold")
    np.testing.assert_array_equal(np.sort(group.values), [score for _, score in clips])
