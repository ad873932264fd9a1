"""Every year's names and folders, in the arrangements that people keep them in, against facts written down by hand."""

from functools import cache

import pytest
from miniatures import MACHINES, link, miniature

from asdbench.core.errors import DataError
from asdbench.datasets import read_folder
from asdbench.datasets.challenge import inventory_of_challenge, read_challenge
from asdbench.registry import load_catalog

ALL = list(MACHINES)
LAYOUT = {2020: "dcase2020", 2021: "dcase2021"}  # later years have the names of 2023


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """Folder of ``<machine>/...`` for each year and split; made when first asked for."""
    made = {}

    def give(year, split):
        if (year, split) not in made:
            made[year, split] = tmp_path_factory.mktemp(f"{split}-{year}") / "recordings"
            miniature(year, split).write(made[year, split])
        return made[year, split]

    return give


@pytest.fixture(scope="module")
def everything(plain, tmp_path_factory):
    """All years and both splits below one root, as the baselines want them."""
    root = tmp_path_factory.mktemp("everything")
    for year, split in ALL:
        link(plain(year, split), root / f"dcase{year}" / f"{split}_data" / "raw")
    return root


def facts(table):
    clips = [*table.clips, *table.supplemental]
    found = {
        (c.machine, c.name, c.section, c.domain, c.split, c.label, c.attributes, c.attributes_from_file) for c in clips
    }
    assert len(found) == len(clips)
    return found


@cache
def card(year):
    found = load_catalog().find("datasets", f"dcase{year}").challenge
    assert found is not None
    return found


def read(year, split, root, machines=()):
    return read_challenge(inventory_of_challenge(f"dcase{year}", card(year), split, root, machines))


@pytest.mark.parametrize(("year", "split"), ALL)
def test_the_cards_name_the_same_machine_types(year, split):
    assert set(card(year).splits[split].machines) == set(MACHINES[year, split])


@pytest.mark.parametrize(("year", "split"), ALL)
def test_a_folder_of_each_year(plain, year, split):
    table = read_folder(plain(year, split))
    assert facts(table) == miniature(year, split).facts
    assert table.layout == table.protocol == LAYOUT.get(year, "dcase2023")
    assert len(table.supplemental) == (5 * len(MACHINES[year, split]) if year == 2025 else 0)
    assert len({clip.key for clip in table}) == len(table)


@pytest.mark.parametrize(("year", "split"), ALL)
def test_a_challenge_among_all_years(everything, year, split):
    table = read(year, split, everything)
    assert facts(table) == miniature(year, split).facts
    assert (table.name, table.protocol) == (f"dcase{year}-{split}", f"dcase{year}")
    assert table.layout == card(year).layout


@pytest.mark.parametrize(("year", "split"), ALL[::4])
def test_the_baselines_folders(plain, tmp_path, year, split):
    link(plain(year, split), tmp_path / f"{split}_data" / "raw")
    assert facts(read_folder(tmp_path)) == miniature(year, split).facts
    for root in (tmp_path, tmp_path / f"{split}_data", tmp_path / f"{split}_data" / "raw"):
        assert facts(read(year, split, root, MACHINES[year, split][:2])) == {
            row.facts for row in miniature(year, split).rows if row.machine in MACHINES[year, split][:2]
        }


ZIPS = {  # year, split -> folders that zips of training and test data unpack to
    2020: ("eval_data_train_{}", "eval_data_test_{}"),
    2024: ("eval_data_{}_train_r2", "eval_data_{}_test"),
}


@pytest.mark.parametrize(("year", "split"), [(2020, "eval"), (2021, "dev"), (2024, "eval"), (2025, "eval")])
def test_zips_unpacked_into_folders_of_their_own(plain, tmp_path, year, split):
    train, test = ZIPS.get(year, ("eval_data_{}_train", "eval_data_{}_test"))
    for machine in MACHINES[year, split]:
        for folder in sorted((plain(year, split) / machine).iterdir()):
            own = (test if "test" in folder.name else train) if split == "eval" else "dev_data_{}"
            to = tmp_path / own.format(machine) / machine / folder.name
            if folder.is_dir():
                link(folder, to)
            else:
                to.parent.mkdir(parents=True, exist_ok=True)
                to.hardlink_to(folder)
    assert facts(read_folder(tmp_path)) == miniature(year, split).facts
    assert facts(read(year, split, tmp_path)) == miniature(year, split).facts


def test_dev_and_eval_of_2020_in_one_folder_are_distinguished_by_ids(plain, tmp_path):
    for split in ("dev", "eval"):
        link(plain(2020, split), tmp_path)
    for split in ("dev", "eval"):
        assert facts(read(2020, split, tmp_path)) == miniature(2020, split).facts
    both = miniature(2020, "dev").facts | miniature(2020, "eval").facts
    assert facts(read_folder(tmp_path)) == both


def test_dev_and_eval_of_2021_and_2022_in_one_folder_are_distinguished_by_sections(plain, tmp_path):
    for year in (2021, 2022):
        for split in ("dev", "eval"):
            link(plain(year, split), tmp_path / str(year))
        for split in ("dev", "eval"):
            assert facts(read(year, split, tmp_path / str(year))) == miniature(year, split).facts


def test_a_folder_of_both_splits_is_refused_and_a_card_reads_it(plain, tmp_path):
    for split in ("dev", "eval"):
        link(plain(2023, split), tmp_path / f"{split}_data" / "raw")
    with pytest.raises(DataError, match="holds development and evaluation data"):
        read_folder(tmp_path)
    assert facts(read(2023, "eval", tmp_path)) == miniature(2023, "eval").facts


def test_two_years_without_their_names_are_refused(plain, tmp_path):
    link(plain(2023, "dev"), tmp_path / "dev_data")
    link(plain(2024, "dev"), tmp_path / "dev")
    with pytest.raises(DataError, match="in two places"):
        read(2023, "dev", tmp_path)


def test_a_year_named_by_the_folder_wins_over_one_without(plain, tmp_path):
    link(plain(2024, "dev"), tmp_path / "dcase2024" / "dev_data")
    link(plain(2023, "dev"), tmp_path / "dev_data")
    assert facts(read(2024, "dev", tmp_path)) == miniature(2024, "dev").facts
    assert facts(read(2023, "dev", tmp_path)) == miniature(2023, "dev").facts


def test_some_machine_types_of_a_challenge(everything, tmp_path):
    table = read(2024, "eval", everything, ["3DPrinter", "RoboticArm"])
    wanted = {row.facts for row in miniature(2024, "eval").rows if row.machine in ("3DPrinter", "RoboticArm")}
    assert facts(table) == wanted


def test_machine_types_that_are_missing_are_named_with_the_ways_out(plain, tmp_path):
    for machine in MACHINES[2024, "eval"][:2]:
        link(plain(2024, "eval") / machine, tmp_path / machine)
    with pytest.raises(DataError) as caught:
        read(2024, "eval", tmp_path)
    message = str(caught.value)
    assert "no recordings of BrushlessMotor, HairDryer, HoveringDrone" in message
    assert "asdbench data download dcase2024 --split eval --machine BrushlessMotor" in message
    assert "--machine 3DPrinter --machine AirCompressor" in message
