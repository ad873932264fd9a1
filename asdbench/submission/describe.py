"""Fill in a meta file from the record of a run."""

from collections.abc import Mapping
from typing import Any

from asdbench.harness.record import RunRecord
from asdbench.protocols import MachineResult
from asdbench.submission.label import Label
from asdbench.submission.meta import Affiliation, Author, Complexity, Description, Meta, Results, Submission, System


def describe(label: Label, record: RunRecord, development: RunRecord | None) -> Meta:
    """The meta file of a run, with the results of ``development`` filled in.

    What a record does not tell (authors, use of external data) is left ``null`` for its author.
    """
    name = record.asked.system or f"{record.extractor.name} + {record.scorer.name}"
    networks = record.training
    frontend = record.frontend
    rate_hz = frontend.params.get("sample_rate_hz")
    methods = {used.method for sections in record.thresholds.values() for used in sections.values()}
    description = Description(
        input_sampling_rate=f"{rate_hz / 1000:g} kHz" if isinstance(rate_hz, int | float) else None,
        data_augmentation=", ".join(part.name for part in record.augmentations) or None,
        front_end=frontend.name,
        acoustic_features=frontend.name,
        machine_learning_method=f"{record.extractor.name}, {record.scorer.name}",
        ensemble_method_subsystem_count=None,
        decision_making=f"threshold on training scores: {', '.join(sorted(methods))}" if methods else None,
    )
    return Meta(
        submission=Submission(
            label=str(label),
            name=name,
            abbreviation=name.replace(" ", "")[:10],
            authors=[
                Author(lastname=label.name, corresponding=True, affiliation=Affiliation(institution=label.organisation))
            ],
        ),
        system=System(
            description=description,
            complexity=Complexity(total_parameters=_largest(networks, "parameters"), MACS=_largest(networks, "macs")),
        ),
        results=Results(development_dataset=_results(development)),
    )


def _largest(networks: list[Any], name: str) -> int | None:
    """Of the largest network: one network scores a clip, also where each machine type has its own.

    0 where nothing is learned; None where a network was not counted.
    """
    counts = [getattr(network, name) for network in networks]
    return None if None in counts else max(counts, default=0)


def _results(development: RunRecord | None) -> dict[str, dict[str, float | None] | None]:
    if development is None or development.results is None:
        return {}
    protocol = development.results.protocol
    return {
        machine: {key: 100 * value for key, value in _columns(protocol, result).items()}
        for machine, result in development.results.machines.items()
    }


def _columns(protocol: str, result: MachineResult) -> Mapping[str, float]:
    means = result.means
    assert means is not None, "an evaluation has the means of its machine types"
    if protocol == "dcase2020":
        return {"averaged_auc": means.arithmetic["auc"], "averaged_pauc": means.arithmetic["pauc"]}
    if protocol == "dcase2021":
        return {"harmonic_mean_auc": means.harmonic["auc"], "harmonic_mean_pauc": means.harmonic["pauc"]}
    return {key: means.harmonic[key] for key in ("auc_source", "auc_target", "pauc")}
