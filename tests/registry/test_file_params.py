import hashlib

import pytest

from asdbench.core.errors import UsageError
from asdbench.registry import Component
from asdbench.registry.cards import Card, Param


def component(folder: tuple[str, ...] = (), **params: object) -> Component:
    declared = {name: {"default": default, "file": True, "folder": folder} for name, default in params.items()}
    card = Card.model_validate(
        {"summary": "A part.", "target": "a:B", "version": 1, "params": {**declared, "width": {"default": 3}}}
    )
    return Component("extractors", "part", card, {**params, "width": 3})


def blake2b(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=16).hexdigest()


def test_a_file_counts_by_its_content_wherever_it_lies(tmp_path):
    (tmp_path / "one").write_bytes(b"weights")
    (tmp_path / "two").write_bytes(b"weights")
    part = component(weights="").altered({"weights": str(tmp_path / "one")})
    assert part.params["weights"] == str(tmp_path / "one")
    assert part.identity()["params"] == {"weights": blake2b(b"weights"), "width": 3}
    assert part.identity("fit") == part.altered({"weights": str(tmp_path / "two")}).identity("fit")
    (tmp_path / "one").write_bytes(b"weight!")
    assert part.identity()["params"]["weights"] == blake2b(b"weight!")


def test_several_files_count_in_their_order_and_none_counts_as_none(tmp_path):
    for name in "ab":
        (tmp_path / name).write_text(name)
    part = component(models=[])
    assert part.identity()["params"] == {"models": [], "width": 3}
    assert component(weights="").identity()["params"]["weights"] == ""
    both = part.altered({"models": f"{tmp_path / 'b'}, {tmp_path / 'a'}"})
    assert both.identity()["params"]["models"] == [blake2b(b"b"), blake2b(b"a")]


def test_a_file_that_is_not_there_is_named_at_once(tmp_path):
    with pytest.raises(UsageError, match=r"part\.weights takes a file, and there is none at .*gone"):
        component(weights="").altered({"weights": str(tmp_path / "gone")})
    with pytest.raises(UsageError, match="there is none at"):
        component(models=[]).altered({"models": [str(tmp_path)]})  # a folder is no file


def test_a_file_that_went_away_is_named(tmp_path):
    (tmp_path / "one").write_bytes(b"1")
    part = component(weights="").altered({"weights": str(tmp_path / "one")})
    (tmp_path / "one").unlink()
    with pytest.raises(UsageError, match="one cannot be read"):
        part.identity()


def test_the_home_folder_may_be_written_short(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "model.onnx").write_bytes(b"1")
    assert component(weights="").altered({"weights": "~/model.onnx"}).params["weights"] == str(tmp_path / "model.onnx")


def test_only_texts_name_files():
    with pytest.raises(ValueError, match="a file is a text or a list of texts, not 3"):
        Param.model_validate({"default": 3, "file": True})
    assert Param.model_validate({"default": "", "file": True}).accepts() == "a file"


def test_a_folder_counts_by_the_files_in_it_that_are_read(tmp_path):
    folders = [tmp_path / name for name in ("one", "two")]
    for folder in folders:
        folder.mkdir()
        (folder / "config.json").write_text("{}")
        (folder / "weights").write_bytes(b"weights")
    read = ("config.json", "weights", "absent")
    part, copy = (component(read, model="").altered({"model": str(folder)}) for folder in folders)
    (folders[0] / "README.md").write_text("more")
    assert part.identity() == copy.identity()
    counted = part.files["model"]
    for name in ("config.json", "weights", "absent"):
        (folders[0] / name).write_text("other")
        assert part.files["model"] != counted
        counted = part.files["model"]
    assert component(read, model="").card.params["model"].accepts() == "a file, or a folder with config.json"
    with pytest.raises(UsageError, match=r"takes a file or folder, and there is none at .*gone"):
        component(read, model="").altered({"model": str(tmp_path / "gone")})
