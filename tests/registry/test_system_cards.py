"""System cards against the parts, the references and the papers that they name."""

import tomllib
from collections import Counter
from pathlib import Path

import pytest

from asdbench.harness import RunSpec
from asdbench.harness.request import Scopes, asked_stages
from asdbench.registry import load_catalog

CATALOG = load_catalog()
NAMES = CATALOG.names("systems")
REFERENCES = Path(__file__).resolve().parents[2] / "leaderboards" / "references"
WITH_PARTS = sorted(path for path in REFERENCES.glob("*.toml") if "[machines]" in path.read_text())
OF_SYSTEMS = [path for path in WITH_PARTS if "card" in tomllib.loads(path.read_text())]  # those that have a card here
PARTS = {"extractor": "extractors", "scorer": "scorers", "frontend": "frontends", "augmentation": "augmentations"}


def settled(name):
    """Every part of a system with its parameters, by name."""
    spec = RunSpec(system=[name])
    (stages,) = asked_stages(spec, CATALOG)
    scopes = Scopes(spec, CATALOG, [stages], [])
    parts = {part: kind for kind, names in stages.names().items() for part in names}
    return {part: scopes.component(PARTS[kind], part, stages).params for part, kind in parts.items()}


def test_the_published_systems_are_there():
    assert set(NAMES) >= {
        "germinario2022-siamese-knn", "germinario2022-siamese-gmm", "germinario2022-siamese-lof", "shin2023-simclr-ml",
        "shin2023-simclr-elliptic", "shin2023-simclr-ml-resnet50", "dcase2023-baseline-mse",
        "dcase2023-baseline-mahala", "dcase2023-baseline-mahala-paper",
        "guan2023-twfr-gmm", "wilkinghoff2023-design-choices", "wilkinghoff2024-ssl4asd", "asdkit2025-multires",
        "beats-ap-beam", "beats-rdp4-beam", "beats-rdp8-beam", "beats-rdp4-beam-varmin-near-far", "beats-knn",
        "beats-ldn1", "genrep2025-s4", "asdkit2025-beats-lora", "asdkit2025-beats-lora-near-far",
    }  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_a_system_says_what_it_is_and_its_choices_exist(name):
    system = CATALOG.find("systems", name).system
    parts = settled(name)
    assert set(system.params) <= set(parts)
    for key in system.open:
        part, _, param = key.rpartition(".")
        assert param in parts[part], key
    assert system.summary.endswith(".")
    assert all(len(why) > 20 for why in system.open.values()), "a reason for each choice"
    assert 2 <= (system.summary + " " + system.description).count(". ") + 1 <= 4, "a few sentences for a newcomer"
    assert system.cite[0].authors
    assert system.cite[0].year


def test_the_papers_settings_stand_in_the_cards():
    shin = settled("shin2023-simclr-ml")
    assert shin["log-mel"] | {"n_fft": 2048, "hop": 512, "n_mels": 128} == shin["log-mel"]
    stated = {"temperature": 0.05, "batch_size": 48, "learning_rate": 0.5, "restarts": 3, "projection_dim": 128}
    assert shin["simclr"] | stated | {"backbone": "resnet18", "copies": 2} == shin["simclr"]
    assert settled("shin2023-simclr-ml-resnet50")["simclr"] == shin["simclr"] | {"backbone": "resnet50"}
    siamese = settled("germinario2022-siamese-knn")
    stated = {"conv_layers": 2, "filters": 4, "kernel": 5, "features": 64, "margin": 1.0, "validation": 0.2}
    assert siamese["siamese"] | stated == siamese["siamese"]
    assert siamese["pyod:KNN"] | {"method": "largest", "n_neighbors": 5} == siamese["pyod:KNN"]
    assert siamese["mel-image"] | {"spectrogram": "384x384", "image": 128} == siamese["mel-image"]
    baseline = settled("dcase2023-baseline-mse")
    assert baseline["log-mel"] | {"n_fft": 1024, "hop": 512, "n_mels": 128, "power": 2.0} == baseline["log-mel"]
    stated = {"frames": 5, "bottleneck_dim": 8, "hidden_dim": 128, "learning_rate": 1e-3, "batch_size": 256}
    assert baseline["autoencoder"] | stated | {"epochs": 100} == baseline["autoencoder"]


@pytest.mark.parametrize("name", NAMES)
def test_a_published_total_follows_from_the_machine_types_beside_it(name):
    for row in CATALOG.find("systems", name).system.published:
        if row.machines:
            values = [value for terms in row.machines.values() for value in terms.values()]
            assert len(values) == 3 * len(row.machines)
            assert len(values) / sum(1 / value for value in values) == pytest.approx(row.percent, abs=0.011)
            wanted = CATALOG.find("datasets", row.dataset).challenge.splits[row.split].machines
            assert set(row.machines) == set(wanted)


def test_the_frozen_encoders_published_numbers_are_those_of_their_sources(shared_data):
    import csv

    with (shared_data / "published" / "backend-grids" / "beats-2025.csv").open() as file:
        grid = {row["config"]: row for row in csv.DictReader(file)}
    for name, config in (("beats-knn", "raw-k1"), ("beats-ldn1", "ldn-ratio-K1")):
        ours = {(row.dataset, row.split): row.percent for row in CATALOG.find("systems", name).system.published}
        assert ours["dcase2025", "dev"] == pytest.approx(float(grid[config]["dev_omega"]), abs=0.005)
        assert ours["dcase2025", "eval"] == pytest.approx(float(grid[config]["eval_omega"]), abs=0.005)


def test_the_systems_on_frozen_beats_differ_in_what_their_names_say():
    plain, parts = settled("beats-ap-beam"), settled("beats-rdp4-beam")
    assert (plain["beats"]["pooling"], plain["beats"]["pool_over"]) == ("mean", "band")
    assert plain["beam"] == {"rescale": "varmin", "rescale_k": 4}
    assert parts == plain | {"beats": plain["beats"] | {"pooling": "rdp", "rdp_gamma": 4.0}}
    assert settled("beats-rdp8-beam")["beats"] == parts["beats"] | {"rdp_gamma": 8.0}
    near_far = parts | {"waveform": parts["waveform"] | {"channel": "0-1"}}
    assert settled("beats-rdp4-beam-varmin-near-far") == near_far
    knn, density = settled("beats-knn"), settled("beats-ldn1")
    assert (knn["knn"]["n_neighbors"], knn["knn"]["metric"]) == (1, "cosine")
    assert (density["knn-ldn"]["n_neighbors"], density["knn-ldn"]["banks"]) == (1, "all")
    assert density["beats"] == knn["beats"] == plain["beats"] | {"pool_over": "patches"}


def test_the_systems_on_tuned_beats_are_scored_as_those_on_frozen_beats():
    """The tuned encoder's patches, pooled as the frozen one's; both microphones as there."""
    for tuned, frozen in (
        ("asdkit2025-beats-lora", "beats-rdp4-beam"),
        ("asdkit2025-beats-lora-near-far", "beats-rdp4-beam-varmin-near-far"),
    ):
        ours, theirs = settled(tuned), settled(frozen)
        assert (ours["waveform"], ours["beam"]) == (theirs["waveform"], theirs["beam"])
        for name in ("pooling", "pool_over", "rdp_gamma"):
            assert ours["lora-classifier"][name] == theirs["beats"][name]
        assert ours["lora-classifier"]["encoder"] == "beats"


def test_the_published_numbers_of_tuned_beats_are_those_of_their_source(shared_data):
    import csv

    ours = {
        (row.dataset, row.split, system, machine, term): percent
        for name, system in (
            ("asdkit2025-beats-lora", "BEATs LoRA, near microphone"),
            ("asdkit2025-beats-lora-near-far", "BEATs LoRA, near minus far"),
        )
        for row in CATALOG.find("systems", name).system.published
        for machine, terms in (row.machines or {}).items()
        for term, percent in terms.items()
    }
    with (shared_data / "published" / "per_machine_more.csv").open() as file:
        keys = ("dataset", "split", "system", "machine", "metric")
        rows = [row for row in csv.DictReader(file) if row["system"].startswith("BEATs LoRA")]
    assert ours == {tuple(row[key] for key in keys): float(row["percent"]) for row in rows}


@pytest.mark.parametrize("path", OF_SYSTEMS, ids=lambda path: path.stem)
def test_a_references_total_follows_from_its_parts(path):
    content = tomllib.loads(path.read_text())
    values = [value for machine in content["machines"].values() for value in machine.values()]
    assert len(values) == 3 * len(content["machines"])
    assert content["source"]
    assert content["year"] >= 2023
    assert path.stem.startswith(f"{content['dataset']}-{content['split']}-")
    CATALOG.find("systems", content["card"])
    if "official_score" in content:
        total = len(values) / sum(1 / value for value in values)
        assert total == pytest.approx(content["official_score"], abs=0.005)


def test_the_references_hold_the_known_totals():
    totals = {}
    for path in OF_SYSTEMS:
        content = tomllib.loads(path.read_text())
        totals[content["dataset"], content["split"], content["card"]] = content.get("official_score")
    dev, evaluation = ("dcase2023", "dev"), ("dcase2023", "eval")
    assert totals[*dev, "shin2023-simclr-ml"] == 62.41
    assert totals[*dev, "shin2023-simclr-elliptic"] == 61.31
    assert totals[*dev, "dcase2023-baseline-mse"] == 55.02
    assert totals[*dev, "dcase2023-baseline-mahala"] == 56.58
    assert totals[*evaluation, "dcase2023-baseline-mse"] == 59.25
    assert totals[*evaluation, "dcase2023-baseline-mahala"] == 61.05


def test_the_references_are_the_published_numbers(shared_data):
    import csv

    ours, theirs = Counter(), Counter()
    for path in WITH_PARTS:
        content = tomllib.loads(path.read_text())
        for machine, terms in content["machines"].items():
            for term, percent in terms.items():
                ours[content["dataset"], content["split"], machine, term, float(percent)] += 1
    for name in ("per_machine.csv", "per_machine_more.csv"):
        with (shared_data / "published" / name).open() as file:
            for row in csv.DictReader(file):
                theirs[row["dataset"], row["split"], row["machine"], row["metric"], float(row["percent"])] += 1
    assert ours == theirs


@pytest.mark.parametrize("name", NAMES)
def test_the_published_numbers_of_a_card_are_those_of_its_references(name):
    for row in CATALOG.find("systems", name).system.published:
        if row.reference:
            content = tomllib.loads((REFERENCES / f"{row.reference}.toml").read_text())
            assert content["official_score"] == row.percent
            assert (content["dataset"], content["split"], content["card"]) == (row.dataset, row.split, name)
