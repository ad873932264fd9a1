"""Runs made by a Ray cluster, and an extractor that waits for the test."""

import importlib.util
import json

import pytest

needs_ray = pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="Ray is not installed")

PATIENT = """
import os, time
from pathlib import Path
from asdbench.extractors.raw_mel import RawMel

class Patient(RawMel):
    def __init__(self, *, weight):
        super().__init__(poolings=["mean", "std"])
        self._weight = weight

    def fit(self, clips, context):
        import ray
        folder = os.environ.get("ASDBENCH_DATA")
        if folder and ray.is_initialized():
            sign = f"{ray.util.get_node_ip_address()}-{clips[0].machine}-{self._weight}"
            (Path(folder) / sign).write_text(str(os.getpid()))
            until = time.monotonic() + 60
            while not (Path(folder) / "go").exists() and time.monotonic() < until:
                time.sleep(0.05)

    def embed(self, clips, context):
        return self._weight * super().embed(clips, context)
"""
CARD = """
summary = "Waits until it is told to go on."
target = "patient_extractor:Patient"
version = 1
fit_on = "machine"
[params.weight]
default = 1.0
range = [0.0, 9.0]
tune = { low = 1.0, high = 2.0 }
help = "Of everything."
"""


def write_patient(tmp_path):
    """A plugin's folder with the extractor."""
    folder = tmp_path / "mine"
    (folder / "registry" / "extractors").mkdir(parents=True)
    (folder / "patient_extractor.py").write_text(PATIENT)
    (folder / "registry" / "extractors" / "patient.toml").write_text(CARD)
    return folder


def comparable(folder):
    """A run without its times: the record, and the bytes of every score file.

    Somebody may commit to the checkout between two runs, so its state is left out as well.
    """
    record = json.loads((folder / "run.json").read_text())
    record["digests"].pop("run.json")
    for key in ("seconds", "finished_at"):
        del record[key]
    for key in ("git_commit", "git_dirty"):
        del record["environment"][key]
    return record, {path.name: path.read_bytes() for path in sorted(folder.glob("scores/*"))}
