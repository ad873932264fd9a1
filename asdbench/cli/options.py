"""Options that verbs share, and the types of their values. The name of an option is that of the parameter."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import click
import typer

from asdbench.cli.help import App, Verbs
from asdbench.cli.output import reserve_stdout
from asdbench.core.numbers import parse_float, parse_int

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

FAR = 4096  # an upper bound from here on is there to refuse slips of the hand


class Number(click.FloatRange):
    """A finite number in a range, both ends of which are in it unless they are open."""

    def get_metavar(self, *_: Any, **__: Any) -> str:
        """The word that stands for it in the help."""
        return "X"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Read plain decimals only: no ``nan``, no ``1e400``."""
        try:
            return super().convert(parse_float(value) if isinstance(value, str) else value, param, ctx)
        except ValueError as error:
            self.fail(f"{error}.", param, ctx)


class Whole(click.IntRange):
    """A whole number in a range that both ends belong to."""

    def get_metavar(self, *_: Any, **__: Any) -> str:
        """The word that stands for it in the help."""
        return "N"

    def _describe_range(self) -> str:
        """In the help: a bound that nobody meets is left out."""
        if self.max is not None and self.max < FAR:
            return super()._describe_range()
        return f"at least {self.min}" if self.min else ""

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
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress and no notes.")]
PluginPath = Annotated[
    list[Path] | None,
    typer.Option(metavar="DIR", help="Folder with registry/ and modules of your own; may be repeated."),
]

# What is run.
Systems = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME", click_type=Named("systems"), help="Published system; may be repeated."),
]
Extractors = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME", click_type=Named("extractors"), help="Feature extractor; may be repeated."),
]
Scorers = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME",
        click_type=Named("scorers"),
        help="Anomaly scorer, also pyod:NAME or sklearn:NAME; may be repeated.",
    ),
]
Datasets = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME|DIR|TABLE",
        click_type=Named("datasets", "files"),
        help="A card's name, a folder of recordings, or a table of clips (CSV, Parquet); may be repeated. "
        "[default: synthetic]",
    ),
]
Seeds = Annotated[
    list[int] | None,
    typer.Option(click_type=Whole(min=0, max=2**63 - 1), help="Base seed; may be repeated. [default: 0]"),
]
Params = Annotated[
    list[str] | None,
    typer.Option(
        "-p", metavar="COMPONENT.PARAM=VALUE", click_type=Named("params"), help="Set a parameter; may be repeated."
    ),
]
Vary = Annotated[
    list[str] | None,
    typer.Option(
        "--vary",
        metavar="COMPONENT.PARAM=A,B,...",
        click_type=Named("params"),
        help="A run for each value, and each combination of several --vary; A;B where values hold commas.",
    ),
]
Machines = Annotated[list[str] | None, typer.Option(metavar="NAME", help="Only this machine type; may be repeated.")]
Split = Annotated[str | None, typer.Option(metavar="dev|eval", help="Which data of a challenge. [default: dev]")]
DataRoot = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR", help="Where the challenges' data lie. [default: $ASDBENCH_DATA, else the user's data folder]"
    ),
]
GroundTruth = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR|FILE",
        help="Labels, where the clips' names do not say them: an official evaluator's folder, a baseline's "
        "eval_data_list_*.csv, or a table of clips.",
    ),
]
Profile = Annotated[
    str | None,
    typer.Option(
        help="Extractor profile: auto is quick for small training sets, full the card's defaults. [default: auto]"
    ),
]
Frontend = Annotated[
    str | None,
    typer.Option(metavar="NAME", click_type=Named("frontends"), help="Front end in place of the extractor's."),
]
Augmentations = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME",
        click_type=Named("augmentations"),
        help="Augmentations in place of the extractor's; may be repeated.",
    ),
]
Config = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Run file (TOML) with the same options; the command line wins.")
]


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
    float | None,
    typer.Option(
        metavar="RATE",
        click_type=Rate(),
        help="Share of healthy clips that may be called anomalous; sets the threshold.",
    ),
]
Threshold = Annotated[
    str | None,
    typer.Option(
        metavar="gamma:Q|NUMBER",
        help="The challenge's quantile, or a number. [default: gamma:0.9; of score: the detector's]",
    ),
]
PerDomain = Annotated[
    bool, typer.Option("--per-domain", help="The rate of false alarms holds in each domain, not only over all.")
]

# How and where it is run.
Device = Annotated[str | None, typer.Option(metavar="auto|cpu|cuda", help="[default: auto]")]
Jobs = Annotated[
    int, typer.Option("--jobs", "-j", click_type=_THREADS, help="Threads for reading and making clips; 0 is all cores.")
]
Processes = Annotated[
    int | None,
    typer.Option(
        "--jobs",
        "-j",
        click_type=_THREADS,
        help="Fits, runs or trials done at a time, in processes; 0: as many as cores. "
        "[default: 1, with --engine ray 0]",
    ),
]
Threads = Annotated[
    int | None,
    typer.Option(
        click_type=Whole(min=1, max=4096),
        help="Threads of one training on the CPU; more are faster, and change last digits. [default: 1]",
    ),
]
Engine = Annotated[
    str | None,
    typer.Option(
        metavar="local|ray", help="Processes of this machine, or the Ray cluster at $RAY_ADDRESS. [default: local]"
    ),
]
GpusPerTask = Annotated[
    float | None,
    typer.Option(
        metavar="N",
        click_type=Number(min=0, min_open=True),
        help="With --engine ray on GPUs: how much of one a fit takes, 0.25 for four fits on each. [default: 1]",
    ),
]
Tracking = Annotated[
    str | None,
    typer.Option(
        metavar="mlflow|none",
        help="Where runs are logged besides their records. [default: $ASDBENCH_TRACKING, else mlflow]",
    ),
]

# What was run.
RUN_HELP = "latest, a system, an id or a part of one that no other has, or a folder."
RunName = Annotated[str, typer.Argument(metavar="RUN", click_type=Named("runs", "files"), help=RUN_HELP)]
Out = Annotated[Path, typer.Option(metavar="DIR", help="Where the runs' folders lie.")]
RUNS = Path("runs")
Replicates = Annotated[
    int, typer.Option(click_type=Whole(min=100, max=1_000_000), help="Resampled test sets of the bootstrap.")
]
