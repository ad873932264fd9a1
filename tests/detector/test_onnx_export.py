"""Exported models give the library's scores, for every pair of extractor and scorer that can be exported."""

import json
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
import torch
from onnxruntime import InferenceSession

from asdbench.core.errors import AsdbenchError, RequirementError, UsageError
from asdbench.core.progress import Silent
from asdbench.core.threads import torch_threads
from asdbench.datasets.audio import BadRecording
from asdbench.datasets.clips import BlindClip, TrainingClip
from asdbench.detector.exporting import ExportError, onnx_model, write_checked
from asdbench.detector.onnx_scoring import OnnxDetector, resample
from asdbench.extractors.batch_statistics import recompute
from asdbench.frontends.decoding import decode
from asdbench.frontends.pack import InMemoryFeatures
from asdbench.registry import load_catalog

RATE_HZ = 16000
DOMAINS = ["source"] * 18 + ["target"] * 6
CLIPS = [TrainingClip(f"{place:02d}", "pump", "00", domain, ()) for place, domain in enumerate(DOMAINS)]
LENGTHS = (4000, 4000, 2561, 6345, 17000)  # of the training clips, shorter and longer ones
POOLINGS = ["mean", "std", "min", "max", "median", "p10", "p90", "delta"]
BRANCHES = {"branches": ["stft-256", "stft-2048"], "squeeze": True, "normalise": "branches", "remove_mean": False}
EXTRACTORS = {
    "raw-mel": ("log-mel", {"poolings": POOLINGS}, {"n_mels": 16}),
    "raw-mel amplitude": ("log-mel", {}, {"n_mels": 32, "power": 1.0, "edges": "zeros", "n_fft": 1000, "hop": 300}),
    "psd": ("waveform", {"bands": 32}, {}),
    "psd median": ("waveform", {"bands": 32, "average": "median", "remove_level": True, "n_fft": 1001}, {}),
    "twfr": ("log-mel", {"r": 0.9}, {"n_mels": 32}),
    "twfr maximum": ("log-mel", {"r": 0.0}, {"n_mels": 32}),
    "simclr": ("log-mel", {"backbone": "test_resnet"}, {}),
    "simclr backbone": ("log-mel", {"backbone": "test_efficientnet", "layer": "backbone"}, {}),
    "siamese": ("mel-image", {}, {"spectrogram": "64x64"}),
    "siamese linear": ("mel-image", {"padding": "valid"}, {"spectrogram": "1025x313", "image": 32}),
    "siamese whole": ("mel-image", {"batch_norm": False, "activation": "none"}, {"spectrogram": "32x32", "image": 0}),
    "attribute-classifier": ("waveform", {"dim": 16}, {}),
    "attribute-classifier squeeze": ("waveform", {"dim": 16, **BRANCHES}, {}),
    "autoencoder": ("log-mel", {}, {"n_mels": 16, "n_fft": 512}),
    "autoencoder code": ("log-mel", {"score": "mahalanobis-code"}, {"n_mels": 16, "n_fft": 512}),
    "autoencoder paper": ("log-mel", {"score": "mahalanobis-paper"}, {"n_mels": 16, "n_fft": 512}),
}
FACTS = {"simclr": {"channels": 1}, "attribute-classifier": {"samples": 4000, "rate_hz": RATE_HZ}}
SCORERS = {
    "knn": {},
    "knn mean": {"method": "mean", "metric": "cosine"},
    "knn median": {"method": "median", "n_neighbors": 4, "metric": "manhattan"},
    "mahalanobis-lw": {},
    "mahalanobis-ml": {},
    "mahalanobis-domains": {},
    "mahalanobis-domains-shared": {},
    "elliptic-envelope": {},
    "gmm": {},
    "gmm full": {"covariance": "full"},
    "gmm tied": {"covariance": "tied"},
    "gmm spherical": {"covariance": "spherical"},
    "knn-domains": {},
    "knn-domains-zscore": {"metric": "cosine"},
    "knn-smote": {},
    "knn-memmixup": {"unit_length": True},
    "knn varmin": {"rescale": "varmin", "method": "mean", "metric": "cosine"},
    "knn-ldn": {},
    "knn-ldn difference": {"rescale": "difference"},
    "knn-ldn-domains": {"metric": "cosine"},
    "kmeans-target": {"n_clusters": 3},
    "kmeans-target euclidean": {"metric": "euclidean", "n_clusters": 3},
    "lof": {"metric": "cosine"},
    "residual-subspace": {"scale": "deviation"},
    "unit-length+knn": {},
    "whiten+mahalanobis-lw": {},
    "by-domain+gmm": {},
}
FEW = ["mahalanobis-lw", "knn"]  # behind all but one extractor: one scorer is exported as another


def waveform(samples: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    seconds = np.arange(samples) / RATE_HZ
    hum = sum(np.sin(2 * np.pi * 100.0 * k * seconds + rng.random()) / k for k in range(1, 9))
    return np.asarray(0.05 * (1.0 + 0.2 * rng.random()) * hum + 0.02 * rng.normal(size=samples), np.float32)


TRAINING = [waveform(4000, seed) for seed in range(len(CLIPS))]
TESTS = [waveform(samples, 100 + samples + place) for place, samples in enumerate(LENGTHS)]


class System:
    """A front end and an extractor with the embeddings of some clips, made by the library."""

    def __init__(self, name: str) -> None:
        frontend, params, frontend_params = EXTRACTORS[name]
        kind = name.split(maxsplit=1)[0]
        catalog = load_catalog()
        self.frontend = catalog.component("frontends", frontend, frontend_params).build()
        self.extractor = catalog.component("extractors", kind, params).build()
        features = {clip.key: self.features(one) for clip, one in zip(CLIPS, TRAINING, strict=True)}
        if kind == "autoencoder":
            self._fit_autoencoder(features)
        elif hasattr(self.extractor, "begin"):
            self._draw_network(FACTS.get(kind) or {"shape": list(features["00"].shape)})
        self.training = self.embed(TRAINING)
        self.tests = self.embed(TESTS)

    def features(self, samples: np.ndarray) -> np.ndarray:
        return np.ascontiguousarray(self.frontend(torch.from_numpy(samples[None]))[0].numpy())

    def embed(self, waveforms: list[np.ndarray]) -> np.ndarray:
        features = {f"{place:02d}": self.features(samples) for place, samples in enumerate(waveforms)}
        return self.extractor.embed([BlindClip(key, "pump", "00") for key in features], self.context(features))

    def context(self, features: dict[str, np.ndarray]) -> SimpleNamespace:
        rate = self.frontend.frame_rate_hz
        return SimpleNamespace(device="cpu", features=InMemoryFeatures(features), frame_rate_hz=rate, progress=Silent())

    def _draw_network(self, facts: dict[str, object]) -> None:
        """Weights at random: how well they were trained is not of interest here."""
        torch.manual_seed(0)
        network = self.extractor.begin(**facts)
        if "mean" in dict(network.named_buffers()):
            network.mean, network.std = torch.tensor(-40.0), torch.tensor(15.0)
        for weights in network.parameters():
            if not weights.any():  # timm's residual branches begin with scale 0
                torch.nn.init.constant_(weights, 0.5)
        batch = torch.from_numpy(np.stack([self.features(samples) for samples in TRAINING]))
        recompute(network, (self.extractor.rows(network, batch) for _ in range(1)))

    def _fit_autoencoder(self, features: dict[str, np.ndarray]) -> None:
        bins = features["00"].shape[1]
        rng = np.random.default_rng(0)
        names = ("code.source", "code.target", "paper.source", "paper.target")
        self.extractor._precisions = {name: torch.from_numpy(np.cov(rng.normal(size=(bins, 50)))) for name in names}
        self._draw_network({"dim": 5 * bins})

    def fitted(self, scorer: str):
        component = load_catalog().component("scorers", scorer.split(maxsplit=1)[0], SCORERS.get(scorer, {}))
        return component.build().fit(self.training, CLIPS)

    def model(self, scorer) -> bytes:
        metadata = {
            "name": "a + b",
            "machine": "pump",
            "section": "00",
            "sample_rate_hz": str(self.frontend.sample_rate_hz),
            "channel": self.frontend.channel,
            "min_samples": str(self.frontend.min_samples),
            "clip_s": "0.25",
            "threshold": "1.5",
            "threshold_method": "gamma:0.9",
            "training_scores": json.dumps(sorted(scorer.score(self.training))),
        }
        return onnx_model(self.frontend, self.extractor, scorer, metadata)


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    with torch_threads(1):
        yield


@pytest.fixture(scope="module")
def psd() -> System:
    return System("psd")


@pytest.fixture(scope="module")
def pump(psd, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("exported") / "pump.onnx"
    path.write_bytes(psd.model(psd.fitted("knn")))
    return path


@pytest.mark.parametrize("name", EXTRACTORS)
def test_scores_agree_for_every_pair(name, tmp_path):
    system = System(name)
    scorers = ["identity"] if "autoencoder" in name else SCORERS if name == "psd" else FEW
    for label in scorers:
        scorer = system.fitted(label)
        expected = scorer.score(system.tests)
        content = system.model(scorer)
        clips = [(str(place), *pair) for place, pair in enumerate(zip(TESTS, expected, strict=True))]
        spread = float(np.std(scorer.score(system.training)))
        assert write_checked(tmp_path / "x.onnx", content, clips, spread) < 2e-5, label
    # Several clips of one length at once, and one as (samples,), give the same.
    session = InferenceSession(content)
    both = session.run(["score"], {"waveform": np.stack(TESTS[:2])})[0]
    assert both == pytest.approx(expected[:2], rel=1e-4)
    assert session.run(["score"], {"waveform": TESTS[0]})[0].shape == (1,)


def test_what_cannot_be_exported_says_what_can(psd):
    random = load_catalog().component("scorers", "random").build()
    with pytest.raises(RequirementError, match=r"scorer Random cannot .*\n.*mahalanobis and knn families"):
        psd.model(random)
    with pytest.raises(RequirementError, match=r"scorer sklearn:svm\.OneClassSVM cannot"):
        psd.model(psd.fitted("sklearn:svm.OneClassSVM"))
    knn = psd.fitted("knn")
    psd_extractor, psd.extractor = psd.extractor, torch.nn.Identity()
    try:
        with pytest.raises(RequirementError, match=r"extractor Identity cannot .*\n.*attribute-classifier"):
            psd.model(knn)
    finally:
        psd.extractor = psd_extractor


def test_a_model_with_other_scores_is_not_written(psd, tmp_path):
    scorer = psd.fitted("mahalanobis-lw")
    score = float(scorer.score(psd.tests[:1])[0])
    for wrong in (score * 1.001, float("nan")):
        with pytest.raises(ExportError, match="Nothing was written"):
            write_checked(tmp_path / "x.onnx", psd.model(scorer), [("a.wav", TESTS[0], wrong)], 0.0)
    # A difference far below the spread of the training scores counts for nothing.
    write_checked(tmp_path / "y.onnx", psd.model(scorer), [("a.wav", TESTS[0], score * 1.001)], 1e3 * score)
    assert [path.name for path in tmp_path.iterdir()] == ["y.onnx"]


def test_recordings_are_read_as_the_library_reads_them(psd, pump, tmp_path):
    rng = np.random.default_rng(0)
    stereo = np.stack([waveform(30000, 1), waveform(30000, 2)], axis=1)
    soundfile.write(tmp_path / "stereo.flac", stereo, 16000)
    soundfile.write(tmp_path / "cd.wav", stereo[:, :1], 44100)
    soundfile.write(tmp_path / "low.wav", stereo, 8000)
    soundfile.write(tmp_path / "silent.wav", np.zeros(9000), 16000)
    (tmp_path / "text.wav").write_bytes(rng.bytes(999))
    detector = OnnxDetector(pump)
    assert (detector.threshold, detector.sample_rate_hz, detector.machine) == (1.5, 16000, "pump")
    expected = np.sort(psd.fitted("knn").score(psd.training))
    np.testing.assert_allclose(detector.training_scores, expected, rtol=1e-8)
    names = ["stereo.flac", "cd.wav", "low.wav", "silent.wav", "text.wav", "none.wav"]
    scores = detector.score([tmp_path / name for name in names])
    rows = psd.embed([decode(tmp_path / name, psd.frontend) for name in names[:3]])
    assert scores.scores[:3] == pytest.approx(psd.fitted("knn").score(rows), rel=1e-5)
    assert [one.path for one in scores.errors] == [str(tmp_path / name) for name in names[3:]]


def test_a_clip_that_is_too_short_has_no_score():
    autoencoder = System("autoencoder")  # which stacks five frames
    detector = OnnxDetector(autoencoder.model(autoencoder.fitted("identity")))
    with pytest.raises(BadRecording, match="no score for its 300 samples"):
        detector.score_waveform(TESTS[0][:300])
    with pytest.raises(BadRecording, match="too short: 99 samples, at least 257"):
        detector.convert(TESTS[0][:99, None], RATE_HZ)


@pytest.mark.parametrize("rates", [(44100, 16000), (8000, 16000), (48000, 16000), (16000, 22050)])
def test_resampling_is_that_of_torchaudio(rates):
    from torchaudio.functional import resample as by_torchaudio

    for samples in (1, 777, 20001):
        sound = waveform(samples, samples)
        expected = by_torchaudio(torch.from_numpy(sound), *rates).numpy()
        np.testing.assert_allclose(resample(sound, *rates), expected, atol=2e-7)


def test_other_files_are_refused_by_name(tmp_path, pump):
    (tmp_path / "cut.onnx").write_bytes(pump.read_bytes()[:2000])
    for name in ("cut.onnx", "none.onnx"):
        with pytest.raises(UsageError, match=name):
            OnnxDetector(tmp_path / name)
    import onnx

    model = onnx.load(pump)
    for entry in model.metadata_props:
        if entry.key == "sample_rate_hz":
            entry.value = "0"
    onnx.save(model, tmp_path / "edited.onnx")
    with pytest.raises(UsageError, match=r"edited\.onnx is .*: numbers out of range"):
        OnnxDetector(tmp_path / "edited.onnx")
    del model.metadata_props[:]
    onnx.save(model, tmp_path / "other.onnx")
    with pytest.raises(AsdbenchError, match=r"other\.onnx is an ONNX model, but none that asdbench exported"):
        OnnxDetector(tmp_path / "other.onnx")


def test_scoring_needs_neither_torch_nor_pandas_nor_scikit_learn(pump, tmp_path):
    soundfile.write(tmp_path / "cd.wav", waveform(30000, 1), 44100)
    program = (
        "import sys\n"
        "for name in ('torch', 'torchaudio', 'pandas', 'sklearn', 'pydantic', 'onnx'): sys.modules[name] = None\n"
        "from asdbench.detector.onnx_scoring import OnnxDetector\n"
        "print(OnnxDetector(sys.argv[1]).score(sys.argv[2]).scores[0])"
    )
    words = [sys.executable, "-c", program, pump, tmp_path / "cd.wav"]
    printed = subprocess.run(words, check=True, capture_output=True, text=True).stdout
    assert float(printed) == pytest.approx(OnnxDetector(pump).score(tmp_path / "cd.wav").scores[0])


def test_the_program_of_the_page_runs(pump, tmp_path, monkeypatch, capsys):
    page = (Path(__file__).parents[2] / "docs" / "how-to" / "export.md").read_text()
    (program,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    monkeypatch.chdir(tmp_path)
    Path("pump.onnx").write_bytes(pump.read_bytes())
    soundfile.write("monday.wav", TESTS[0], RATE_HZ, subtype="FLOAT")
    exec(program, {})
    name, score, *_ = capsys.readouterr().out.split()
    assert (name, float(score)) == (
        "monday.wav",
        pytest.approx(OnnxDetector(pump).score("monday.wav").scores[0], abs=0.01),
    )
