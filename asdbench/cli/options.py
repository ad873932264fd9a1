"""Options that verbs share, and the types of their values. The name of an option is that of the parameter."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import click
import typer

from asdbench.cli.help import App, Verbs
from asdbench.cli.output import reserve_stdout, warn
from asdbench.core.numbers import parse_float, parse_int

if TYPE_CHECKING:
    from collections.abc import Sequence

    from click.shell_completion import CompletionItem

    from asdbench.registry import Catalog

FAR = 4096  # an upper bound from here on is there to refuse slips of the hand


class Number(click.FloatRange):
    """A finite number in a range, both ends of which are in it unless they are open."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Read plain decimals only: no ``nan``, no ``1e400``."""
        try:
            return super().convert(parse_float(value) if isinstance(value, str) else value, param, ctx)
        except ValueError as error:
            self.fail(f"{error}.", param, ctx)


class Whole(click.IntRange):
    """A whole number in a range that both ends belong to."""

    def _describe_range(self) -> str:
        """In the help: a bound that nobody meets is left out."""
        if self.max is not None and self.max < FAR:
            return super()._describe_range()
        return f"at least {self.min}" if self.min is not None else ""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Read plain digits only: no ``1_000``."""
        try:
            return super().convert(parse_int(value) if isinstance(value, str) else value, param, ctx)
        except ValueError as error:
            self.fail(f"{error}.", param, ctx)


class Named(click.ParamType):  # type: ignore[type-arg]  # generic from click 8.4 on
    """A text, for which a shell proposes names.

    Args:
        sources: keys of ``asdbench.cli.candidates.SOURCES``, or kinds of cards; "files" for paths as well.
    """

    name = "text"

    def __init__(self, *sources: str) -> None:
        self._sources = sources

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> "list[CompletionItem[str]]":
        """Names that begin so."""
        from asdbench.cli.candidates import propose

        return propose(self._sources, ctx, incomplete)


def group(summary: str) -> typer.Typer:
    """A verb with verbs below it."""
    return App(cls=Verbs, help=summary, no_args_is_help=True, suggest_commands=False)


def given(context: typer.Context) -> dict[str, Any]:
    """The options of a run file that the command line gives, by their names there."""
    from asdbench.harness.spec import RunSpec

    options = {key: value for key, value in context.params.items() if key in RunSpec.model_fields}
    options = {key: list(value) if isinstance(value, tuple) else value for key, value in options.items()}
    return {key: value for key, value in options.items() if value is not None and value is not False and value != []}


def catalog(plugin_path: "Sequence[Path] | None") -> "Catalog":
    """All cards; a warning for each that was left out."""
    from asdbench.registry import load_catalog

    found = load_catalog(plugin_path or ())
    for warning in found.warnings:
        warn(warning)
    return found


def option(metavar: str, text: str, kind: Any = None, *names: str, panel: str | None = None) -> Any:
    """An option that takes a value.

    Args:
        metavar: stands for the value in the help.
        text: of the help.
        kind: of the value.
        names: where they are not that of the parameter.
        panel: its heading in the help.
    """
    return typer.Option(*names, metavar=metavar, help=text, click_type=kind, rich_help_panel=panel)


def flag(*names_and_text: str) -> Any:
    """An option without a value: its names, then the text of the help."""
    *names, text = names_and_text
    return typer.Option(*names, help=text)


def argument(metavar: str, text: str, kind: Any = None) -> Any:
    """What stands without a name: as ``option``."""
    return typer.Argument(metavar=metavar, help=text, click_type=kind)


POSITIVE = Number(min=0, min_open=True)
RUN = Named("runs", "files")
SEED = Whole(min=0, max=2**63 - 1)
_THREADS = Whole(min=0, max=4096)

AsJson = Annotated[
    bool,
    typer.Option(
        "--json",
        callback=reserve_stdout,
        is_eager=True,
        help="One JSON object on standard output, the rest on standard error.",
    ),
]
Quiet = Annotated[bool, flag("--quiet", "-q", "No progress and no notes.")]
PluginPath = Annotated[
    list[Path] | None, option("DIR", "Folder with registry/ and modules of your own; may be repeated.")
]

# What is run.
Systems = Annotated[list[str] | None, option("NAME", "Published system; may be repeated.", Named("systems"))]
Extractors = Annotated[list[str] | None, option("NAME", "Feature extractor; may be repeated.", Named("extractors"))]
Scorers = Annotated[
    list[str] | None,
    option("NAME", "Anomaly scorer, also pyod:NAME or sklearn:NAME; may be repeated.", Named("scorers")),
]
Datasets = Annotated[
    list[str] | None,
    option(
        "NAME|DIR|TABLE",
        "A card's name, a folder of recordings, or a table of clips (CSV, Parquet); may be repeated. "
        "[default: synthetic]",
        Named("datasets", "files"),
    ),
]
Seeds = Annotated[list[int] | None, option("N", "Base seed; may be repeated. [default: 0]", SEED)]
Params = Annotated[
    list[str] | None, option("COMPONENT.PARAM=VALUE", "Set a parameter; may be repeated.", Named("params"), "-p")
]
Vary = Annotated[
    list[str] | None,
    option(
        "COMPONENT.PARAM=A,B,...",
        "A run for each value, and each combination of several --vary; A;B where values hold commas.",
        Named("params"),
        "--vary",
    ),
]
Machines = Annotated[list[str] | None, option("NAME", "Only this machine type; may be repeated.")]
Split = Annotated[str | None, option("dev|eval", "Which data of a challenge. [default: dev]")]
DataRoot = Annotated[
    Path | None, option("DIR", "Where the challenges' data lie. [default: $ASDBENCH_DATA, else the user's data folder]")
]
GroundTruth = Annotated[
    Path | None,
    option(
        "DIR|FILE",
        "Labels, where the clips' names do not say them: an official evaluator's folder, a baseline's "
        "eval_data_list_*.csv, or a table of clips.",
    ),
]
Profile = Annotated[
    str | None,
    option(
        "TEXT", "Extractor profile: auto is quick for small training sets, full the card's defaults. [default: auto]"
    ),
]
Frontend = Annotated[str | None, option("NAME", "Front end in place of the extractor's.", Named("frontends"))]
Augmentations = Annotated[
    list[str] | None,
    option("NAME", "Augmentations in place of the extractor's; may be repeated.", Named("augmentations")),
]
Config = Annotated[Path | None, option("FILE", "Run file (TOML) with the same options; the command line wins.")]


# Where the threshold comes from.
class Rate(Number):
    """A share between 0 and 1, both of which are out of it."""

    def __init__(self) -> None:
        super().__init__(min=0, max=1, min_open=True, max_open=True)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Read a fraction; of what looks like percent the error says how it is written."""
        try:
            return super().convert(value, param, ctx)
        except click.BadParameter as error:
            self.fail(f"{error.message} A share is meant: 0.05 is five of a hundred.", param, ctx)


FalseAlarms = Annotated[
    float | None, option("RATE", "Share of healthy clips that may be called anomalous; sets the threshold.", Rate())
]
Threshold = Annotated[
    str | None,
    option("gamma:Q|NUMBER", "The challenge's quantile, or a number. [default: gamma:0.9; of score: the detector's]"),
]
PerDomain = Annotated[bool, flag("--per-domain", "The rate of false alarms holds in each domain, not only over all.")]

# How and where it is run.
Device = Annotated[str | None, option("auto|cpu|cuda", "[default: auto]")]
Jobs = Annotated[int, option("N", "Threads for reading and making clips; 0 is all cores.", _THREADS, "--jobs", "-j")]
Processes = Annotated[
    int | None,
    option(
        "N",
        "Fits, runs or trials done at a time, in processes; 0: as many as cores. [default: 1, with --engine ray 0]",
        _THREADS,
        "--jobs",
        "-j",
    ),
]
Threads = Annotated[
    int | None,
    option(
        "N",
        "Threads of one training on the CPU; more are faster, and change last digits. [default: 1]",
        Whole(min=1, max=4096),
    ),
]
Engine = Annotated[
    str | None, option("local|ray", "Processes of this machine, or the Ray cluster at $RAY_ADDRESS. [default: local]")
]
GpusPerTask = Annotated[
    float | None,
    option(
        "N",
        "With --engine ray on GPUs: how much of one a fit takes, 0.25 for four fits on each. [default: 1]",
        POSITIVE,
    ),
]
Tracking = Annotated[
    str | None,
    option("mlflow|none", "Where runs are logged besides their records. [default: $ASDBENCH_TRACKING, else mlflow]"),
]

# A detector.
DetectorFile = Annotated[Path, argument("DETECTOR", "What fit wrote (.asd), or export (.onnx).")]
OneMachine = Annotated[str | None, option("NAME", "Machine type, where it knows several.")]
Section = Annotated[str | None, option("NN", "Section. [default: the first]")]

# What was run.
RUN_HELP = "latest, a system, an id or a part of one that no other has, or a folder."
RunName = Annotated[str, argument("RUN", RUN_HELP, RUN)]
Out = Annotated[Path, option("DIR", "Where the runs' folders lie.")]
RUNS = Path("runs")
Replicates = Annotated[int, option("N", "Resampled test sets of the bootstrap.", Whole(min=100, max=1_000_000))]
