"""Options that several verbs share."""

from pathlib import Path
from typing import Annotated

import typer

AsJson = Annotated[bool, typer.Option("--json", help="One JSON object on standard output, the rest on standard error.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress and no notes.")]
Jobs = Annotated[
    int, typer.Option("--jobs", "-j", min=0, help="Threads for decoding and making clips; 0 is all cores.")
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
