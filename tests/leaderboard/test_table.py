"""The numbers of a board: seeds brought together, ranks, and what is missing."""

from statistics import fmean, stdev

import numpy as np
import pytest
from made_runs import MACHINES

from asdbench.leaderboard.board_page import board_pages
from asdbench.leaderboard.store import read_entries
from asdbench.protocols import paired_difference
from asdbench.protocols.resampling import interval, over_seeds, resampled_scores

REPLICATES = 500


def row_of(table, label):
    (found,) = [row for row in table.rows if row.label == label]
    return found


def test_seeds_of_one_system_are_one_row(put, table):
    records = []
    for seed in (0, 1, 2):
        took = {"fit": 10.0 + seed, "embed": 1.0, "score": 0.5}
        records.append(put(seed=seed, parameters=1000 + seed, seconds=took))
    row = row_of(table(), "raw-mel + knn")
    scores = [record.results.official_score for record in records]
    assert row.seeds == 3
    assert row.score.value == pytest.approx(fmean(scores), abs=1e-15)
    assert row.spread == pytest.approx(stdev(scores), abs=1e-15)
    for term, cell in row.terms.items():
        values = [
            len(MACHINES) / sum(1 / getattr(machine, term) for machine in record.results.machines.values())
            for record in records
        ]
        assert cell.value == pytest.approx(fmean(values), abs=1e-12)
    for machine, cell in row.machines.items():
        of_machine = [record.results.machines[machine].official_score for record in records]
        assert cell.value == pytest.approx(fmean(of_machine), abs=1e-15)
    assert row.parameters == 1002
    assert row.train_s == pytest.approx(11.0)
    assert row.score_s == pytest.approx(1.5)
    assert row.rank == 1


def test_the_interval_holds_clips_and_seeds(put, table, tmp_path):
    for seed in (0, 1, 2):
        put(seed=seed, seed_spread=0.8)
    found = table()
    entries = read_entries(tmp_path / "boards").entries.values()
    runs = {entry.record.asked.seed: resampled_scores("dcase2023", entry.sections(), REPLICATES) for entry in entries}
    assert row_of(found, "raw-mel + knn").interval == interval(over_seeds(runs).total)
    alone = [interval(run.total) for run in runs.values()]
    (system,) = found.board.systems
    assert found.resampled[system.key].total.std() != runs[0].total.std()
    assert len({*alone, row_of(found, "raw-mel + knn").interval}) == 4


def test_a_deterministic_system_has_no_spread_over_seeds(put, table, tmp_path):
    for seed in (0, 1, 2):
        put(seed=seed, seed_spread=0.0)
    (entry, *_) = read_entries(tmp_path / "boards").entries.values()
    row = row_of(table(), "raw-mel + knn")
    assert row.spread == 0.0
    assert row.interval == interval(resampled_scores("dcase2023", entry.sections(), REPLICATES).total)


def test_rows_of_one_name_say_in_what_they_differ(put, table):
    put(params={"n_neighbors": 2, "metric": "cosine"}, quality=1.0)
    put(params={"n_neighbors": 16, "metric": "cosine"}, quality=1.1)
    put(params={"n_neighbors": 16, "metric": "cosine"}, quality=1.2, device="cuda")
    put(scorer="gmm")
    labels = {row.label for row in table().of("measured")}
    assert labels == {
        "raw-mel + knn (n_neighbors 2, device cpu)",
        "raw-mel + knn (n_neighbors 16, device cpu)",
        "raw-mel + knn (n_neighbors 16, device cuda)",
        "raw-mel + gmm",
    }


def test_settings_that_differ_in_the_last_digit_are_rows_of_their_own(put, table):
    put(params={"rate": 0.3}, quality=2.5)
    put(params={"rate": 0.1 + 0.2}, quality=0.1)
    found = table()
    exact, other = (row_of(found, f"raw-mel + knn (rate {value})") for value in ("0.3", "0.30000000000000004"))
    assert exact.score.value != other.score.value
    assert set(found.resampled) == {exact.system.key, other.system.key}


def test_labels_that_would_read_alike_end_in_the_key(put, table):
    put(params={"mode": 1}, quality=2.5)
    put(params={"mode": "1"}, quality=0.1)
    put(scorer="gmm")
    found = table()
    rows = found.of("measured")
    assert len({row.label for row in rows}) == 3
    alike = [row for row in rows if row.name == "raw-mel + knn"]
    for row in alike:
        assert row.label == f"raw-mel + knn (mode 1, {row.system.key[:8]})"
    assert len({row.interval for row in alike}) == 2
    assert row_of(found, "raw-mel + gmm").rank


def test_other_threads_are_another_row(put, table):
    put(seed=0, threads=2)
    put(seed=1, threads=2)
    assert {row.label for row in table().of("measured")} == {"raw-mel + knn"}
    put(seed=0, threads=4, quality=0.9)
    put(seed=0, quality=0.8)
    put(scorer="gmm", threads=8)
    assert {row.label: row.seeds for row in table().of("measured")} == {
        "raw-mel + knn (threads 2)": 2,
        "raw-mel + knn (threads 4)": 1,
        "raw-mel + knn (threads as many as cores)": 1,
        "raw-mel + gmm": 1,
    }


def test_versions_and_threads_are_named_only_where_nothing_else_tells_rows_apart(put, table):
    put(params={"k": 1}, threads=2, quality=1.0)
    put(params={"k": 4}, threads=1, quality=2.0)
    assert {row.label for row in table().of("measured")} == {"raw-mel + knn (k 1)", "raw-mel + knn (k 4)"}


def test_systems_with_the_same_score_for_every_clip_share_a_row(put, table):
    put(params={"k": 1}, quality=2.5, seconds={"fit": 9.0})
    put(params={"k": 4}, quality=2.5, seconds={"fit": 3.0})
    put(scorer="gmm", quality=0.2)
    found = table()
    first, second = found.of("measured")
    assert (first.label, [system.label for system in first.same]) == ("raw-mel + knn (k 4)", ["raw-mel + knn (k 1)"])
    markdown, html = board_pages(found)
    assert markdown.count("the same scores: raw-mel + knn (k 1)") == 1
    assert "3 systems (3 measured here), 1 of them with every score of another" in html
    assert (first.rank, second.rank, second.same) == (1, 2, ())
    assert set(found.resampled) == {system.key for system in found.board.systems}, "transfers know them by their own"


def test_ranks_are_shared_unless_the_paired_bootstrap_finds_a_difference(put, table, tmp_path):
    for name, quality in (("good", 2.5), ("same", 2.45), ("poor", 0.3)):
        put(scorer=name, quality=quality)
    found = table()
    sections = {
        entry.record.scorer.name: entry.sections() for entry in read_entries(tmp_path / "boards").entries.values()
    }
    ranks = {row.name.removeprefix("raw-mel + "): row.rank for row in found.of("measured")}
    named = {name: {key: _named(rows) for key, rows in of_system.items()} for name, of_system in sections.items()}
    best = max(("good", "same"), key=lambda name: row_of(found, f"raw-mel + {name}").score.value)
    second = "same" if best == "good" else "good"
    apart = paired_difference("dcase2023", named[best], named[second], REPLICATES)
    assert apart.ci95[0] <= 0 <= apart.ci95[1]
    assert paired_difference("dcase2023", named[best], named["poor"], REPLICATES).ci95[0] > 0
    assert ranks == {"good": 1, "same": 1, "poor": 3}


def _named(rows):
    from dataclasses import replace

    return replace(rows, names=tuple(f"{number:04d}" for number in range(len(rows.labels))))


def test_rows_stand_in_the_order_of_their_score_with_chance_among_them(put, table, publish):
    put(scorer="good", quality=2.5, dataset="dcase2023-dev")
    put(scorer="bad", quality=-1.5, dataset="dcase2023-dev")
    publish(percent=55.0)
    rows = table("dcase2023-dev").rows
    assert [row.kind for row in rows] == ["measured", "published", "chance", "measured"]
    assert [row.rank for row in rows] == [1, None, None, 2]
    assert all(np.diff([row.score.value for row in rows]) < 0)
    assert rows[2].variant == "random scores on these test clips"
    assert rows[2].interval is not None
    assert rows[1].interval is None


def test_chance_is_by_definition_where_no_clips_are_known(publish, table, tmp_path):
    publish(percent=55.0)
    found = table("dcase2023-dev")
    chance = row_of(found, "chance (by definition)")
    assert found.chance is None
    assert chance.score.value == 0.5
    assert {cell.value for cell in chance.machines.values()} == {0.5}


def test_a_published_total_is_as_published_or_marked_as_computed(publish, table):
    publish(score=60.01, system="Told")
    publish(percent=61.0, system="Parts")
    found = table("dcase2023-dev")
    assert row_of(found, "Told").score.value == pytest.approx(0.6001)
    assert row_of(found, "Told").score.reason == ""
    assert row_of(found, "Parts").score.value == pytest.approx(0.61)
    assert row_of(found, "Parts").score.reason == "computed from the published terms"
    assert row_of(found, "Parts").rank is None


def test_a_failed_seed_leaves_the_row_without_total_and_says_why(put, table):
    for seed in range(3):
        put(seed=seed, failed=["gearbox"] if seed == 1 else [], reason="covariance is singular")
    put(scorer="gmm")
    found = table()
    row = row_of(found, "raw-mel + knn")
    assert row.score.value is None
    assert row.rank is None
    assert row.interval is None
    assert row.machines["gearbox"].value is None
    assert row.machines["gearbox"].reason == "failed: covariance is singular (seed 1)"
    assert row.machines["fan"].value is not None
    assert all(cell.value is None for cell in row.terms.values())
    assert found.rows[-1] == row
    assert row_of(found, "raw-mel + gmm").rank == 1


def test_a_run_on_some_machine_types_is_a_row_of_its_own_without_total(put, table):
    put()
    put(seed=1)
    put(machines=("fan",))
    found = table()
    row = row_of(found, "raw-mel + knn (trained on fan)")
    assert row.score.value is None
    assert row.machines["valve"].reason == "not run"
    assert row.machines["fan"].value is not None
    assert row_of(found, "raw-mel + knn").seeds == 2


def test_partial_data_are_marked_and_not_ranked_with_whole_ones(put, table):
    put(dataset="dcase2023-dev")
    put(scorer="gmm", dataset="dcase2023-dev", lacks=["fan: 2 clips are missing"], data="fewer")
    found = table("dcase2023-dev")
    partial = row_of(found, "raw-mel + gmm")
    assert partial.partial == ("fan: 2 clips are missing",)
    assert partial.rank is None
    assert partial.score.reason == "of partial data, not official"
    assert row_of(found, "raw-mel + knn").rank == 1
    assert found.partial == ()


def test_where_all_is_of_the_same_partial_data_it_is_ranked_and_the_board_says_so(put, table):
    for scorer in ("knn", "gmm"):
        put(scorer=scorer, dataset="dcase2023-dev", lacks=["left out: bearing"])
    found = table("dcase2023-dev")
    assert found.partial == ("left out: bearing",)
    assert all(row.rank for row in found.of("measured"))
    put(scorer="lof", dataset="dcase2023-dev", lacks=["left out: slider"], data="other")
    assert not any(row.rank for row in table("dcase2023-dev").of("measured"))
