"""The rating that ``--select normal-only`` tells, computed a second time from the recordings."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
import torch
from scipy.stats import hmean
from sklearn.covariance import LedoitWolf
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import NearestNeighbors

import asdbench
from asdbench.core.digests import derive_seed
from asdbench.core.progress import Silent
from asdbench.datasets import TrainingClip, read_folder
from asdbench.harness.record import load_record
from asdbench.harness.scoring import section_scorer
from asdbench.registry import load_catalog
from asdbench.selection import cut_paste


@pytest.fixture(scope="module")
def fans(tmp_path_factory):
    """One machine type, 1 s clips, 14 + 6 for training."""
    folder = tmp_path_factory.mktemp("selecting") / "fans"
    asdbench.build("synthetic", machines=["fan"], clip_s=1.0, train_source=14, train_target=6, test=8).make(
        folder, 2, Silent()
    )
    return folder


def embedded(frontend, waveform):
    """Mean and deviation of every mel bin over the frames."""
    features = frontend(torch.from_numpy(waveform[None]))[0].numpy().astype(np.float32)
    return np.concatenate([features.mean(axis=-1).ravel(), features.std(axis=-1).ravel()]).astype(float)


def mahalanobis(train, rows):
    return LedoitWolf().fit(train).mahalanobis(rows)


def third_nearest(train, rows):
    return NearestNeighbors(n_neighbors=3).fit(train).kneighbors(rows)[0][:, -1]


def pasted_by_hand(folder, seed):
    """Training clips by key, their embeddings, and those of 200 pasted ones, ten made of each clip."""
    table = [clip for clip in read_folder(folder) if clip.split == "train"]
    clips = sorted((clip.key, clip.domain, clip.attributes, clip.path) for clip in table)
    frontend = asdbench.build("log-mel")
    waveforms = [soundfile.read(path, dtype="float32")[0] for *_, path in clips]
    outliers = []
    for number in range(200):
        host = number // 10
        own = derive_seed(seed, "outliers", "fan", "00")
        drawn = np.random.default_rng(derive_seed(own, "cut and paste", clips[host][0], number))
        donor = (host + drawn.integers(1, 20)) % 20
        outliers.append(embedded(frontend, cut_paste(waveforms[host], waveforms[donor], drawn)))
    return clips, np.stack([embedded(frontend, one) for one in waveforms]), np.stack(outliers)


def rating_by_hand(clips, rows, outliers, detector):
    made_of = np.arange(200) // 10
    domains = np.array([domain for _, domain, *_ in clips])
    fold = np.empty(20, int)
    fold[sorted(range(20), key=lambda place: (clips[place][1], clips[place][2], place))] = np.arange(20) % 5
    areas = {"source": [], "target": [], "partial": []}
    for number in range(5):
        normal = detector(rows[fold != number], rows[fold == number])
        anomalous = detector(rows[fold != number], outliers[fold[made_of] == number])
        for name, chosen in [(one, domains[fold == number] == one) for one in ("source", "target")]:
            areas[name].append(np.mean([one < other for one in normal[chosen] for other in anomalous]))
        labels = [0] * len(normal) + [1] * len(anomalous)
        areas["partial"].append(roc_auc_score(labels, [*normal, *anomalous], max_fpr=0.1))
    return hmean([np.mean(found) for found in areas.values()])


def test_ratings_are_those_of_scikit_learn(cli, fans, tmp_path):
    words = ("--scorer", "mahalanobis-lw", "--scorer", "knn", "-p", "knn.n_neighbors=3", "--seed", "3")
    ran = cli(
        "run",
        "--dataset",
        str(fans),
        "--extractor",
        "raw-mel",
        *words,
        "--select",
        "normal-only",
        "--out",
        tmp_path,
        "--json",
    )
    assert ran.code == 0, ran.err
    found = {
        load_record(Path(one["record"]).parent).scorer.name: ran.json["choices"][0]["ratings"][one["run_id"]]["fan"]
        for one in ran.json["runs"]
    }
    pasted = pasted_by_hand(fans, seed=3)
    assert found["mahalanobis-lw"] == pytest.approx(rating_by_hand(*pasted, mahalanobis), abs=1e-9)
    assert found["knn"] == pytest.approx(rating_by_hand(*pasted, third_nearest), abs=1e-9)
    assert found["knn"] != pytest.approx(found["mahalanobis-lw"], abs=1e-3)


def test_an_ensemble_is_what_its_members_give_normalised_by_scores_of_clips_they_have_not_seen():
    drawn = np.random.default_rng(0)
    near, wide = drawn.normal(size=(40, 2)), drawn.normal(size=(40, 5)) * 3
    found, found_wide = drawn.normal(size=(7, 2)) * 2, drawn.normal(size=(7, 5)) * 5
    catalog = load_catalog(())

    def scorer(name, **params):
        return catalog.component("scorers", name).altered(params)

    members = [SimpleNamespace(scorer=one) for one in (scorer("knn", n_neighbors=1), scorer("mahalanobis-lw"))]
    cell = SimpleNamespace(members=members, scorer=scorer("ensemble"), seed=0)
    clips = [TrainingClip(str(number), "fan", "00", "source", ()) for number in range(40)]
    together = section_scorer(cell, "fan", "00").fit([near.astype(np.float32), wide.astype(np.float32)], clips)
    scores = together.score([found.astype(np.float32), found_wide.astype(np.float32)])

    neighbours = NearestNeighbors(n_neighbors=2).fit(near)
    trained = neighbours.kneighbors(near)[0][:, 1]
    first = (neighbours.kneighbors(found)[0][:, 0] - trained.mean()) / trained.std()
    held_out = np.empty(40)
    for fold in range(5):
        own = np.arange(40) % 5 == fold
        held_out[own] = np.sqrt(LedoitWolf().fit(wide[~own]).mahalanobis(wide[own]))
    distances = np.sqrt(LedoitWolf().fit(wide).mahalanobis(found_wide))
    second = (distances - held_out.mean()) / held_out.std()
    assert np.allclose(scores, (first + second) / 2, rtol=1e-4)
