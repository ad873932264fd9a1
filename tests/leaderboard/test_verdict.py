"""What a page says first follows from its rows."""

import shlex

import pytest
import typer
from made_runs import pair_accuracy

from asdbench.leaderboard.board_page import board_pages
from asdbench.leaderboard.systems import command_of, fit_command_of, readable, short_titles
from asdbench.leaderboard.verdict import verdict
from asdbench.registry import load_catalog


def test_the_cheapest_that_is_not_significantly_worse_is_named_before_the_best(put, table):
    put(extractor="best", quality=2.9, parameters=900_000, seconds={"fit": 500.0, "score": 3.0}, clips=40)
    put(extractor="cheap", quality=2.5, seconds={"score": 0.5}, clips=40)
    put(extractor="cheaper", quality=0.2, seconds={"score": 0.1}, clips=40)
    made = table()
    best, cheap, worse = (row for row in made.rows if row.kind == "measured")
    assert [best.rank, cheap.rank, worse.rank] == [1, 1, 3]
    text = verdict(made)
    assert text.startswith(f"Start with {cheap.label} (")
    assert "it is the cheapest of the 2 systems that are not significantly worse than the best (0.50 s to" in text
    assert f"The best is {best.label} with {100 * best.score.value:.2f} (" in text
    assert f"cannot tell it from 1 other ({cheap.label})" in text
    points = 100 * (best.score.value - made.chance.total)
    assert f"{points:.1f} points above chance" in text
    assert text.count(". ") == 2, "three sentences"


def test_one_that_is_alone_ahead_is_both(put, table):
    put(extractor="best", quality=3.0, clips=40)
    put(extractor="other", quality=1.0, clips=40)
    text = verdict(table())
    assert text.startswith("Start with best + knn (")
    assert "): every other system is significantly worse (" in text
    assert " It is " in text
    assert "cannot tell" not in text
    assert "Every system's interval lies above chance" in text


def test_what_is_not_above_chance_is_not_recommended_however_cheap(put, table):
    put(extractor="best", quality=1.0, seconds={"fit": 9.0, "score": 1.0})
    put(extractor="cheap", quality=0.6, seconds={"score": 0.1})
    made = table()
    cheap, chance = (next(row for row in made.rows if row.label.startswith(name)) for name in ("cheap", "chance"))
    assert cheap.interval[0] < chance.score.value < cheap.score.value
    assert "cannot tell it from all others (cheap + knn)" in verdict(made)
    assert verdict(made).startswith("Start with best + knn (")
    assert "the only system that is not significantly worse than the best and is shown to be better than" in verdict(
        made
    )


def test_nothing_is_recommended_where_nothing_is_above_chance(put, table):
    put(extractor="alone", quality=0.1)
    assert verdict(table()).startswith("No system is recommended: the best is not shown to be better than chance. The")
    put(extractor="other", quality=0.0)
    assert verdict(table()).startswith("No system is recommended: none of the 2 that are not significantly worse than")


def test_what_is_not_above_chance_and_what_did_not_learn_is_counted(put, table):
    put(extractor="good", quality=3.0, clips=40, parameters=10, learning=pair_accuracy(0.9))
    put(extractor="lost", quality=0.0, clips=40, parameters=10, learning=pair_accuracy(0.5))
    text = verdict(table())
    assert "1 of 2 systems is not shown to be better than chance (" in text
    assert "of 2 trained systems whose learning was measured 1 did not learn (lost + knn)." in text


def test_published_results_alone_and_published_ones_ahead_are_told(put, publish, table):
    publish(percent=80.0)
    text = verdict(table("dcase2023-dev"))
    assert text == (
        "Nothing was measured here or submitted. The best published result is Published with 80.00, 30.0 points above "
        "chance."
    )
    put(dataset="dcase2023-dev", quality=1.0)
    assert "; Published (published) has " in verdict(table("dcase2023-dev"))


def test_tables_of_markdown_have_seven_columns_at_most_and_no_spread_of_nothing(put, table):
    machines = tuple(f"type{number}" for number in range(9))
    for seed in (0, 1):
        put(extractor="fixed", seed=seed, seed_spread=0.0, machines=machines)
        put(extractor="random", seed=seed, machines=machines)
    markdown, _ = board_pages(table())
    tables = [line for line in markdown.splitlines() if line.startswith("|")]
    assert max(line.count("|") - 1 for line in tables) <= 7
    fixed, drawn = (next(line for line in tables if f"{name} + knn" in line) for name in ("fixed", "random"))
    assert "±" not in fixed
    assert "±" in drawn
    assert all(sum(f" {machine} " in line for line in tables) == 1 for machine in machines)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("raw-mel:a+b,twfr:a+b,psd:a+b + ensemble", "ensemble of raw-mel, twfr, psd (a+b)"),
        ("raw-mel:a,twfr:b + ensemble", "raw-mel:a,twfr:b + ensemble"),
        ("raw-mel + sklearn:x", "raw-mel + sklearn:x"),
        ("shin2023-simclr-ml", "shin2023-simclr-ml"),
        ("a, b", "a, b"),
    ],
)
def test_an_ensemble_is_called_by_what_its_members_share(name, shown):
    assert readable(name) == shown


def test_short_titles_are_those_of_cards_and_the_size_of_an_ensemble_where_no_other_reads_alike():
    small, large, other = "a:x,b:x + ensemble", "a:x,b:x,c:x + ensemble", "a:y,b:y + ensemble"
    assert short_titles(["shin2023-simclr-ml", small, large, "a + x"]) == {
        "shin2023-simclr-ml": "SimCLR + Mahalanobis (Shin 2023)",
        small: "ensemble of 2",
        large: "ensemble of 3",
        "a + x": "a + x",
    }
    assert short_titles([small, other]) == {small: "ensemble of a, b (x)", other: "ensemble of a, b (y)"}


def test_every_published_system_has_a_label_of_its_own():
    labels = [entry.label for entry in load_catalog(kinds=("systems",)).entries["systems"].values()]
    assert all(labels)
    assert len({*labels}) == len(labels)


def test_the_command_that_makes_a_row_again_is_read_as_it_was_asked(put, boards):
    from asdbench.cli.app import app

    for seed in (0, 3):
        put(extractor="raw-mel", scorer="by-domain+knn", seed=seed, asked_dataset="my data")
    (system,) = boards()[0]["synthetic"].systems
    command = command_of(system)
    assert command == ("asdbench run --extractor raw-mel --scorer by-domain+knn --dataset 'my data' --seed 0 --seed 3")
    run = typer.main.get_command(app).commands["run"]
    known = run.make_context("run", shlex.split(command)[2:], resilient_parsing=True).params
    assert [list(known[name]) for name in ("extractor", "dataset", "seed")] == [["raw-mel"], ["my data"], [0, 3]]


def test_the_command_of_a_plugin_says_where_its_folder_belongs(put, boards):
    put(extractor="bands", target="bands:Bands")
    (system,) = boards()[0]["synthetic"].systems
    assert command_of(system).endswith(" --plugin-path PLUGIN_FOLDER")
    assert " --plugin-path PLUGIN_FOLDER " in fit_command_of(system)
