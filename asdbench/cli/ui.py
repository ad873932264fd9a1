"""``asdbench ui``: MLflow's page on the store that the runs are in."""

from typing import Annotated

import typer

from asdbench.cli.options import RUNS, Out, Whole, flag, option
from asdbench.cli.output import echo
from asdbench.core.commands import command
from asdbench.core.errors import RequirementError, UsageError


def ui(
    out: Out = RUNS,
    port: Annotated[
        int | None,
        option("N", "Port on this machine. [default: the first free one from 5000]", Whole(min=1, max=65535)),
    ] = None,
    browser: Annotated[bool, flag("--browser/--no-browser", "Open a browser on it.")] = True,
) -> None:
    """Open the MLflow UI on the store of the runs: MLFLOW_TRACKING_URI, else mlflow.db in the folder of runs.

    It opens at the experiment of the last run, sorted by the official score, with machine types in columns.

    A database gets a server on this machine alone, which ends with Ctrl-C or with the terminal; of a server the
    address is opened.

    Example: asdbench ui --no-browser
    """
    from asdbench.core.uris import page_address
    from asdbench.tracking.store import store_of, why_away
    from asdbench.tracking.ui import opening_page, served

    store = store_of(out)
    away = why_away(store)
    if away is not None:
        raise RequirementError(f"{away}.\nStart it, or name another store: MLFLOW_TRACKING_URI.")
    if store.file is not None and not store.file.is_file():
        sync = command("track sync", out=out)
        raise RequirementError(f"There is no {store.file}: nothing was logged yet.\nFirst: {sync}")
    if store.is_server:
        if port is not None:
            raise UsageError(f"--port {port}: {store.shown} is a server already; it is only opened.")
        echo(store.shown)
        if browser:
            typer.launch(opening_page(page_address(store.uri)))
        return
    if store.file is None and not store.uri.startswith(("postgresql", "mysql", "mssql")):
        raise UsageError(f"{store.shown}: no page can be opened on such a store. Accepted: a database or a server.")
    echo(f"{store.shown} ...", dim=True, err=True)
    try:
        with served(store, port) as (address, wait):
            page = opening_page(address)
            echo(page)
            echo("Ctrl-C ends it.", dim=True, err=True)
            if browser:
                typer.launch(page)
            wait()
    except KeyboardInterrupt:
        return
