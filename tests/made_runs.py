"""Runs made by hand: folders with a record and score files as ``asdbench run`` leaves them, in no time.

Scores are drawn: normal clips from N(0, 1), anomalies from N(quality, 1), less in the target domain.
"""

import csv
import json
import re
from pathlib import Path

import numpy as np

from asdbench.core.digests import derive_seed, digest
from asdbench.extractors.learning import Learning
from asdbench.harness.record import (
    Asked,
    Environment,
    Failure,
    RunRecord,
    TrainedNetwork,
    UsedComponent,
    UsedDataset,
    sealed,
    write_record,
)
from asdbench.protocols import SectionScores, evaluate

MACHINES = ("fan", "gearbox", "valve")
COMMIT = "0123456789abcdef0123456789abcdef01234567"


def drawn_sections(name, seed, quality, machines=MACHINES, clips=10, shift=0.5, seed_spread=0.15):
    """Rows by (machine, section) with ``clips`` of each domain and label."""
    sections = {}
    for machine in machines:
        rng = np.random.default_rng(derive_seed(0, "clips", name, machine))  # clips are the same for all seeds
        names, labels, domains, scores = [], [], [], []
        for domain in ("source", "target"):
            for label, word in enumerate(("normal", "anomaly")):
                for number in range(clips):
                    names.append(f"section_00_{domain}_test_{word}_{number:04d}_vel_1.wav")
                    labels.append(label)
                    domains.append(domain)
                    shifted = quality if domain == "source" else quality * shift
                    scores.append(rng.standard_normal() + label * shifted)
        noise = np.random.default_rng(derive_seed(seed, "seed", name, machine))
        values = np.array(scores) + seed_spread * noise.standard_normal(len(scores))
        sections[machine, "00"] = SectionScores(
            np.array(labels), np.array(domains), values, (values > 1.3).astype(int), tuple(names)
        )
    return sections


def trained_networks(machines, parameters=0, learning=None):
    if not parameters and learning is None:
        return []
    by_machine = isinstance(learning, dict)
    return [
        TrainedNetwork(
            machines=[machine] if by_machine else list(machines),
            parameters=parameters,
            curves={"loss": [1.0, 0.5]},
            learning=of_network,
        )
        for machine, of_network in (learning.items() if by_machine else [("", learning)])
    ]


def pair_accuracy(value, untrained=0.52):
    return Learning(
        figure="pair accuracy",
        value=value,
        chance=0.5,
        untrained=untrained,
        margin=0.05,
        measured_on="280 pairs of 28 clips held out of training",
    )


def made_run(
    root,
    extractor="raw-mel",
    scorer="knn",
    seed=0,
    quality=1.0,
    *,
    dataset="synthetic",
    protocol="dcase2023",
    machines=MACHINES,
    system=None,
    params=None,
    extractor_params=None,
    failed=(),
    reason="covariance is singular",
    lacks=(),
    data="",
    parameters=0,
    asked_dataset=None,
    shift=0.5,
    seed_spread=0.15,
    clips=10,
    fingerprints=True,
    seconds=None,
    learning=None,
    target="asdbench.x:X",
    **updates,
) -> Path:
    """Leave a run below ``root``; its folder.

    ``failed`` names the machine types that were not scored; ``learning`` is that of one network for all machine types,
    or of one for each by machine type.
    """
    scored = [machine for machine in machines if machine not in failed]
    name = system or f"{extractor}+{scorer}"
    sections = drawn_sections(name, seed, quality, scored, clips, shift, seed_spread)
    found = evaluate(protocol, sections) if sections else None
    params = {"n_neighbors": 2} if params is None else params
    key = [name, params, extractor_params, dataset, machines, protocol, seed, data]
    key += [updates.get("device"), updates.get("threads")]
    readable = f"{system or f'{extractor}-{scorer}'}-{dataset}-s{seed}"
    run_id = f"{re.sub(r'[^A-Za-z0-9._-]+', '.', readable)}-{digest(key, 10)}"
    record = RunRecord(
        run_id=run_id,
        status="failed" if failed else "done",
        asked=Asked(
            system=system,
            extractor=extractor,
            scorer=scorer,
            dataset=asked_dataset or dataset,
            machines=None,
            seed=seed,
            profile=None,
            params={},
        ),
        extractor=UsedComponent(name=extractor, target=target, version=1, params=extractor_params or {"dim": 128}),
        scorer=UsedComponent(name=scorer, target="asdbench.y:Y", version=1, params=params),
        frontend=UsedComponent(name="log-mel", target="asdbench.z:Z", version=1, params={"hop": 512, "n_mels": 128}),
        augmentations=[],
        dataset=UsedDataset(
            name=dataset,
            layout="dcase2023",
            protocol=protocol,
            fingerprint=digest([dataset, machines, data], 32),
            fingerprints={machine: digest([dataset, machine, data], 32) for machine in machines}
            if fingerprints
            else {},
            lacks=list(lacks),
            train_clips=dict.fromkeys(machines, 100),
            test_clips=dict.fromkeys(machines, 4 * clips),
        ),
        environment=Environment(
            device=updates.get("device", "cpu"),
            threads=updates.get("threads"),
            python="3.11.7",
            platform="Linux",
            packages={"asdbench": "0.1.0", "numpy": "2.4.6"},
            git_commit=COMMIT,
            git_dirty=False,
        ),
        results=None if failed else found,
        salvaged=found.machines if failed and found else {},
        intervals=None,
        thresholds={},
        training=trained_networks(machines, parameters, learning),
        notes=[],
        failures=[
            Failure(stage="score", machine=machine, reason=reason, detail="Traceback: /home/me/x.py")
            for machine in failed
        ],
        seconds=seconds or {"fit": 12.5 * bool(parameters), "embed": 1.25, "score": 0.5},
        finished_at=updates.get("finished_at", "2026-11-22T10:00:00+00:00"),
    )
    folder = Path(root) / run_id
    (folder / "scores").mkdir(parents=True)
    for (machine, section), rows in sections.items():
        for kind, values in (("anomaly_score", rows.scores), ("decision_result", rows.decisions)):
            with (folder / "scores" / f"{kind}_{machine}_section_{section}_test.csv").open("w", newline="") as file:
                csv.writer(file).writerows(zip(rows.names, values.tolist(), strict=True))
    write_record(folder, record)
    return folder


def edit_record(folder, change):
    """Change a run's record as its command would have written it."""
    path = folder / "run.json"
    content = json.loads(path.read_text())
    change(content)
    path.write_text(sealed(content))
