import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asdbench.datasets.ground_truth import Truth, truth_of_name
from asdbench.datasets.names import parse_name, parse_supplemental_name

WORD = st.text("abcdefghijklmnopqrstuvwxyz0123456789-.", min_size=1, max_size=8)


@settings(max_examples=30, deadline=None)
@given(
    st.integers(0, 99),
    st.sampled_from(["source", "target"]),
    st.sampled_from(["train", "test"]),
    st.sampled_from(["normal", "anomaly"]),
    st.integers(0, 99999),
    st.lists(st.tuples(WORD, WORD), max_size=3),
)
def test_2023_names_say_what_they_were_made_of(section, domain, split, label, number, attributes):
    description = "".join(f"_{key}_{value}" for key, value in attributes)
    facts = parse_name(f"section_{section:02d}_{domain}_{split}_{label}_{number:04d}{description}")
    assert facts is not None
    assert (facts.layout, facts.section, facts.domain, facts.split) == ("dcase2023", f"{section:02d}", domain, split)
    assert facts.label == (label == "anomaly")
    assert facts.attributes == tuple(attributes)


@pytest.mark.parametrize(
    ("stem", "layout", "section", "label"),
    [
        ("normal_id_00_00000000", "dcase2020", "00", 0),
        ("anomaly_id_04_00000012", "dcase2020", "04", 1),
        ("id_01_00000000", "dcase2020", "01", None),
        ("section_03_0000", "dcase2023", "03", None),
        ("section_00_test_0199", "dcase2023", "00", None),
        ("section_00_source_train_normal_0001_noAttribute", "dcase2023", "00", 0),
        ("section_00_source_test_normal_0000_m-n_W", "dcase2023", "00", 0),
    ],
)
def test_names_of_other_years(stem, layout, section, label):
    facts = parse_name(stem)
    assert facts is not None
    assert (facts.layout, facts.section, facts.label) == (layout, section, label)


@pytest.mark.parametrize("stem", ["recording1", "section_00", "section_xx_source_test_normal_0000", "normal_id_00", ""])
def test_other_names_fit_no_layout(stem):
    assert parse_name(stem) is None


@pytest.mark.parametrize(
    ("description", "domain"),
    [("source_clean", "source"), ("noise_target", "target"), ("resource", None), ("source_and_target", None)],
)
def test_a_supplemental_clip_has_the_domain_that_its_name_tells_and_no_other(description, domain):
    assert parse_supplemental_name(f"section_00_{description}_0001").domain == domain


def test_ground_truth_since_2023_leaves_the_split_out_of_names():
    stem = "section_00_source_anomaly_0035_weight15_BckgF"
    assert parse_name(stem) is None, "a recording's name has it"
    assert truth_of_name(stem) == Truth(1, "source")
