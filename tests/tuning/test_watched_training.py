"""Trainings that are looked at while they go on: nothing of them changes, and those given up leave nothing."""

import pytest

from asdbench.core.progress import Silent
from asdbench.harness import RunSpec, make_plan
from asdbench.harness.embedding import EmbeddingStage
from asdbench.harness.failures import Abandoned
from asdbench.harness.kept import KeptFit
from asdbench.tuning.conduct import UNIT, Conductor, units

SMALL = {
    "simclr": {"simclr.backbone": "test_resnet", "simclr.epochs": 4, "simclr.batch_size": 16, "log-mel.n_mels": 16},
    "siamese": {"siamese.epochs": 4, "mel-image.spectrogram": "32x32", "mel-image.image": 32},
    "autoencoder": {"autoencoder.epochs": 4, "autoencoder.hidden_dim": 8, "log-mel.n_mels": 16},
}


def plan_of(extractor, dataset, folder, monkeypatch, **more):
    monkeypatch.setenv("ASDBENCH_CACHE", str(folder))
    scorer = "identity" if extractor == "autoencoder" else "knn"
    params = SMALL[extractor] | more
    spec = RunSpec(extractor=[extractor], scorer=[scorer], dataset=[str(dataset)], params=params, out=folder / "runs")
    return make_plan(spec, Silent())


@pytest.mark.parametrize("extractor", SMALL)
def test_a_look_at_each_quarter_changes_no_byte_of_the_weights(extractor, small_dataset, tmp_path, monkeypatch):
    weights, seen = [], []
    for name, watch in (("watched", lambda rows, part: seen.append((part, rows))), ("alone", None)):
        plan = plan_of(extractor, small_dataset, tmp_path / name, monkeypatch)
        cell = plan.cells[0]
        for group in cell.groups:
            assert EmbeddingStage(plan, cell, Silent(), watch=watch).compute(group) == []
        fits = [KeptFit(plan, cell, group) for group in cell.groups]
        weights.append([(fit.trained / "network.safetensors").read_bytes() for fit in fits])
        embeddings = [path.read_bytes() for fit in fits for path in fit.files.values()]
        weights[-1] += embeddings
    assert weights[0] == weights[1]
    groups = 1 if extractor == "simclr" else 2
    assert [part for part, _ in seen] == [0.25, 0.5, 0.75] * groups
    assert {machine for _, rows in seen for machine in rows} == {"fan", "valve"}
    first, last = seen[0][1]["fan"], seen[2][1]["fan"]
    assert first.shape == last.shape
    assert (first != last).any(), "the network learns in between"


def test_an_extractor_that_cannot_embed_yet_is_not_asked_to(small_dataset, tmp_path, monkeypatch):
    plan = plan_of("autoencoder", small_dataset, tmp_path, monkeypatch, **{"autoencoder.score": "mahalanobis-code"})
    seen = []
    stage = EmbeddingStage(plan, plan.cells[0], Silent(), watch=lambda *what: seen.append(what))
    assert stage.compute(["fan"]) == []
    assert seen == []


def test_all_trials_report_at_the_same_steps_and_the_last_is_the_official_score(small_dataset, tmp_path, monkeypatch):
    for extractor in ("siamese", "simclr"):
        plan = plan_of(extractor, small_dataset, tmp_path / extractor, monkeypatch)
        told = []
        order = units(["fan", "valve"], [0], seeds_first=extractor == "simclr")
        done = Conductor(plan, order, Silent(), lambda step, value, told=told: told.append((step, value))).run()
        steps = [step for step, _ in told]
        quarters = [250, 500, 750]
        expected = [*quarters, UNIT, *([] if extractor == "simclr" else [UNIT + part for part in quarters]), 2 * UNIT]
        assert steps == expected
        assert told[-1][1] == pytest.approx(done.runs[0].results.official_score, abs=1e-12)
        assert done.parts[0]["fan"].official_score == done.runs[0].results.machines["fan"].official_score


def test_a_training_that_is_given_up_stops_there_and_leaves_nothing(small_dataset, tmp_path, monkeypatch):
    plan = plan_of("siamese", small_dataset, tmp_path, monkeypatch)
    told = []

    def tell(step, value):
        told.append(step)
        if step == UNIT + 500:
            raise Abandoned("enough")

    with pytest.raises(Abandoned):
        Conductor(plan, units(["fan", "valve"], [0], seeds_first=False), Silent(), tell).run()
    assert told[-1] == UNIT + 500
    cell = plan.cells[0]
    fan, valve = (KeptFit(plan, cell, [machine]) for machine in ("fan", "valve"))
    assert fan.is_embedded, "what is done is kept for other trials"
    assert not valve.is_trained
    assert not valve.checkpoint.exists()
    assert not plan.spec.out.exists()
    told.clear()
    assert Conductor(plan, units(["fan", "valve"], [0], seeds_first=False), Silent(), None).run().runs
