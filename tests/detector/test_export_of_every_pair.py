"""Every exportable extractor and scorer: fitted, saved, loaded, scored, exported, and scored by onnxruntime."""

import numpy as np
import pytest

import asdbench
from asdbench import Detector
from asdbench.detector.exporting import export_onnx
from asdbench.detector.onnx_scoring import OnnxDetector

SCORERS = ("mahalanobis-lw", "knn", "gmm")
NETWORKS = {"autoencoder": ("identity",), "simclr": ("gmm",), "siamese": ("knn",), "attribute-classifier": ("knn",)}
MORE = {
    "attribute-classifier": {"attribute-classifier.epochs": 1},
    "siamese": {"siamese.epochs": 1},
}


@pytest.mark.parametrize(
    "extractor", ["raw-mel", "psd", "twfr", "simclr", "siamese", "autoencoder", "attribute-classifier"]
)
def test_a_pair_gives_the_same_scores_at_every_station(
    extractor, quick_params, small_dataset, session_cache, monkeypatch, tmp_path
):
    monkeypatch.setenv("ASDBENCH_CACHE", str(session_cache))
    clips = sorted(small_dataset.glob("fan/test/*.wav"))[::3]
    params = {**quick_params.get(extractor, {}), **MORE.get(extractor, {})}
    for scorer in NETWORKS.get(extractor, SCORERS):
        fitted = asdbench.fit(small_dataset, extractor, scorer, params=params, held_out=0)
        loaded = Detector.load(fitted.save(tmp_path / "fan.asd"))
        scores = loaded.score(clips, "fan").scores
        np.testing.assert_array_equal(scores, fitted.score(clips, "fan").scores)
        export_onnx(loaded, tmp_path / "fan.onnx", "fan", recordings=clips)
        spread = loaded.training_scores("fan").std()
        exported = OnnxDetector(tmp_path / "fan.onnx").score(clips).scores
        assert np.all(np.abs(exported - scores) <= 1e-4 * np.maximum(np.abs(scores), spread)), (
            scorer,
            exported,
            scores,
        )
