"""``asdbench report``: one HTML file about one run."""

from pathlib import Path
from typing import Annotated

from asdbench.cli.options import RUNS, DataRoot, GroundTruth, Machines, Out, PluginPath, RunName, Whole, flag, option
from asdbench.cli.output import begin, echo, warn
from asdbench.core.errors import UsageError

MAPS = ("pca", "umap", "none", "auto")


def report(
    run: RunName,
    out: Out = RUNS,
    to: Annotated[Path | None, option("FILE.html", "File to write. [default: report.html in the run's folder]")] = None,
    ground_truth: GroundTruth = None,
    machine: Machines = None,
    worst: Annotated[int, option("N", "False alarms and misses shown of each machine type.", Whole(min=0, max=50))] = 3,
    embedding_map: Annotated[
        str, option("|".join(MAPS), "Projection of embeddings; auto is UMAP where it is installed.")
    ] = "pca",
    audio: Annotated[
        bool, flag("--audio", "Put the sound of those clips into the file as well: large, and readable.")
    ] = False,
    explain: Annotated[
        int, option("N", "Most suspicious clips explained of each machine type.", Whole(min=0, max=50))
    ] = 1,
    data_root: DataRoot = None,
    plugin_path: PluginPath = None,
) -> None:
    """Write one HTML file about a run: ROC, scores and thresholds, embedding maps, worst mistakes and why, training.

    The file holds everything and asks the network for nothing. Where recordings or the cache are gone, it says what
    brings their pictures back.

    Example: asdbench report latest
    """
    begin(f"Writing the report of {run}")
    from asdbench.harness.record import load_record
    from asdbench.harness.run_names import find_run
    from asdbench.harness.store import verify_score_files
    from asdbench.report import write_report

    if embedding_map not in MAPS:
        raise UsageError(f"--embedding-map {embedding_map}: accepted are {', '.join(MAPS)}.")
    folder = find_run(run, out)
    for problem in verify_score_files(folder, load_record(folder)):
        warn(f"{problem}; the report says so")
    path = write_report(
        folder,
        to=to,
        ground_truth=ground_truth,
        machines=machine or (),
        worst=worst,
        embedding_map=embedding_map,  # type: ignore[arg-type]
        audio=audio,
        explain=explain,
        data_root=data_root,
        plugin_path=plugin_path or (),
    )
    echo(path)
