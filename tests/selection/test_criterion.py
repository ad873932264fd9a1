from dataclasses import dataclass

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from asdbench.datasets import TrainingClip
from asdbench.datasets.folds import folds
from asdbench.selection import Outliers, SelectionError, criterion, reference_detector


def made(source, target, seed=0, dim=6):
    clips = [
        TrainingClip(f"{place:02d}", "fan", "00", "source" if place < source else "target", ())
        for place in range(source + target)
    ]
    rows = np.random.default_rng(seed).standard_normal((len(clips), dim)).astype(np.float32)
    return rows, clips


@dataclass
class Distance:
    """From the mean of what it was fitted to."""

    centre: np.ndarray
    change: object = staticmethod(lambda scores: scores)

    def score(self, embeddings):
        return self.change(np.linalg.norm(embeddings - self.centre, axis=1).astype(float))


def distance(rows, clips):
    return Distance(rows.mean(axis=0))


def outliers_of(rows, by, seed=1):
    made_of = np.arange(2 * len(rows)) // 2
    drawn = np.random.default_rng(seed).standard_normal((len(made_of), rows.shape[1]))
    return Outliers((rows[made_of] + by * drawn).astype(np.float32), made_of)


def test_areas_are_those_of_the_official_score_fold_by_fold():
    rows, clips = made(20, 10)
    outliers = outliers_of(rows, 1.0)
    fold = folds(clips, attributes=True)
    areas = {"source": [], "target": [], "both": []}
    for number in range(5):
        inside = fold == number
        centre = rows[~inside].mean(axis=0)
        found = np.linalg.norm(outliers.rows[inside[outliers.made_of]] - centre, axis=1)
        for name, domains in {"source": {"source"}, "target": {"target"}, "both": {"source", "target"}}.items():
            chosen = [place for place in np.flatnonzero(inside) if clips[place].domain in domains]
            normal = np.linalg.norm(rows[chosen] - centre, axis=1)
            if name == "both":
                labels = [0] * len(normal) + [1] * len(found)
                areas[name].append(roc_auc_score(labels, [*normal, *found], max_fpr=0.1))
            else:  # the part of pairs in which the outlier has the higher score
                areas[name].append(np.mean([one < other for one in normal for other in found]))
    means = {name: np.mean(values) for name, values in areas.items()}
    assert criterion(rows, clips, distance, outliers) == pytest.approx(3 / sum(1 / mean for mean in means.values()))


def test_more_distinct_outliers_are_worth_more_up_to_one():
    rows, clips = made(30, 10)
    values = [criterion(rows, clips, distance, outliers_of(rows, by)) for by in (0.0, 1.0, 3.0, 100.0)]
    assert values == sorted(values)
    assert values[0] < 0.6
    assert values[-1] > 0.99


def test_one_domain_scored_higher_than_the_other_is_held_against_it():
    rows, clips = made(30, 10)
    outliers = outliers_of(rows, 2.0)
    target = np.array([clip.domain == "target" for clip in clips])
    apart = np.where(target, 4.0, 0.0).astype(np.float32)
    shifted = rows + apart[:, None]
    outliers_apart = Outliers(outliers.rows + apart[outliers.made_of][:, None], outliers.made_of)
    assert criterion(shifted, clips, distance, outliers_apart) < criterion(rows, clips, distance, outliers)


def test_any_increasing_change_of_the_scores_is_the_same():
    rows, clips = made(20, 5)
    outliers = outliers_of(rows, 1.0)

    def changed(some, of):
        scale = float(some.std())  # differs from fold to fold
        return Distance(some.mean(axis=0), lambda scores: np.exp(scores / scale) + 100 * scale)

    assert criterion(rows, clips, changed, outliers) == criterion(rows, clips, distance, outliers)
    assert criterion(8 * rows, clips, distance, Outliers(8 * outliers.rows, outliers.made_of)) == criterion(
        rows, clips, distance, outliers
    )


def test_what_is_scored_is_never_what_was_fitted_to():
    rows, clips = made(20, 10)
    seen = []

    def fitted(some, of):
        assert [clip.key for clip in of] == [f"{np.flatnonzero((rows == row).all(axis=1))[0]:02d}" for row in some]
        seen.append({clip.key for clip in of})
        return distance(some, of)

    criterion(rows, clips, fitted, outliers_of(rows, 1.0))
    assert len(seen) == 5
    assert all(len(keys) == 24 for keys in seen)
    assert not set.intersection(*seen), "every clip is held out once"


def test_folds_are_spread_over_domains_and_classes():
    clips = [
        TrainingClip(f"{place:02d}", "fan", "00", domain, (("speed", str(place % 2)),))
        for place, domain in enumerate(["source"] * 20 + ["target"] * 10)
    ]
    fold = folds(clips, attributes=True)
    for domain, speed, each in (("source", "0", 2), ("source", "1", 2), ("target", "0", 1), ("target", "1", 1)):
        chosen = [place for place, clip in enumerate(clips) if (clip.domain, clip.attributes[0][1]) == (domain, speed)]
        assert np.bincount(fold[chosen], minlength=5).tolist() == [each] * 5


def test_one_domain_alone_and_few_target_clips_have_a_criterion():
    for target in (0, 2):
        rows, clips = made(20, target)
        assert 0 < criterion(rows, clips, distance, outliers_of(rows, 1.0)) <= 1


def test_the_reference_is_the_mahalanobis_distance_by_ledoit_and_wolf():
    import asdbench

    rows, clips = made(20, 5)
    scorer = asdbench.build("mahalanobis-lw")
    scorer.fit(rows, clips)
    assert np.allclose(reference_detector(rows, clips).score(rows), scorer.score(rows) ** 2)


def test_too_little_to_choose_by_is_said():
    rows, clips = made(9, 0)
    with pytest.raises(SelectionError, match="at least 10 of a section; there are 9"):
        criterion(rows, clips, distance, outliers_of(rows, 1.0))
    rows, clips = made(12, 0)
    with pytest.raises(SelectionError, match="No outliers are made of the 3 clips of fold 1"):
        criterion(rows, clips, distance, Outliers(rows[:1], np.array([3])))
    rows, clips = made(20, 5)
    with pytest.raises(SelectionError, match="scores of clips left out and of pasted ones are not finite"):
        criterion(
            rows,
            clips,
            lambda some, of: Distance(some.mean(axis=0), lambda scores: scores * np.nan),
            outliers_of(rows, 1.0),
        )
