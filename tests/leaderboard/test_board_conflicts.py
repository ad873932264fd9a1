"""What may not stand side by side on a board."""

import json

import pytest


def problem_of(boards, name="synthetic"):
    made, problems = boards()
    assert name not in made
    assert "other" in made, "what is sound is made all the same"
    return problems[name]


CONFLICTS = {
    "protocol": ({}, {"protocol": "dcase2022"}, ["follows the protocol dcase2022", "dcase2023"]),
    "data": ({}, {"data": "v2"}, ["differing versions of the data of fan"]),
    "data of a part": ({}, {"data": "v2", "machines": ("fan",)}, ["differing versions of the data of fan"]),
    "old records": (
        {"fingerprints": False},
        {"data": "v2", "fingerprints": False},
        ["differing versions of the data:"],
    ),
    "untold parts": (
        {"fingerprints": False},
        {"machines": ("fan",)},
        ["does not say the version of each type's data"],
    ),
    "labels": ({}, {"clips": 9, "data": ""}, ["differ in the test clips of fan, section 00"]),
}


@pytest.mark.parametrize("conflict", CONFLICTS)
def test_nothing_stands_side_by_side_that_differs(put, boards, conflict):
    one, other, said = CONFLICTS[conflict]
    put(dataset="other")
    records = [put(**one), put(scorer="gmm", **other)]
    problem = problem_of(boards)
    for text in [*said, *(f"{record.run_id}.json" for record in records)]:
        assert text in problem


def test_a_published_result_of_another_protocol_is_an_error_that_names_both(put, publish, boards):
    put(dataset="other")
    record = put(dataset="dcase2023-dev")
    publish(protocol="dcase2022")
    problem = problem_of(boards, "dcase2023-dev")
    assert f"{record.run_id}.json" in problem
    assert "Published-dcase2022.toml" in problem


def test_the_same_seed_twice_is_an_error_that_names_both(put, boards, tmp_path):
    put(dataset="other")
    record = put()
    first = tmp_path / "boards" / "results" / f"{record.run_id}.json"
    second = first.with_name("another.json")
    content = json.loads(first.read_text().replace(record.run_id, "another"))
    del content["digest"]
    second.write_text(json.dumps({**content, "schema_version": 1}))
    problem = problem_of(boards)
    assert str(first) in problem
    assert str(second) in problem
    assert "the same system with the same seed 0" in problem
    assert "Remove one of them." in problem


def test_two_boards_that_would_share_a_page_are_an_error(put, boards):
    put(dataset="my data")
    put(dataset="my/data")
    made, problems = boards()
    assert set(made) == {"my data"}
    assert "would share the page my-data.html" in problems["my/data"]
