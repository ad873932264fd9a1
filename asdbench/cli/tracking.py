"""How ``run`` and ``tune`` track: a sender for the time of the command, and what is said at its end."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from asdbench.cli.progress import ConsoleProgress
    from asdbench.harness import Plan
    from asdbench.tracking.link import Link, Nowhere

Tracking = Annotated[
    str | None,
    typer.Option(
        "--tracking",
        metavar="mlflow|none",
        help="Where runs are logged besides their records. [default: $ASDBENCH_TRACKING, else mlflow]",
    ),
]


@contextmanager
def tracked(out: Path, tracking: str, progress: "ConsoleProgress", *, warm: bool = False) -> "Iterator[Link | Nowhere]":
    """Yield what takes folders: ``send.run(folder, trained)``, ``send.study(folder)``. Neither waits nor fails.

    At the end the sender is waited for while it gets on, and what was not sent is told.

    Args:
        out: folder of the runs; the default store lies in it.
        tracking: "mlflow" or "none".
        progress: of the command.
        warm: start the sender at once, because there will be something to send.
    """
    from asdbench.tracking.link import Link, Nowhere
    from asdbench.tracking.store import store_of

    if tracking == "none":
        yield Nowhere()
        return
    link = Link(store_of(out), out)
    if warm:
        link.start()
    try:
        yield link
    except BaseException:
        link.drop()
        raise
    link.finish(progress)
    if link.missing:
        what = "1 was" if link.missing == 1 else f"{link.missing} were"
        reasons = "; ".join(dict.fromkeys(link.failed.values()))
        where = "" if out == Path("runs") else f" --out {out}"
        progress.note(f"tracking: {what} not sent: {reasons}. Later: asdbench track sync{where}")


def will_send(plan: "Plan") -> bool:
    """Whether a run of the plan is not in the store yet, as far as can be told before it is done."""
    from asdbench.tracking.receipts import run_is_sent
    from asdbench.tracking.store import store_of

    spec = plan.spec
    if spec.tracking == "none":
        return False
    store = store_of(spec.out)
    return spec.fresh or not all(run_is_sent(spec.out / cell.run_id, store) for cell in plan.cells)


def trained_of(plan: "Plan", run_id: str) -> dict[Path, list[str]]:
    """Folders of a run's trained extractors, and the machine types that share each."""
    from asdbench.harness.fits import Fit

    cell = next(cell for cell in plan.cells if cell.run_id == run_id)
    return {Fit(cell, group, plan.cache).trained: group for group in cell.groups if not cell.members}


def tracking_of(folder: Path, out: Path, tracking: str = "mlflow") -> dict[str, Any] | None:
    """Where a run was sent, or why it was not, for --json; None without tracking."""
    from asdbench.tracking.receipts import read_receipt
    from asdbench.tracking.store import store_of

    if tracking == "none":
        return None
    store = store_of(out)
    found = read_receipt(folder, store)
    return {
        "store": store.shown,
        "experiment": found.experiment,
        "run": found.mlflow_run,
        "sent_at": found.sent_at,
        "reason": found.reason,
    }


def tracking_lines(folder: Path) -> Iterator[str]:
    """For people: each store that a run was sent to, or why it was not."""
    from asdbench.tracking.receipts import read_receipts

    for store, found in read_receipts(folder).stores.items():
        if found.sent_at:
            yield f"tracked in {store}, experiment {found.experiment}, run {found.mlflow_run}"
        if found.reason:
            yield f"not sent to {store}: {found.reason}"
