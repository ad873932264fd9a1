"""What a card may say. One pydantic model for each kind of card; unknown keys are refused."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from asdbench.core.numbers import is_finite

Scalar = bool | int | float | str
Value = Scalar | list[str] | None
ParamType = Literal["bool", "int", "float", "str", "strings", "any"]

_TYPE_OF = {bool: "bool", int: "int", float: "float", str: "str", list: "strings"}
_ACCEPTED = {
    "bool": "true or false",
    "int": "a whole number",
    "float": "a number",
    "str": "a text",
    "strings": "a comma-separated list",
    "any": "a value",
}


class Model(BaseModel):
    """Base of all card models: frozen, and strict about unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Tune(Model):
    """Search space of one parameter for Optuna: a range, or choices; those of a list are comma-separated texts."""

    low: float | None = None
    high: float | None = None
    log: bool = False
    step: float | None = None
    choices: tuple[Scalar, ...] | None = None

    @model_validator(mode="after")
    def _one_space(self) -> "Tune":
        if (self.choices is None) == (self.low is None or self.high is None):
            raise ValueError("a search space is either 'low' and 'high', or 'choices'")
        if self.choices is None and not self.low <= self.high:  # type: ignore[operator]
            raise ValueError(f"low is {self.low:g}, above high, {self.high:g}")
        if self.log and (self.choices is not None or self.step is not None or self.low <= 0):  # type: ignore[operator]
            raise ValueError("log goes with a range that begins above 0 and has no step")
        return self

    def as_text(self) -> str:
        """As ``asdbench tune --space`` takes it: ``0.02:0.5:log``, or ``64,128``; semicolons stand between lists."""
        if self.choices is not None:
            texts = [f"{choice:g}" if type(choice) is float else str(choice) for choice in self.choices]
            return (";" if any("," in text for text in texts) else ",").join(texts)
        more = ":log" if self.log else f":{self.step:g}" if self.step is not None else ""
        return f"{self.low:g}:{self.high:g}{more}"


class Param(Model):
    """One parameter: default, what it may be, and one line of help.

    One that ``replaces`` another is back at its neutral value, or the default where it has none, when only the other is
    set by hand. One that affects "embed" only says how a fitted extractor is read: setting it needs no new fit.
    ``neutral`` is the value of a parameter that came later at which all is as it was without it: there it is no part of
    the identity. The value of a ``file`` is a path, or several: the file has to be there, and counts by its content. It
    may be a ``folder`` instead where the card names the files in it that are read; it counts by theirs.
    """

    default: Value = None
    type: ParamType = "any"
    range: tuple[float, float] | None = None
    choices: tuple[Scalar, ...] | None = None
    tune: Tune | None = None
    replaces: str | None = None
    affects: Literal["fit", "embed"] = "fit"
    neutral: Value = None
    file: bool = False
    folder: tuple[str, ...] = ()
    help: str = ""

    @model_validator(mode="before")
    @classmethod
    def _type_from_default(cls, data: Any) -> Any:
        if isinstance(data, dict) and "type" not in data:
            data = {**data, "type": _TYPE_OF.get(type(data.get("default")), "any")}
        return data

    @model_validator(mode="after")
    def _default_is_allowed(self) -> "Param":
        self.check(self.default)
        if self.file and self.type not in ("str", "strings"):
            raise ValueError(f"a file is a text or a list of texts, not {self.default!r}")
        if self.neutral is not None:
            self.check(self.neutral)
        if self.tune is not None:
            for value in self.tune.choices or (self.tune.low, self.tune.high):
                self.check(self.tunable(value))
        return self

    def is_neutral(self, value: Value) -> bool:
        """Whether all is as without the parameter."""
        return self.neutral is not None and value == self.neutral

    def tunable(self, value: Any) -> Value:
        """A value of the search space in the parameter's type: lists are tuned over as comma-separated texts."""
        if self.type == "strings" and isinstance(value, str):
            return [item.strip() for item in value.split(",") if item.strip()]
        if self.type == "int" and isinstance(value, float) and value.is_integer():
            return int(value)
        return value  # type: ignore[no-any-return]

    def accepts(self) -> str:
        """What the parameter takes, for people: ``a number from 0.01 to 1``."""
        several = "a comma-separated list of " if self.type == "strings" else ""
        if self.choices is not None:
            return (several or "one of ") + " | ".join(map(str, self.choices))
        if self.file:
            one = f"a file, or a folder with {self.folder[0]}" if self.folder else "a file"
            return f"{several}files" if several else one
        limits = f" from {self.range[0]:g} to {self.range[1]:g}" if self.range else ""
        return _ACCEPTED[self.type] + limits

    def check(self, value: Value) -> Value:
        """Return ``value`` in the parameter's type.

        Raises:
            ValueError: it has another type or lies outside range or choices.
        """
        if self.type == "float" and type(value) is int:
            value = float(value)
        if self.type == "str" and type(value) is int and str(value) in (self.choices or ()):
            value = str(value)  # channel 0, say, beside "mean"
        items = value if isinstance(value, list) else [value]
        allowed = (
            is_finite(value)  # TOML knows nan and inf
            and (self.type == "any" or _TYPE_OF.get(type(value)) == self.type)
            and (self.range is None or self.type == "any" or self.range[0] <= float(value) <= self.range[1])  # type: ignore[arg-type]
            and (self.choices is None or self.type == "any" or (items and all(item in self.choices for item in items)))
        )
        if not allowed:
            raise ValueError(f"takes {self.accepts()}, not {value!r}")
        return value


class Citation(Model):
    """Where a thing was published."""

    title: str
    authors: str = ""
    venue: str = ""
    year: Annotated[int, Field(ge=1900, le=2100)] | None = None
    url: Annotated[str, Field(pattern=r"^https?://[\w.-]+\.\w+(/\S*)?$")] | None = None


class AnyCard(Model):
    """What every card says: what the thing is, and where it was published."""

    summary: str
    description: str = ""
    cite: tuple[Citation, ...] = ()


class Card(AnyCard):
    """A declared thing: the Python object that implements it, and its parameters.

    ``libraries`` names the packages whose code decides the numbers, by which a component counts as another one after
    an update; ``weights`` is a function that takes the parameters and gives the digest of downloaded weights that
    they name, or None.
    """

    target: Annotated[str, Field(pattern=r"^[\w.]+:\w+$")]
    version: Annotated[int, Field(ge=1)]
    libraries: tuple[str, ...] = ()
    weights: Annotated[str, Field(pattern=r"^([\w.]+:\w+)?$")] = ""
    params: dict[str, Param] = {}
    variants: dict[str, dict[str, Value]] = {}
    profiles: dict[str, dict[str, Value]] = {}

    @model_validator(mode="after")
    def _variants_and_profiles_fit(self) -> "Card":
        for name, param in self.params.items():
            if param.replaces is not None and param.replaces not in self.params:
                raise ValueError(f"params.{name}.replaces names '{param.replaces}', which is no parameter of this card")
        for kind, groups in (("variants", self.variants), ("profiles", self.profiles)):
            for group, values in groups.items():
                for name, value in values.items():
                    if name == "summary" and kind == "variants":
                        continue
                    if name not in self.params:
                        raise ValueError(f"{kind}.{group} sets '{name}', which is no parameter of this card")
                    try:
                        self.params[name].check(value)
                    except ValueError as error:
                        raise ValueError(f"{kind}.{group}.{name} {error}") from error
        return self


class DatasetCard(Card):
    """A data set that asdbench can make by name."""


class FrontendCard(Card):
    """A time-frequency front end.

    ``by_name`` says that it looks features up by the recordings' names: what it gives is cached by name.
    """

    by_name: bool = False


class AugmentationCard(Card):
    """An augmentation of waveforms or of spectrograms."""


class WeightsFile(Model):
    """A file of published weights."""

    file: Annotated[str, Field(pattern=r"^\w[\w.-]*$")]
    # Where it is had; None where no address is known that can be relied on
    url: Annotated[str, Field(pattern=r"^https?://[^/\s]+/\S+$")] | None = None
    size: Annotated[int, Field(gt=0)] | None = None  # bytes, where known
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None  # where known


class PublishedWeights(Model):
    """Weights that ``asdbench weights get`` brings, one file or a folder of several."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.-]*$")]
    licence: str
    page: Annotated[str, Field(pattern=r"^https?://[^/\s]+/\S+$")]  # of those who publish them
    files: Annotated[tuple[WeightsFile, ...], Field(min_length=1)]
    note: str = ""  # what the user should know, for instance that it is another's copy
    # The package in whose wheel they lie, as pip takes it; the wheel is the file
    pip: Annotated[str, Field(pattern=r"^[\w.-]+==[\w.]+$")] | None = None


class ExtractorCard(Card):
    """A feature extractor.

    ``fit_on`` says whether it is fitted once over all machine types ("dataset"), once for each on its own clips
    ("machine"), or once for each with the training clips of the others at hand ("machine-among-others"). ``downloads``
    are weights that others published for it. One that is ``untrained`` neither learns nor draws anything, so that all
    seeds share its embeddings.
    """

    fit_on: Literal["dataset", "machine", "machine-among-others"]
    untrained: bool = False
    downloads: tuple[PublishedWeights, ...] = ()
    frontend: str = "log-mel"
    augmentations: tuple[str, ...] = ()


class ScorerCard(Card):
    """An anomaly scorer.

    ``fit_on`` says on whose training clips one is fitted; ``of_members`` that it makes sense of the scores of an
    ensemble's members alone, and follows no other extractor; ``chance`` that its scores are drawn and say nothing.
    """

    fit_on: Literal["machine", "section"] = "section"
    of_members: bool = False
    chance: bool = False


class StepCard(Card):
    """A step around a scorer: changes the embeddings that it sees, or how it is fitted and its scores are read."""
