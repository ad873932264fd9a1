"""What an evaluation came to. All scores are fractions, not percent."""

from pydantic import Field

from asdbench.core.validation import Model

Interval = tuple[float, float]


class DomainResult(Model):
    """One domain of a section; in 2020 there is one, "all"."""

    auc: float = Field(description="From 2022 on normals of this domain against anomalies of both, before its own.")
    pauc: float | None = Field(default=None, description="Of this domain's own clips; 2021 alone defines it.")
    normal: int = Field(description="Normal test clips of this domain.")
    anomaly: int = Field(description="Anomalous test clips of this domain.")
    precision: float | None = Field(description="Of the 0/1 decisions on this domain's own clips; None without any.")
    recall: float | None = Field(description="Of the 0/1 decisions on this domain's own clips.")
    f1: float | None = Field(description="Of the 0/1 decisions on this domain's own clips.")


class SectionResult(Model):
    """One section of a machine type."""

    auc: float = Field(description="All clips of both domains; not part of the official score from 2021 on.")
    pauc: float = Field(
        description="False-positive rates up to 0.1, McClish. All clips; in 2021 the harmonic mean of both domains'."
    )
    domains: dict[str, DomainResult] = Field(description="By domain: source and target, or all.")


class Means(Model):
    """The means that the official programs print: by column (auc, pauc, precision_source ...)."""

    arithmetic: dict[str, float]
    harmonic: dict[str, float]


class MachineResult(Model):
    """One machine type: means over its sections (harmonic from 2021 on, arithmetic in 2020)."""

    auc_source: float | None = Field(description="None where the data set has no domains.")
    auc_target: float | None = Field(description="None where the data set has no domains.")
    auc: float = Field(description="All clips of both domains.")
    pauc: float = Field(description="False-positive rates up to 0.1, McClish.")
    f1: float | None = Field(description="Arithmetic mean over sections and domains, of the 0/1 decisions.")
    official_score: float = Field(description="The official score's formula over this machine's terms alone.")
    means: Means | None = Field(default=None, description="Both means of every column of the official result table.")
    sections: dict[str, SectionResult] = Field(description="By section number.")


def official_terms(machine: MachineResult) -> list[float]:
    """The terms of the official score that a machine type contributes, section by section, in order.

    ``DEFINITIONS[protocol].of_dataset({machine: terms, ...})`` of any machine types is what ``evaluate`` finds.
    """
    terms: list[float] = []
    for _, section in sorted(machine.sections.items()):
        partial = [domain.pauc for domain in section.domains.values() if domain.pauc is not None]
        for domain in section.domains.values():
            terms += [domain.auc] if domain.pauc is None else [domain.auc, domain.pauc]
        if not partial:
            terms.append(section.pauc)
    return terms


class Evaluation(Model):
    """A whole data set."""

    protocol: str = Field(description="Whose definition of the official score: dcase2020 to dcase2026.")
    official_score: float = Field(description="Over all sections of all machine types.")
    means: Means | None = Field(default=None, description="Over all sections of all machine types.")
    machines: dict[str, MachineResult] = Field(description="By machine type.")


class Intervals(Model):
    """95 % intervals. Of a section its terms of the official score; of a machine type also its means."""

    method: str = Field(description="How they were found.")
    replicates: int = Field(description="Resampled test sets; 0 for a jackknife.")
    official_score: Interval | None = Field(description="None where the method does not give it.")
    machines: dict[str, dict[str, Interval]] = Field(description="By machine type and column.")
    sections: dict[str, dict[str, dict[str, Interval]]] = Field(description="By machine type, section and term.")
