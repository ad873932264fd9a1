"""The cards of the challenges against lists and ground truth that others published."""

import csv
import re
from collections import Counter

import pytest

from asdbench.protocols import PROTOCOLS
from asdbench.registry import load_catalog
from asdbench.registry.reader import read_card
from asdbench.registry.toml import CardError

CATALOG = load_catalog()
CARDS = {name: CATALOG.find("datasets", name).challenge for name in PROTOCOLS}


def test_every_year_has_a_card_of_both_splits():
    for name, card in CARDS.items():
        assert f"dcase{card.year}" == name == card.protocol
        assert set(card.splits) == {"dev", "eval"}
        assert "CC BY" in card.licence
        assert str(card.year) in card.cite[0].title
        for split in card.splits.values():
            assert all(count for machine in split.machines for count in [split.sections_of(machine)])


def test_the_addresses_are_those_of_the_organisers(shared_data):
    with (shared_data / "published" / "dataset_urls.csv").open() as file:
        listed = {(int(row["year"]), row["split"], row["machine"], row["url"]) for row in csv.DictReader(file)}
    ours = {
        (card.year, split, machine, address)
        for card in CARDS.values()
        for split, content in card.splits.items()
        for machine in content.machines
        for address in content.zips_of(machine)
    }
    assert listed - ours == set()
    more = ours - listed
    assert {(year, split) for year, split, *_ in more} == {(2026, "eval")}
    assert all(address.endswith("_test.zip") for *_, address in more), "known from third parties; the card says so"


@pytest.mark.parametrize("year", [2021, 2022, 2023, 2024])
def test_machine_types_sections_and_counts_are_those_of_the_ground_truth(shared_data, year):
    split = CARDS[f"dcase{year}"].splits["eval"]
    found = {}
    pattern = re.compile(r"ground_truth_(.+)_section_(\d+)(?:_(source|target))?_test")
    for path in (shared_data / "ground_truth" / f"dcase{year}" / "ground_truth_data").iterdir():
        machine, section, domain = pattern.match(path.name).groups()
        labels = dict(csv.reader(path.open()))
        beside = path.parent.with_name("ground_truth_domain") / path.name
        domains = dict(csv.reader(beside.open())) if beside.exists() else dict.fromkeys(labels, domain)
        words = {"0": "source", "1": "target"}
        counts = found.setdefault((machine, section), Counter())
        counts.update(
            f"{words.get(domains[clip], domains[clip])}_{('normal', 'anomaly')[int(label)]}"
            for clip, label in labels.items()
        )
    assert set(found) == {(machine, section) for machine in split.machines for section in split.sections_of(machine)}
    for (machine, section), counts in found.items():
        assert split.counts_of(machine, section).test == counts, (machine, section)


@pytest.mark.parametrize("name", ["dcase2021-ae-dev", "dcase2022-ae-dev"])
def test_development_counts_are_those_of_the_public_runs(shared_data, name):
    split = CARDS[name.partition("-")[0]].splits["dev"]
    found = {}
    for path in (shared_data / "goldens" / name).glob("anomaly_score_*"):
        machine, section = re.match(r"anomaly_score_(.+)_section_(\d+)_", path.name).groups()
        for clip, _ in csv.reader(path.open()):
            domain, label = re.match(r"section_\d+_(source|target)_test_(normal|anomaly)", clip).groups()
            found.setdefault((machine, section), Counter())[f"{domain}_{label}"] += 1
    for (machine, section), counts in found.items():
        assert split.counts_of(machine, section).test == counts
    assert len(found) == 21


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("licence", "license", "unknown key 'license'. Did you mean 'licence'?"),
        ("labelled", "labeled", "Did you mean 'labelled'?"),
        ('zips = ["https', 'zips = ["ftp', "splits.dev.zips"),
        ("gearbox.counts]\n00", "gearbox.counts]\n07", "counts names section 07, which it does not have"),
    ],
)
def test_a_wrong_card_names_the_key(tmp_path, old, new, message):
    text = CATALOG.find("datasets", "dcase2021").path.read_text()
    assert old in text
    (tmp_path / "card.toml").write_text(text.replace(old, new))
    with pytest.raises(CardError) as caught:
        read_card(tmp_path / "card.toml", "datasets")
    assert message in str(caught.value)
