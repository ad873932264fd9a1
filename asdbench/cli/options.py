"""Options that several verbs share."""

from pathlib import Path
from typing import Annotated

import typer

from asdbench.cli.numbers import THREADS, Number, Whole
from asdbench.cli.output import reserve_stdout

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
Jobs = Annotated[
    int,
    typer.Option(
        "--jobs",
        "-j",
        click_type=Whole(min=0, max=THREADS),
        help="Threads for decoding and making clips; 0 is all cores.",
    ),
]
Split = Annotated[
    str | None, typer.Option("--split", metavar="dev|eval", help="Which data of a challenge. [default: dev]")
]
DataRoot = Annotated[
    Path | None,
    typer.Option(
        "--data-root",
        metavar="DIR",
        help="Where the challenges' data lie. [default: $ASDBENCH_DATA, else the user's data folder]",
    ),
]
PluginPath = Annotated[
    list[Path] | None,
    typer.Option(
        "--plugin-path", metavar="DIR", help="Folder with registry/ and modules of your own; may be repeated."
    ),
]
Machine = Annotated[
    list[str] | None, typer.Option("--machine", metavar="NAME", help="Only this machine type; may be repeated.")
]
Profile = Annotated[
    str | None,
    typer.Option(
        "--profile",
        help="Extractor profile: auto is quick for small training sets, full the card's defaults. [default: auto]",
    ),
]
Frontend = Annotated[
    str | None, typer.Option("--frontend", metavar="NAME", help="Front end in place of the extractor's own.")
]
Augmentation = Annotated[
    list[str] | None,
    typer.Option(
        "--augmentation", metavar="NAME", help="Augmentations in place of the extractor's own; may be repeated."
    ),
]
Device = Annotated[str | None, typer.Option("--device", metavar="auto|cpu|cuda", help="[default: auto]")]
Engine = Annotated[
    str | None,
    typer.Option(
        "--engine",
        metavar="local|ray",
        help="Processes of this machine, or the Ray cluster at $RAY_ADDRESS. [default: local]",
    ),
]
Artifacts = Annotated[
    str | None,
    typer.Option(
        "--artifacts",
        metavar="URL",
        help="With --engine ray, where nodes share no folder: an address (s3://...) for what they hand to each other.",
    ),
]
GpusPerTask = Annotated[
    float | None,
    typer.Option(
        "--gpus-per-task",
        metavar="N",
        click_type=Number(min=0, min_open=True),
        help="With --engine ray on GPUs: how much of one a fit takes, 0.25 for four fits on each. [default: 1]",
    ),
]
Threads = Annotated[
    int | None,
    typer.Option(
        "--threads",
        click_type=Whole(min=1, max=THREADS),
        help="Threads of one training on the CPU; more are faster, and change last digits. [default: 1]",
    ),
]
