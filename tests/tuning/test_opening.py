"""Which study a folder belongs to."""

import re

import pytest

from asdbench.core.errors import UsageError
from asdbench.tuning.files import id_in, require_same
from asdbench.tuning.spec import name_of_machine


def test_a_folder_belongs_to_the_study_whose_record_it_holds(tmp_path):
    assert id_in(tmp_path) is None
    require_same(tmp_path, None, None)
    (tmp_path / "study.json").write_text('{"id": "mine"}')
    require_same(tmp_path, id_in(tmp_path), "mine")
    for other in ("other", None):
        with pytest.raises(UsageError, match="--study NAME"):
            require_same(tmp_path, id_in(tmp_path), other)
    for text in ("{}", "[]", "{"):
        (tmp_path / "study.json").write_text(text)
        with pytest.raises(UsageError, match="holds another study"):
            require_same(tmp_path, id_in(tmp_path), "mine")


def test_studies_of_machine_types_differ_in_names_that_a_folder_can_have():
    names = ["fan", "*", "装置", "a b", "a.b", "x" * 200, "x" * 201]
    of_studies = [name_of_machine(name) for name in names]
    assert of_studies[0] == "fan"
    assert len(set(of_studies)) == len(names)
    assert all(re.fullmatch(r"[A-Za-z0-9._+-]{1,100}", name) for name in of_studies)
