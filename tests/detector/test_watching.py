"""``asdbench score --watch``: each recording once, whole, and after a restart as before."""

import json
import os
import shutil
import signal
import time

import pytest
from waiting import until

from asdbench.core.errors import AsdbenchError
from asdbench.detector.watching import Journal


def results(log):
    lines = [line for line in log.read_text().splitlines() if line.startswith("{")] if log.exists() else []
    return [json.loads(line) for line in lines]


def test_a_watch_that_is_killed_and_started_again_scores_everything_once(
    zygote, session_cache, small_dataset, fan_detector, tmp_path
):
    folder, log = tmp_path / "incoming", tmp_path / "log"
    clips = sorted(small_dataset.glob("fan/test/*.wav"))
    folder.mkdir()
    for place, clip in enumerate(clips[:6]):
        shutil.copyfile(clip, folder / f"{place}.wav")
    words = ("score", fan_detector, folder, "--watch", "--settle", "0.2", "--journal", tmp_path / "journal.jsonl")
    first = zygote.start(*words, cache=session_cache, log=log)
    until(lambda: results(log))
    os.kill(first, signal.SIGKILL)
    assert zygote.wait(first) == -signal.SIGKILL
    (folder / "night").mkdir()
    for place, clip in enumerate(clips[6:9]):
        shutil.copyfile(clip, folder / "night" / f"{place}.wav")
    second = zygote.start(*words, cache=session_cache, log=log)
    until(lambda: len(results(log)) == 9)
    content = clips[9].read_bytes()
    with (folder / "slow.wav").open("wb") as file:  # a recorder that has not finished
        for start in range(0, len(content), len(content) // 3):
            file.write(content[start : start + len(content) // 3])
            file.flush()
            time.sleep(0.3)
    (folder / "notes.wav").write_text("no sound")
    (folder / os.fsdecode(b"caf\xe9.wav")).write_text("no sound")  # a name that is no UTF-8
    (folder / ".hidden.wav").write_bytes(content)
    until(lambda: len(results(log)) == 12)
    found = {one["path"]: one for one in results(log)}
    assert set(found) == {*(f"{place}.wav" for place in range(6)), *(f"night/{place}.wav" for place in range(3)),
                          "slow.wav", "notes.wav", "caf\udce9.wav"}  # fmt: skip
    assert "cannot be decoded" in found["notes.wav"]["error"]
    assert {"score", "threshold", "anomalous", "p_value", "scored_at"} < set(found["slow.wav"])
    journal = [json.loads(line) for line in (tmp_path / "journal.jsonl").read_text().splitlines()]
    assert [one["path"] for one in journal] == [one["path"] for one in results(log)]
    shutil.copyfile(clips[10], folder / "0.wav")  # another recording in the place of one that was scored
    until(lambda: len(results(log)) == 13)
    assert results(log)[-1]["path"] == "0.wav"
    third = zygote.start(*words, cache=session_cache, log=tmp_path / "other")
    assert zygote.wait(third) == 2
    assert "Another command watches" in (tmp_path / "other").read_text()
    shutil.rmtree(folder)
    assert zygote.wait(second) == 1
    assert f"The folder {folder} is gone." in log.read_text()
    assert len(results(log)) == 13


def test_a_line_that_was_cut_off_does_not_count_and_a_foreign_file_is_refused(tmp_path):
    path = tmp_path / "journal.jsonl"
    Journal(path, "d", tmp_path).add({"path": "a.wav", "score": 1.0}, (3, 4))
    Journal(path, "other", tmp_path).add({"path": "b.wav", "score": 1.0}, (3, 4))
    with path.open("a") as file:
        file.write('{"detector": "d", "fol')
    assert Journal(path, "d", tmp_path).done == {"a.wav": (3, 4)}
    Journal(path, "d", tmp_path).add({"path": "c.wav", "score": 1.0}, (5, 6))
    assert Journal(path, "d", tmp_path).done == {"a.wav": (3, 4), "c.wav": (5, 6)}
    path.write_text("something else\n")
    with pytest.raises(AsdbenchError, match="line 1, is no result"):
        Journal(path, "d", tmp_path)
