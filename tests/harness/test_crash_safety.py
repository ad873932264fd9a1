"""What is killed at any moment goes on with the same command and ends as if nothing had happened."""

import json
import os
import random
import signal
import time
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock
from waiting import until

KILLS = 20
SMALL = {
    "synthetic.machines": "fan,valve",
    "synthetic.clip_s": 1.0,
    "synthetic.train_source": 8,
    "synthetic.train_target": 2,
    "synthetic.test": 8,
    "log-mel.n_mels": 32,
    "simclr.backbone": "resnet10t",
    "simclr.epochs": 2,
    "simclr.steps": 0,
    "simclr.crop_s": 0.5,
    "simclr.copies": 1,
}
MATRIX = [
    *("run", "--extractor", "raw-mel", "--extractor", "simclr", "--scorer", "knn", "--scorer", "mahalanobis-ml"),
    *(word for name, value in SMALL.items() for word in ("-p", f"{name}={value}")),
]  # 4 systems on 2 synthetic machine types


def results(out: Path) -> dict[str, object]:
    """Records, times aside, and score files of all runs."""
    found: dict[str, object] = {}
    for path in sorted(out.glob("[!.]*/**/*")):
        name = str(path.relative_to(out))
        if path.name == "run.json":
            record = json.loads(path.read_text())
            assert record["status"] == "done", record["failures"]
            for changing in ("git_commit", "git_dirty"):  # somebody may be at work on the checkout meanwhile
                record["environment"].pop(changing)
            record["digests"].pop("run.json")
            found[name] = {key: value for key, value in record.items() if key not in ("seconds", "finished_at")}
        elif path.is_file():
            found[name] = path.read_bytes()
    return found


def nothing_is_half_written(out: Path, cache: Path) -> None:
    """Whatever has its final name is whole."""
    for path in out.glob("[!.]*"):
        record = json.loads((path / "run.json").read_text())
        assert record["status"] == "done"
        assert len(list((path / "scores").iterdir())) == 4
    for path in cache.glob("embeddings/[!.]*"):
        assert np.isfinite(np.load(path / "rows.npy")).all()
        json.loads((path / "measured.json").read_text())
    for path in cache.glob("trained/[!.]*/fit.json"):
        learned = json.loads(path.read_text())["parameters"]
        assert learned == 0 or list(path.parent.glob("*.safetensors"))
    for path in cache.glob("features/[!.]*"):
        shapes = json.loads((path / "index.json").read_text())["shapes"].values()
        assert (path / "numbers.bin").stat().st_size == 4 * sum(int(np.prod(shape)) for shape in shapes)


@pytest.fixture(scope="session")
def undisturbed(shared_folder, zygote):
    """Results of the matrix left alone, and how long it took; made once for all processes of the test run."""
    place = shared_folder / "undisturbed"
    with FileLock(f"{place}.lock"):
        if not (place / "took").is_file():
            place.mkdir(exist_ok=True)
            own = {"cache": place / "cache", "log": place / "log"}
            zygote.wait(zygote.start("list", **own))
            started = time.monotonic()
            assert zygote.wait(zygote.start(*MATRIX, "--out", place / "runs", **own)) == 0, own["log"].read_text()
            (place / "took").write_text(str(time.monotonic() - started))
    return results(place / "runs"), float((place / "took").read_text())


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_matrix_killed_at_twenty_random_moments_ends_in_the_same_records(undisturbed, zygote, tmp_path):
    expected, took = undisturbed
    assert sum(name.endswith("run.json") for name in expected) == 4
    moments = random.Random(0)
    kills, rounds = 0, 0
    while kills < KILLS:
        rounds += 1
        out, own = tmp_path / f"runs-{rounds}", {"cache": tmp_path / f"cache-{rounds}", "log": tmp_path / "log"}
        while True:
            child = zygote.start(*MATRIX, "--out", out, **own)
            if kills < KILLS:
                time.sleep(moments.uniform(0.0, took / 5))
                os.kill(child, signal.SIGKILL)
            ended = zygote.wait(child)
            if ended != -signal.SIGKILL:
                break
            kills += 1
            nothing_is_half_written(out, own["cache"])
        assert ended == 0, own["log"].read_text()
        assert results(out) == expected
        assert not list(out.glob(".*")), "nothing is left lying about"


COUNTED = """
import time
from pathlib import Path
from asdbench.extractors.raw_mel import RawMel

class Counted(RawMel):
    def fit(self, clips, context):
        with Path(__file__).with_name("fits").open("a") as file:
            file.write(clips[0].machine + "\\n")
        time.sleep(0.3)
"""


def test_two_commands_at_once_share_the_work(zygote, tmp_path):
    mine = tmp_path / "mine"
    (mine / "registry" / "extractors").mkdir(parents=True)
    (mine / "counted_extractor.py").write_text(COUNTED)
    from asdbench.registry.plugins import own_source

    card = (own_source().folder / "extractors" / "raw-mel.toml").read_text()
    card = card.replace("asdbench.extractors.raw_mel:RawMel", "counted_extractor:Counted")
    (mine / "registry" / "extractors" / "counted.toml").write_text(card)
    words = ["run", "--extractor", "raw-mel", "--extractor", "counted", "--scorer", "knn", "--scorer", "mahalanobis-ml"]
    for name, value in SMALL.items():
        words += ["-p", f"{name}={value}"] if not name.startswith("simclr.") else []
    logs = [tmp_path / "first.log", tmp_path / "second.log"]
    words += ["--plugin-path", mine, "--out", tmp_path / "runs"]
    both = [zygote.start(*words, cache=tmp_path / "cache", log=log) for log in logs]
    assert [zygote.wait(child) for child in both] == [0, 0], [log.read_text() for log in logs]
    assert len([name for name in results(tmp_path / "runs") if name.endswith("run.json")]) == 4
    assert sorted((mine / "fits").read_text().split()) == ["fan", "valve"], "one of them fits, the other waits"


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc").is_dir(), reason="processes are looked up in /proc")
def test_a_command_killed_outright_leaves_no_process_and_two_processes_give_the_records_of_one(
    undisturbed, zygote, tmp_path
):
    words = (*MATRIX, "--jobs", 2, "--out", tmp_path / "runs")
    own = {"cache": tmp_path / "cache", "log": tmp_path / "log"}
    command = zygote.start(*words, **own)
    until(lambda: list(own["cache"].glob("trained/[!.]*")))
    workers = descendants(command)
    os.kill(command, signal.SIGKILL)
    zygote.wait(command)
    assert len(workers) >= 4, "the server that forks them among them"
    until(lambda: not any(Path(f"/proc/{worker}").exists() for worker in workers))
    nothing_is_half_written(tmp_path / "runs", own["cache"])
    again = zygote.start(*words, **own)
    assert zygote.wait(again) == 0, own["log"].read_text()
    assert results(tmp_path / "runs") == undisturbed[0]


def descendants(pid: int) -> list[int]:
    """Processes that a process has started, and those that they have."""
    return [one for child in children(pid) for one in (child, *descendants(child))]


def children(pid: int) -> list[int]:
    """Processes that a process has started."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:  # it has ended meanwhile
            continue
        if int(fields[1]) == pid:
            found.append(int(path.parent.name))
    return found
