"""The autoencoder beside the official program and ASDKit: the same clips and epochs; seconds, peak memory, score.

``python benchmarks/side_by_side.py DATA [--official FOLDER] [--asdkit FOLDER] [--python PYTHON] [--epochs 100]``. DATA
holds machine types as DCASE 2023 has them, ``DATA/<machine>/{train,test}``, as WAV or FLAC; the first one is taken, or
``--machine``. The folders are checkouts of github.com/nttcslab/dcase2023_task2_baseline_ae and
github.com/TakuyaFujimura/dcase-asd-toolkit, which are copied; nothing is written into them. PYTHON has what they need
beside torch and pandas: librosa, tqdm, "matplotlib<3.11", seaborn, fasteners; hydra-core, lightning, tensorboard.

The programs take turns, ``--rounds`` times, each from recordings to scores of test clips with nothing remembered,
imports included, on the same number of threads. All scores are evaluated by asdbench. The programs are not the same:
ASDKit trains by AdamW on another spectrogram, and scores the test clips after each epoch.
"""

import argparse
import csv
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import soundfile
from timing import tell

YEAR = "dcase2023"
READING = """
import soundfile, torch, torchaudio

def load(path, *_, **__):
    samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    return torch.from_numpy(samples.T.copy()), rate

torchaudio.load = load
"""  # torchaudio 2.11 reads by FFmpeg's libraries, which few machines have in the version that it wants
Words = list[str]


@dataclass(frozen=True)
class Task:
    """What all programs are given.

    Attributes:
        clips: folder of WAV files, by machine type and split.
        machine: machine type.
        epochs: of the training.
        seed: of it.
        threads: of the processor.
        python: interpreter of the others.
        limit_s: seconds that a command may take.
    """

    clips: Path
    machine: str
    epochs: int
    seed: int
    threads: int
    python: str
    limit_s: float


@dataclass(frozen=True)
class Outcome:
    """Seconds from recordings to scores, peak resident size of the largest process (MiB), official score (percent)."""

    seconds: float
    peak_mib: float
    score: float


def main() -> None:
    """Run the programs in turn, and print a row for each and the ratios."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("data", type=Path)
    options.add_argument("--official", type=Path)
    options.add_argument("--asdkit", type=Path)
    options.add_argument("--python", default=sys.executable)
    options.add_argument("--machine")
    options.add_argument("--epochs", type=int, default=100)
    options.add_argument("--rounds", type=int, default=1)
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--threads", type=int, default=os.cpu_count())
    options.add_argument("--limit-s", type=float, default=3600)
    chosen = options.parse_args()
    programs: dict[str, Callable[[Task, Path], Outcome]] = {"asdbench": ours}
    if chosen.official:
        programs["official"] = lambda task, place: official(task, place, chosen.official)
    if chosen.asdkit:
        programs["ASDKit"] = lambda task, place: asdkit(task, place, chosen.asdkit)
    with tempfile.TemporaryDirectory() as folder:
        machine = chosen.machine or sorted(path.name for path in chosen.data.iterdir() if path.is_dir())[0]
        clips = as_wav(chosen.data / machine, Path(folder) / "clips" / machine).parent
        task = Task(clips, machine, chosen.epochs, chosen.seed, chosen.threads, chosen.python, chosen.limit_s)
        outcomes: dict[str, list[Outcome]] = {name: [] for name in programs}
        for number in range(chosen.rounds):
            for name, program in programs.items():
                place = Path(folder) / f"{name}{number}"
                place.mkdir()
                outcomes[name].append(program(task, place))
                print(f"{name}: {outcomes[name][-1]}", flush=True)
                shutil.rmtree(place)
    rows = {name: median(found) for name, found in outcomes.items()}
    print(f"\n| program, {machine}, {chosen.epochs} epochs, {chosen.threads} threads | seconds | peak MiB | score |")
    print("| --- | ---: | ---: | ---: |")
    for name, row in rows.items():
        print(f"| {name} | {row.seconds:.1f} | {row.peak_mib:.0f} | {row.score:.2f} |")
    for name in list(rows)[1:]:
        pairs = zip(outcomes["asdbench"], outcomes[name], strict=True)
        ratio = statistics.median(one.seconds / other.seconds for one, other in pairs)
        what = f"autoencoder, against {name}, {chosen.epochs} epochs"
        tell(what, rows["asdbench"].seconds, rows[name].seconds, ratio)


def median(found: list[Outcome]) -> Outcome:
    """Of seconds, peaks and scores."""
    columns = zip(*((one.seconds, one.peak_mib, one.score) for one in found), strict=True)
    return Outcome(*map(statistics.median, columns))


def as_wav(source: Path, folder: Path) -> Path:
    """The clips as WAV files of 16 bits, which is what all programs read."""
    for path in sorted(source.rglob("*")):
        if path.suffix in (".wav", ".flac"):
            target = (folder / path.relative_to(source)).with_suffix(".wav")
            target.parent.mkdir(parents=True, exist_ok=True)
            samples, rate = soundfile.read(path, dtype="int16")
            soundfile.write(target, samples, rate, subtype="PCM_16")
    return folder


def ours(task: Task, place: Path) -> Outcome:
    """From the command line, as users do it."""
    command = str(Path(sys.executable).with_name("asdbench"))
    words = [command, "run", "--dataset", str(task.clips), "--extractor", "autoencoder"]
    words += ["--scorer", "identity", "-p", f"autoencoder.epochs={task.epochs}", "--seed", str(task.seed)]
    words += [
        "--device",
        "cpu",
        "--threads",
        str(task.threads),
        "--tracking",
        "none",
        "--out",
        str(place / "runs"),
        "--quiet",
    ]
    seconds, peak = measured(task, [words], place, {"ASDBENCH_CACHE": str(place / "cache")})
    return Outcome(seconds, peak, evaluated(task, next((place / "runs").glob("*/scores"))))


def official(task: Task, place: Path, sources: Path) -> Outcome:
    """train.py of the official program, which trains and then scores the test clips."""
    program = copied(sources, place / "official")
    linked(task, program / "data" / "dcase2023t2" / "dev_data" / "raw" / task.machine)
    words = [task.python, "train.py", f"--dataset=DCASE2023T2{task.machine}", "--dev", "-tag=id(0_)", "--use_ids", "0"]
    words += [f"--epochs={task.epochs}", f"--seed={task.seed}", "--use_cuda=False", "--score=MSE"]
    seconds, peak = measured(task, [words], program, {})
    found = next((program / "results").rglob(f"anomaly_score_*{task.machine}_section_00_test_*.csv"))
    return Outcome(seconds, peak, evaluated(task, renamed(found, task, place / "scores")))


def asdkit(task: Task, place: Path, sources: Path) -> Outcome:
    """ASDKit's recipe "ae": training, extraction and scores, a command each."""
    program = copied(sources, place / "asdkit")
    linked(task, place / "data" / "formatted" / YEAR / "raw" / task.machine)
    same = [f"dcase={YEAR}", "name=side", "version=ae", f"seed={task.seed}", f"machine={task.machine}"]
    inferred = [*same, "infer_ver=last"]
    words = [
        ["asdkit.bin.train", *same, "experiments=ae", f"trainer.max_epochs={task.epochs}", "trainer.accelerator=cpu"],
        ["asdkit.bin.extract", *inferred, "experiments=restore/machinewise", "device=cpu"],
        ["asdkit.bin.score", *inferred, "experiments=no_backend"],
    ]
    words[0] += ["trainer.devices=1", f"data_dir={place / 'data'}"]
    words[1] += [f"data_dir={place / 'data'}"]
    commands = [[task.python, "-m", *one] for one in words]
    (place / "reading").mkdir()
    (place / "reading" / "sitecustomize.py").write_text(READING)
    paths = os.pathsep.join([str(place / "reading"), str(program)])
    own_files = {"TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD": "1"}  # its checkpoints hold objects of its configuration
    seconds, peak = measured(task, commands, program, {"PYTHONPATH": paths, **own_files})
    table = next((program / "results").rglob("test_score.csv"))
    with table.open(newline="") as file:
        rows = list(csv.DictReader(file))
    column = next(name for name in rows[0] if name.startswith("AS"))
    scores = place / "scores.csv"
    with scores.open("w", newline="") as file:
        csv.writer(file).writerows([Path(row["path"]).name, row[column]] for row in rows)
    return Outcome(seconds, peak, evaluated(task, renamed(scores, task, place / "scores")))


def copied(sources: Path, folder: Path) -> Path:
    """The program's sources, without what it has downloaded or made."""
    ignored = shutil.ignore_patterns(".git", "data", "venv", "results", "pretrained_models")
    shutil.copytree(sources, folder, ignore=ignored)
    return folder


def linked(task: Task, folder: Path) -> None:
    """The clips where a program looks for them."""
    folder.parent.mkdir(parents=True)
    folder.symlink_to((task.clips / task.machine).resolve())


def renamed(scores: Path, task: Task, folder: Path) -> Path:
    """Scores of the test clips under the challenge's name."""
    folder.mkdir()
    shutil.copy(scores, folder / f"anomaly_score_{task.machine}_section_00_test.csv")
    return folder


def measured(task: Task, commands: list[Words], place: Path, added: dict[str, str]) -> tuple[float, float]:
    """Seconds of the commands, one after the other, and peak resident size of the largest process (MiB).

    Exits with the last lines that a command has written where one fails.
    """
    environ = {**os.environ, "OMP_NUM_THREADS": str(task.threads), "MPLBACKEND": "agg", **added}
    log, peak, started = place / "output.log", 0.0, time.perf_counter()
    for words in commands:
        with log.open("w") as output:
            process = subprocess.Popen(words, cwd=place, env=environ, stdout=output, stderr=subprocess.STDOUT)
            _, status, usage = wait(process, started + task.limit_s)
        if status:
            sys.exit(f"{' '.join(words)}\nfailed:\n" + "\n".join(log.read_text().splitlines()[-15:]))
        peak = max(peak, usage.ru_maxrss / (1 if sys.platform != "darwin" else 1024) / 1024)
    return time.perf_counter() - started, peak


def wait(process: subprocess.Popen[bytes], ends: float):
    """Its identity, status and usage, or an exit where it takes too long."""
    while True:
        found = os.wait4(process.pid, os.WNOHANG)
        if found[0]:
            process.returncode = os.waitstatus_to_exitcode(found[1])
            return found
        if time.perf_counter() > ends:
            process.kill()
            sys.exit(f"{' '.join(process.args)} took longer than its limit.")
        time.sleep(0.05)


def evaluated(task: Task, scores: Path) -> float:
    """Official score of a folder of score files of one machine type, in percent."""
    import asdbench

    found = asdbench.evaluate(scores, protocol=YEAR, machines=[task.machine], split="own", intervals="none")
    if found.official_score is None:
        sys.exit(f"The scores in {scores} cannot be evaluated: {found.problems}")
    return 100 * found.official_score


if __name__ == "__main__":
    main()
