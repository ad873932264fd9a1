"""Which score files the record tells of and the run's folder does not hold."""

from collections.abc import Sequence

from asdbench.datasets.clips import Domain
from asdbench.harness.record import RunRecord
from asdbench.protocols import MachineResult
from asdbench.score_files.files import ScoreFile, file_name

AGAIN = "The run's command with --fresh makes them again."
SHOWN = 3  # names of files of one machine type that are written out


def missing_files(record: RunRecord, files: Sequence[ScoreFile]) -> dict[str, list[str]]:
    """Names of the score files that are not there, by machine type.

    Expected is a file for each section with a threshold or a result in the record (in 2021 for each of its domains),
    so that machine types that failed before they were scored miss nothing.
    """
    there = {(file.machine, file.section, file.domain) for file in files if file.kind == "anomaly_score"}
    results = record.results.machines if record.results is not None else record.salvaged
    missing: dict[str, list[str]] = {}
    for machine in sorted({*record.thresholds, *results}):
        result = results.get(machine)
        for section in sorted({*record.thresholds.get(machine, {}), *(result.sections if result else ())}):
            names = [
                file_name("anomaly_score", record.dataset.layout, machine, section, domain)
                for domain in _domains(record.dataset.layout, result, section)
                if (machine, section, domain) not in there
            ]
            if names:
                missing.setdefault(machine, []).extend(names)
    return missing


def told(machine: str, names: Sequence[str]) -> str:
    """What is missing of a machine type, without a full stop."""
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    are = "score file of {} is" if len(names) == 1 else "score files of {} are"
    return f"the {are.format(machine)} missing ({', '.join(names[:SHOWN])}{more})"


def _domains(layout: str, result: MachineResult | None, section: str) -> Sequence[Domain | None]:
    """The domains that have files of their own; None where all clips of a section are in one."""
    if layout != "dcase2021":
        return (None,)
    known = result.sections[section].domains if result and section in result.sections else ("source", "target")
    domains: tuple[Domain, ...] = ("source", "target")
    return [domain for domain in domains if domain in known]
