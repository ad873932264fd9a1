"""Every year's data set in miniature: real file names, small recordings, and by hand what each name should tell."""

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import soundfile

FIRST_SHOT_DEV = ("ToyCar", "ToyTrain", "bearing", "fan", "gearbox", "slider", "valve")
MACHINES = {
    (2020, "dev"): ("fan", "pump", "slider", "valve", "ToyCar", "ToyConveyor"),
    (2020, "eval"): ("fan", "pump", "slider", "valve", "ToyCar", "ToyConveyor"),
    (2021, "dev"): ("ToyCar", "ToyTrain", "fan", "gearbox", "pump", "slider", "valve"),
    (2021, "eval"): ("ToyCar", "ToyTrain", "fan", "gearbox", "pump", "slider", "valve"),
    (2022, "dev"): FIRST_SHOT_DEV,
    (2022, "eval"): FIRST_SHOT_DEV,
    (2023, "dev"): FIRST_SHOT_DEV,
    (2023, "eval"): ("bandsaw", "grinder", "shaker", "ToyDrone", "ToyNscale", "ToyTank", "Vacuum"),
    (2024, "dev"): FIRST_SHOT_DEV,
    (2024, "eval"): (
        "3DPrinter", "AirCompressor", "BrushlessMotor", "HairDryer", "HoveringDrone", "RoboticArm", "Scanner",
        "ToothBrush", "ToyCircuit",
    ),
    (2025, "dev"): FIRST_SHOT_DEV,
    (2025, "eval"): (
        "AutoTrash", "BandSealer", "CoffeeGrinder", "HomeCamera", "Polisher", "ScrewFeeder", "ToyPet", "ToyRCCar",
    ),
    (2026, "dev"): ("ToyCar", "ToyCarEmu", "bearingEmu", "fan", "gearboxEmu", "sliderEmu", "valveEmu"),
    (2026, "eval"): ("BlowerDustCollector", "Sander", "SewingMachine", "ToothBrush", "ToyDrone"),
}  # fmt: skip
HIDDEN = {
    (2024, "dev"): {"ToyTrain", "gearbox", "slider"},
    (2024, "eval"): {"AirCompressor", "BrushlessMotor", "HoveringDrone", "ToothBrush"},
    (2025, "dev"): {"ToyTrain", "bearing", "slider"},
    (2025, "eval"): {"AutoTrash", "Polisher", "ScrewFeeder", "ToyPet"},
    (2026, "dev"): {"ToyCar", "bearingEmu", "sliderEmu", "valveEmu"},
}
IDS_2020 = {
    ("dev", "ToyCar"): ("01", "02", "03", "04"), ("eval", "ToyCar"): ("05", "06", "07"),
    ("dev", "ToyConveyor"): ("01", "02", "03"), ("eval", "ToyConveyor"): ("04", "05", "06"),
    ("dev", ""): ("00", "02", "04", "06"), ("eval", ""): ("01", "03", "05"),
}  # fmt: skip
SUPPLEMENTAL = {  # name -> domain, attributes
    "section_00_noise_supplemental_normal_0000": (None, (("supplemental", "noise_supplemental_normal"),)),
    "section_00_source_supplemental_machine_0000": ("source", (("supplemental", "source_supplemental_machine"),)),
    "section_00_machine_source_0000_noAttribute": ("source", (("supplemental", "machine_source"),)),
    "section_00_machine_0001_": (None, (("supplemental", "machine"),)),
    "section_00_target_clean_supplemental_0002_vel_6": (
        "target", (("supplemental", "target_clean_supplemental"), ("vel", "6")),
    ),
}  # fmt: skip

Attributes = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Row:
    """A file and what should be read of it."""

    machine: str
    folder: str
    name: str
    section: str
    domain: str | None
    split: str
    label: int | None
    attributes: Attributes = ()
    from_file: bool = False

    @property
    def facts(self):
        return (
            self.machine, self.name, self.section, self.domain, self.split, self.label, self.attributes, self.from_file,
        )  # fmt: skip


@dataclass
class Miniature:
    """One year's split.

    Attributes:
        rows: a file each.
        texts: attribute files by machine and name.
    """

    year: int
    split: str
    rows: list[Row]
    texts: dict[tuple[str, str], str] = field(default_factory=dict)

    @property
    def facts(self):
        return {row.facts for row in self.rows}

    def write(self, root: Path) -> None:
        """Write ``<root>/<machine>/...``; every recording sounds different."""
        for number, row in enumerate(self.rows):
            random = np.random.default_rng([self.year, self.split == "dev", number])
            seconds = random.choice([0.1, 0.2, 0.3])
            shape = (int(16000 * seconds), 2) if self.year == 2026 else int(16000 * seconds)
            path = root / row.machine / row.folder / row.name
            path.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(path, 0.1 * random.standard_normal(shape), 16000)
        for (machine, name), text in self.texts.items():
            (root / machine / name).write_text(text)


def miniature(year: int, split: str) -> Miniature:
    made = Miniature(year, split, [])
    for machine in MACHINES[year, split]:
        if year == 2020:
            made.rows += _year_2020(split, machine)
        elif year == 2021:
            made.rows += _year_2021(split, machine)
        elif year == 2022:
            _year_2022(made, machine)
        else:
            _first_shot(made, machine)
    return made


def link(place: Path, to: Path) -> Path:
    """A second copy that takes no room; what is there already stays."""
    shutil.copytree(place, to, copy_function=os.link, dirs_exist_ok=True)
    return to


def _year_2020(split: str, machine: str) -> Iterator[Row]:
    for section in IDS_2020.get((split, machine), IDS_2020[split, ""]):
        for number in ("00000000", "00000001"):
            yield Row(machine, "train", f"normal_id_{section}_{number}.wav", section, None, "train", 0)
        if split == "dev":
            yield Row(machine, "test", f"normal_id_{section}_00000000.wav", section, None, "test", 0)
            yield Row(machine, "test", f"anomaly_id_{section}_00000000.wav", section, None, "test", 1)
        else:
            yield Row(machine, "test", f"id_{section}_00000000.wav", section, None, "test", None)
            yield Row(machine, "test", f"id_{section}_00000001.wav", section, None, "test", None)


def _year_2021(split: str, machine: str) -> Iterator[Row]:
    for s in ("00", "01", "02") if split == "dev" else ("03", "04", "05"):
        name = f"section_{s}_source_train_normal_0000_strength_1_ambient.wav"
        yield Row(machine, "train", name, s, "source", "train", 0, (("strength", "1"),))
        yield Row(machine, "train", f"section_{s}_source_train_normal_0001.wav", s, "source", "train", 0)
        yield Row(machine, "train", f"section_{s}_target_train_normal_0000.wav", s, "target", "train", 0)
        for domain in ("source", "target"):
            if split == "dev":
                for label, value in (("normal", 0), ("anomaly", 1)):
                    name = f"section_{s}_{domain}_test_{label}_0000.wav"
                    yield Row(machine, f"{domain}_test", name, s, domain, "test", value)
            else:
                name = f"section_{s}_{domain}_test_0000.wav"
                yield Row(machine, f"{domain}_test", name, s, domain, "test", None)


def _year_2022(made: Miniature, machine: str) -> None:
    for s in ("00", "01", "02") if made.split == "dev" else ("03", "04", "05"):
        lines = ["file_name,d1p,d1v,d2p,d2v"]
        for domain, noise in (("source", "W"), ("target", "Y")):
            stem = f"section_{s}_{domain}_train_normal_0000_m-n_{noise}_vel_2"
            pairs = (("m-n", noise), ("vel", "2"))
            made.rows.append(Row(machine, "train", f"{stem}.wav", s, domain, "train", 0, pairs))
            lines.append(f"{machine}/train/{stem}.wav,m-n,{noise},,")  # the name holds more than the file
            for label, value in (("normal", 0), ("anomaly", 1)) if made.split == "dev" else ():
                stem = f"section_{s}_{domain}_test_{label}_0000_m-n_{noise}_vel_2"
                made.rows.append(Row(machine, "test", f"{stem}.wav", s, domain, "test", value, pairs))
        if made.split == "eval":
            # Some documents say the second form.
            form = "section_{}_test_{}.wav" if machine == "valve" else "section_{}_{}.wav"
            for number in ("0000", "0001"):
                made.rows.append(Row(machine, "test", form.format(s, number), s, None, "test", None))
        made.texts[machine, f"attributes_{s}.csv"] = "\n".join(lines) + "\n"


def _first_shot(made: Miniature, machine: str) -> None:
    """2023 to 2026."""
    year, split = made.year, made.split
    hidden = machine in HIDDEN.get((year, split), set())
    start = 1 if year == 2024 and machine != "RoboticArm" else 0
    digits = {"bearing": 3, "valve": 5, "Vacuum": 8, "BandSealer": 8}.get(machine, 4)
    ending = "flac" if machine in ("gearbox", "ToyTank", "Polisher") else "wav"
    words, pairs = "_vel_6_loc_A", (("vel", "6"), ("loc", "A"))
    if hidden:
        words, pairs = "_noAttribute", ()
    elif machine == "RoboticArm":  # no underscore between key and value
        words, pairs = "_weight15_BckgF", (("weight15", "BckgF"),)
    in_file = machine in ("fan", "shaker") and year == 2023
    stems = []
    for domain in ("source", "target"):
        for i in range(2):
            stem = f"section_00_{domain}_train_normal_{start + i:0{digits}d}" + ("" if in_file else words)
            stems.append(stem)
            made.rows.append(
                Row(machine, "train", f"{stem}.{ending}", "00", domain, "train", 0, pairs, from_file=in_file)
            )
        for label, value in (("normal", 0), ("anomaly", 1)) if split == "dev" else ():
            number = 2 * (domain == "target") + value if year == 2026 else start  # 2026: numbers run through all
            name = f"section_00_{domain}_test_{label}_{number:0{digits}d}{words}.{ending}"
            made.rows.append(Row(machine, "test", name, "00", domain, "test", value, pairs))
    for i in range(2) if split == "eval" else ():
        name = f"section_00_{start + i:0{digits}d}.{ending}"
        made.rows.append(Row(machine, "test", name, "00", None, "test", None))
    if in_file:  # neither header nor folder; every second row without the ending as well
        cells = [f"{stem}{'.wav' if i % 2 else ''},vel,6,loc,A,," for i, stem in enumerate(stems)]
        made.texts[machine, "attributes_00.csv"] = "\n".join(cells) + "\n"
    elif machine in ("slider", "ToyTrain") and hidden:
        cells = [f"{machine}/train/{stem}.wav,noAttribute,,," for stem in stems]
        made.texts[machine, "attributes_00.csv"] = "\n".join(["file_name,d1p,d1v,d2p,d2v", *cells]) + "\n"
    for stem, (domain, attributes) in SUPPLEMENTAL.items() if year == 2025 else ():
        made.rows.append(
            Row(machine, "supplemental", f"{stem}.{ending}", "00", domain, "supplemental", None, attributes)
        )
