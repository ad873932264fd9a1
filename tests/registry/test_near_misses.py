"""What is nearly right is told what is meant."""

import pytest

from asdbench.core.errors import UsageError
from asdbench.registry import load_catalog
from asdbench.registry.libraries import detectors_of
from asdbench.registry.synonyms import NAMES


@pytest.mark.parametrize(
    ("kind", "name", "asked", "meant"),
    [
        ("scorers", "knn", "k", "n_neighbors"),
        ("scorers", "knn", "n_neighbours", "n_neighbors"),
        ("scorers", "knn-domains", "k", "n_neighbors_source"),
        ("scorers", "gmm", "k", "n_components"),
        ("scorers", "kmeans-target", "k", "n_clusters"),
        ("scorers", "whiten+knn", "K", "n_neighbors"),
        ("scorers", "pyod:KNN", "k", "n_neighbors"),
        ("extractors", "simclr", "lr", "learning_rate"),
        ("extractors", "simclr", "max_epochs", "epochs"),
        ("extractors", "simclr", "tempreature", "temperature"),
        ("extractors", "autoencoder", "latent-dim", "bottleneck_dim"),
        ("frontends", "log-mel", "hop_length", "hop"),
        ("frontends", "log-mel", "sr", "sample_rate_hz"),
    ],
)
def test_a_parameter_by_another_librarys_word(kind, name, asked, meant):
    with pytest.raises(UsageError, match=f"'{asked}'. Did you mean '{meant}'"):
        load_catalog().component(kind, name, {asked: "3"})


@pytest.mark.parametrize(
    ("asked", "meant"),
    [
        ("pyod:IForrest", "pyod:IForest"),
        ("pyod:isolation_forest", "pyod:IForest"),
        ("IForest", "pyod:IForest"),
        ("sklearn:svm.OneClasSVM", "sklearn:svm.OneClassSVM"),
        ("sklearn:IsolationForest", "sklearn:ensemble.IsolationForest"),
        ("IsolationForest", "sklearn:ensemble.IsolationForest"),
        ("mahalanobis", "mahalanobis-ml"),
    ],
)
def test_a_scorer_of_a_library(asked, meant):
    with pytest.raises(UsageError, match=f"Did you mean '{meant}'"):
        load_catalog().find("scorers", asked)


def test_every_word_leads_to_a_parameter_that_some_card_has():
    catalog = load_catalog()
    entries = [entry for kind in ("extractors", "frontends", "scorers") for entry in catalog.entries[kind].values()]
    params = {param for entry in entries for param in entry.card.params} | {"n_estimators"}  # of pyod:IForest
    assert not [start for start in NAMES if not any(param.startswith(start) for param in params)]


def test_the_detectors_of_the_libraries_exist():
    from asdbench.scorers.pyod_detector import find_detector as of_pyod
    from asdbench.scorers.sklearn_detector import find_detector as of_sklearn

    for name in ("IForest", "KNN", "ECOD", "LOF"):
        assert name in detectors_of("pyod")
        assert of_pyod(name).__name__ == name
    for name in detectors_of("sklearn"):
        assert of_sklearn(name).__name__ == name.partition(".")[2]
