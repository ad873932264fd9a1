"""How ``run`` and ``tune`` track: a process beside the command, and one line at its end."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from asdbench.core.progress import Progress
from asdbench.harness.spec import RunSpec
from asdbench.tracking.background import start
from asdbench.tracking.marks import files_of, is_sent, read_mark, read_marks
from asdbench.tracking.store import Store, store_of

WAIT_S = 2.0  # at the end of a command


@contextmanager
def tracked(spec: RunSpec, folders: Sequence[Path], progress: Progress, *, new: bool = False) -> Iterator[None]:
    """Log what comes to lie in the folders, in a process that neither delays nor fails the command.

    The end of it is awaited for two seconds at most, and a note says what is not sent by then.

    Args:
        spec: out, tracking, data_root and plugin_path are used.
        folders: of runs and studies; they need not be there yet.
        progress: of the command.
        new: there will be something to send, though all that is there was sent.
    """
    if spec.tracking == "none":
        yield
        return
    store = store_of(spec.out)
    task = (spec.out, folders, spec.data_root, spec.plugin_path)
    sender, failure = None, ""
    if new or not all(is_sent(folder, store) for folder in folders):
        sender, failure = start(*task)
    try:
        yield
        unsent = [folder for folder in folders if files_of(folder) and not is_sent(folder, store)]
        if unsent and sender is None and not failure:  # something that was added to a run that was sent before
            sender, failure = start(*task)
    finally:
        if sender is not None:
            sender.close()
    ended = True
    if unsent and sender is not None:
        ended = sender.close(WAIT_S)
        unsent = [folder for folder in unsent if not is_sent(folder, store)]
        failure = sender.last_line() if ended else ""
    if unsent:
        progress.note(_unsent_line(unsent, store, spec.out, ended, failure))


def _unsent_line(folders: Sequence[Path], store: Store, out: Path, ended: bool, failure: str) -> str:
    where = "" if out == Path("runs") else f" --out {out}"
    count = f"{len(folders)} {'is' if len(folders) == 1 else 'are'}"
    if not ended:
        return f"tracking: {count} still being sent to {store.shown} in the background: asdbench track status{where}"
    reasons = "; ".join(dict.fromkeys(filter(None, (read_mark(folder, store).reason for folder in folders))))
    reason = reasons or store.scrubbed(failure) or "the process that sends ended"
    return f"tracking: {count} not sent: {reason}. Later: asdbench track sync{where}"


def tracking_of(folder: Path, out: Path, tracking: str = "mlflow") -> dict[str, Any] | None:
    """Where a run was sent, or why it was not, for --json; None without tracking."""
    if tracking == "none":
        return None
    store = store_of(out)
    mark = read_mark(folder, store)
    if not is_sent(folder, store):
        reason = mark.reason or "not sent yet; see asdbench track status"
        return {"store": store.shown, "run": None, "experiment": None, "sent_at": None, "reason": reason}
    return {
        "store": store.shown,
        "run": mark.mlflow_run,
        **mark.model_dump(include={"experiment", "sent_at", "reason"}),
    }


def tracking_lines(folder: Path) -> Iterator[str]:
    """For people: each store that a run was sent to, or why it was not."""
    for store, mark in read_marks(folder).items():
        if mark.sent_at:
            yield f"tracked in {store}, experiment {mark.experiment}, run {mark.mlflow_run}"
        if mark.reason:
            yield f"not sent to {store}: {mark.reason}"
