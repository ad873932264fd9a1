"""Systems that older versions saved as folders (``system.json``, schemas 1 and 2), in the form of today's detector."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file

from asdbench.core.arrays import load_npy
from asdbench.core.errors import RequirementError
from asdbench.core.files import write_json
from asdbench.core.store import MANIFEST, damage
from asdbench.detector.schema import FILE
from asdbench.harness.record import RunRecord, load_record

OLD = "system.json"
KINDS = {"extractor": "extractors", "frontend": "frontends", "scorer": "scorers"}


def convert(old: Path, folder: Path) -> None:
    """Write the content of an old folder into an empty one as today's; it has no scores of training clips.

    Raises:
        RequirementError: it is damaged, or of a newer asdbench.
    """
    try:
        content = json.loads((old / OLD).read_bytes())
        if content["schema_version"] not in (1, 2):
            raise RequirementError(f"{old / OLD} has schema {content['schema_version']}; a newer asdbench reads it.")
        reason = damage(old) if content["schema_version"] == 2 or (old / MANIFEST).exists() else None
        if reason is not None:
            raise ValueError(reason)
        record = load_record(old, files=False)
        write_json(folder / FILE, _converted(content, record))
        shutil.copytree(old / "extractors", folder / "extractors" / "0")
        if (old / "files").is_dir():
            shutil.copytree(old / "files", folder / "files")
        (folder / "machines").mkdir()
        for number, machine in enumerate(content["machines"]):
            rows = load_npy(old / "training" / f"{machine}.npy")
            place = folder / "machines" / f"{number}.safetensors"
            save_file({"rows.0": np.ascontiguousarray(rows, np.float32)}, place)
            shutil.copyfile(old / "training" / f"{machine}.json", place.with_suffix(".json"))
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise RequirementError(
            f"The trained system {old} is damaged: {str(error).splitlines()[0]}.\n"
            "Make a detector of its run: asdbench fit --from RUN --to FILE"
        ) from error


def _converted(content: dict[str, Any], record: RunRecord) -> dict[str, Any]:
    parts = {}
    for kind, plural in KINDS.items():
        part = content["parts"][plural]
        used = getattr(record, kind).model_dump()
        parts[kind] = {**used, "identity": part["identity"], "plugin": part["plugin"], "copies": part.get("files", {})}
    fits = {machine: {"number": fit["extractor"], "seed": fit["seed"]} for machine, fit in content["machines"].items()}
    return {
        "asdbench": record.environment.packages.get("asdbench", "unknown"),
        "name": record.name,
        "dataset": record.dataset.name,
        "fingerprint": record.dataset.fingerprint,
        "seed": record.asked.seed,
        "device": record.environment.device,
        "threads": record.environment.threads or 1,
        "members": [{**parts, "fits": fits}],
        "machines": {
            machine: {
                "number": number,
                "clips": record.dataset.train_clips[machine],
                "clip_s": 0.0,
                "thresholds": {key: one.model_dump() for key, one in record.thresholds[machine].items()},
            }
            for number, machine in enumerate(content["machines"])
        },
    }
