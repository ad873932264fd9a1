"""Which study a folder belongs to."""

import re
import threading

import optuna
import pytest

from asdbench.core.errors import UsageError
from asdbench.tuning import identity
from asdbench.tuning.identity import give_identity, identity_in, identity_of, require_own
from asdbench.tuning.study import _machine_in_name


def test_an_identity_is_drawn_once_and_the_same_for_all_who_ask():
    storage = optuna.storages.InMemoryStorage()
    study = optuna.create_study(storage=storage, study_name="made")
    found = []
    again = optuna.load_study(study_name="made", storage=storage)
    other = threading.Thread(target=lambda: found.append(identity_of(again)))
    other.start()  # waits for who made it
    give_identity(study)
    other.join()
    assert found == [identity_of(study)]
    another = optuna.create_study()
    give_identity(another)
    assert identity_of(another) != identity_of(study)


def test_where_who_made_it_was_lost_another_gives_one(monkeypatch):
    monkeypatch.setattr(identity, "WAIT_S", 0.1)
    monkeypatch.setattr(identity, "SETTLE_S", 0.0)
    study = optuna.create_study()
    assert identity_of(study) == identity_of(study) != ""


def test_a_folder_belongs_to_the_study_whose_record_it_holds(tmp_path):
    assert identity_in(tmp_path) is None
    require_own(tmp_path, None, None)
    (tmp_path / "study.json").write_text('{"id": "mine"}')
    require_own(tmp_path, identity_in(tmp_path), "mine")
    for own in ("other", None):
        with pytest.raises(UsageError, match="--study NAME"):
            require_own(tmp_path, identity_in(tmp_path), own)
    for text in ("{}", "[]", "{"):
        (tmp_path / "study.json").write_text(text)
        with pytest.raises(UsageError, match="holds another study"):
            require_own(tmp_path, identity_in(tmp_path), "mine")


def test_studies_of_machine_types_are_told_apart_by_names_that_a_folder_can_have():
    names = ["fan", "*", "装置", "a b", "a.b", "x" * 200, "x" * 201]
    of_studies = [_machine_in_name(name) for name in names]
    assert of_studies[0] == "fan"
    assert len(set(of_studies)) == len(names)
    assert all(re.fullmatch(r"[A-Za-z0-9._+-]{1,100}", name) for name in of_studies)
