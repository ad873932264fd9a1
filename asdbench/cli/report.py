"""``asdbench report``: one HTML file about one run."""

from pathlib import Path
from typing import Annotated

import typer

from asdbench.cli.numbers import Whole
from asdbench.cli.options import DataRoot, PluginPath
from asdbench.cli.output import echo

MAPS = ("pca", "umap", "none", "auto")


def report(
    run: Annotated[str, typer.Argument(metavar="RUN", help="Run id, the beginning of one, or a folder.")],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where the runs' folders lie.")] = Path("runs"),
    to: Annotated[
        Path | None,
        typer.Option("--to", metavar="FILE.html", help="File to write. [default: report.html in the run's folder]"),
    ] = None,
    ground_truth: Annotated[
        Path | None,
        typer.Option("--ground-truth", metavar="DIR|FILE", help="Labels, where the clips' names do not tell them."),
    ] = None,
    machine: Annotated[
        list[str] | None, typer.Option("--machine", metavar="NAME", help="Show this machine type; may be repeated.")
    ] = None,
    worst: Annotated[
        int,
        typer.Option(
            "--worst", click_type=Whole(min=0, max=50), help="False alarms and misses of each machine type to look at."
        ),
    ] = 3,
    embedding_map: Annotated[
        str,
        typer.Option(
            "--embedding-map",
            metavar="|".join(MAPS),
            help="How embeddings are brought into a plane; auto is UMAP where it is installed.",
        ),
    ] = "pca",
    audio: Annotated[
        bool, typer.Option("--audio", help="Put the sound of those clips into the file as well: large, and readable.")
    ] = False,
    data_root: DataRoot = None,
    plugin_path: PluginPath = None,
) -> None:
    """Write one HTML file about a run: ROC, scores and thresholds, embedding maps, worst mistakes, training.

    The file holds everything and asks the network for nothing. Where recordings or the cache are gone, it says what
    brings their pictures back.
    """
    from asdbench.core.errors import UsageError
    from asdbench.harness.record import load_record
    from asdbench.harness.store import find_run, verify_score_files
    from asdbench.report import write_report

    if embedding_map not in MAPS:
        raise UsageError(f"--embedding-map {embedding_map}: accepted are {', '.join(MAPS)}.")
    folder = find_run(run, out)
    for problem in verify_score_files(folder, load_record(folder)):
        echo(f"warning: {problem}; the report says so", fg="yellow", err=True)
    path = write_report(
        folder,
        to=to,
        ground_truth=ground_truth,
        machines=machine or (),
        worst=worst,
        embedding_map=embedding_map,  # type: ignore[arg-type]
        audio=audio,
        data_root=data_root,
        plugin_path=plugin_path or (),
    )
    echo(path)
