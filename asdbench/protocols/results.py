"""What an evaluation came to. All scores are fractions, not percent."""

from pydantic import BaseModel, ConfigDict, Field


class Result(BaseModel):
    """Base of all results."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class DomainResult(Result):
    """One domain of a section; in 2020 there is one, "all"."""

    auc: float = Field(description="Normals of this domain against anomalies of both.")
    normal: int = Field(description="Normal test clips of this domain.")
    anomaly: int = Field(description="Anomalous test clips of this domain.")
    precision: float = Field(description="Of the 0/1 decisions on this domain's own clips.")
    recall: float = Field(description="Of the 0/1 decisions on this domain's own clips.")
    f1: float = Field(description="Of the 0/1 decisions on this domain's own clips.")


class SectionResult(Result):
    """One section of a machine type."""

    auc: float = Field(description="All clips of both domains; not part of the official score from 2022 on.")
    pauc: float = Field(description="All clips; false-positive rates up to 0.1, McClish.")
    domains: dict[str, DomainResult] = Field(description="By domain: source and target, or all.")


class MachineResult(Result):
    """One machine type: means over its sections (harmonic from 2022 on, arithmetic in 2020)."""

    auc_source: float | None = Field(description="None where the data set has no domains.")
    auc_target: float | None = Field(description="None where the data set has no domains.")
    auc: float = Field(description="All clips of both domains.")
    pauc: float = Field(description="All clips; false-positive rates up to 0.1, McClish.")
    f1: float = Field(description="Arithmetic mean over sections and domains, of the 0/1 decisions.")
    official_score: float = Field(description="The official score's formula over this machine's terms alone.")
    sections: dict[str, SectionResult] = Field(description="By section number.")


class Evaluation(Result):
    """A whole data set."""

    protocol: str = Field(description="Whose definition of the official score: dcase2020, dcase2023.")
    official_score: float = Field(description="Over all sections of all machine types.")
    machines: dict[str, MachineResult] = Field(description="By machine type.")
