"""Objects of other libraries and of one's own: which method scores, and which way is up."""

import numpy as np
import pytest
from pyod.models.knn import KNN
from sklearn.base import BaseEstimator
from sklearn.ensemble import IsolationForest
from sklearn.mixture import GaussianMixture
from sklearn.neighbors import KernelDensity, LocalOutlierFactor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from asdbench.core.errors import UsageError
from asdbench.scorers.instances import as_scorer


class Distance(BaseEstimator):
    """A scorer of one's own that takes parameters from scikit-learn's base class."""

    def fit(self, rows, y=None):
        self.middle_ = rows.mean(0)
        return self

    def score(self, rows):
        return np.linalg.norm(rows - self.middle_, axis=1)


class DistanceAndMore(Distance):
    def decision_function(self, rows):
        return self.score(rows)


class OwnDensity(KernelDensity):
    """Scikit-learn's, with nothing changed."""


class OwnMixture(GaussianMixture):
    """Its ``score`` is one number for all rows, as scikit-learn has it."""

    def score(self, rows, y=None):
        return super().score(rows, y)


OBJECTS = {
    "PyOD": KNN(),
    "PyOD at the end of a pipeline": make_pipeline(KNN()),
    "PyOD behind a step": make_pipeline(StandardScaler(), KNN()),
    "scikit-learn behind a step": make_pipeline(StandardScaler(), IsolationForest(random_state=0)),
    "neighbours behind a step": make_pipeline(StandardScaler(), LocalOutlierFactor()),
    "a density": make_pipeline(StandardScaler(), KernelDensity()),
    "a class of a density": OwnDensity(),
    "a class of a mixture": OwnMixture(),
    "one's own": Distance(),
    "one's own with more": DistanceAndMore(),
}


@pytest.mark.parametrize("name", OBJECTS)
def test_what_lies_far_away_is_more_anomalous(name):
    rows = np.random.default_rng(0).normal(size=(60, 4))
    scorer = as_scorer(OBJECTS[name])
    scorer.seed = 0
    near, far = np.split(scorer.fit(rows).score(np.vstack([rows[:5], rows[:5] + 9])), 2)
    assert near.max() < far.min()


def test_a_pipeline_of_one_detector_scores_as_the_detector():
    rows = np.random.default_rng(0).normal(size=(60, 4))
    alone, wrapped = (as_scorer(one).fit(rows).score(rows) for one in (KNN(), make_pipeline(KNN())))
    np.testing.assert_array_equal(alone, wrapped)


def test_a_pipeline_that_ends_in_something_else_is_refused():
    with pytest.raises(UsageError, match="last step is no detector of scikit-learn or PyOD"):
        as_scorer(make_pipeline(StandardScaler(), Distance()))
