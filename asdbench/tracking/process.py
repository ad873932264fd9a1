"""The sender: a process of its own that logs to MLflow what the command hands it.

It reads one JSON object a line, ``{"run": folder, "trained": [{"folder", "machines"}]}`` or ``{"study": folder}``, and
writes what became of each, ``{"folder", "sent", "reason"}``; ``{"away": reason}`` before it gives the store up; and
``{"alive": true}`` now and then. It ends when its input does and all is sent.
"""

import argparse
import json
import os
import queue
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from asdbench.tracking.reach import why_away, why_lost
from asdbench.tracking.reasons import reason_of
from asdbench.tracking.receipts import write_reason
from asdbench.tracking.store import Store, store_of

if TYPE_CHECKING:
    from asdbench.tracking.client import Client

NICE = 10  # the runs come first
EVERY_S = 0.25
# How long one request may go without an answer before the store is asked whether it is there, and how long at all:
PATIENT_S, LONGEST_S = 20.0, 300.0  # while the command has other work
IMPATIENT_S, LAST_S = 0.25, 5.0  # when it only waits for us


class Sender:
    """Sends what comes over a line.

    Args:
        store: where to.
        input_: of lines.
        output: for lines.
    """

    def __init__(self, store: Store, input_: IO[str], output: IO[str]) -> None:
        self._store = store
        self._input = input_
        self._output = output
        self._todo: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self._one_at_a_time = threading.Lock()
        self._ended = threading.Event()  # the command gives no more
        self._since: float | None = None  # when the request to the store began that is not answered yet
        self._more_s = 0.0  # how much longer than others it may take

    def work(self) -> None:
        """Until the input ends, or the store is away."""
        threading.Thread(target=self._read, daemon=True).start()
        away = why_away(self._store)
        if away is not None:
            self._give_up(away)
        threading.Thread(target=self._watch, daemon=True).start()
        client: Client | None = None
        while True:
            if client is None:  # before there is anything to send, so that it goes fast then
                client = self._connected()
            message = self._todo.get()
            if message is None:
                return
            folder = Path(message.get("run") or message["study"])
            try:
                assert client is not None, self._refused
                outcome = _send(client, message)
            except Exception as error:  # of MLflow, its drivers, the disk: a run is never lost by it
                reason = self._why(error)
                with suppress(Exception):
                    write_reason(folder, self._store, reason)
                self._say(folder=str(folder), sent=False, reason=reason)
            else:
                self._say(folder=str(folder), sent=outcome == "sent")

    _refused = ""

    def _connected(self) -> "Client | None":
        from asdbench.tracking.client import Client

        try:
            return Client(self._store, self._note)
        except Exception as error:
            self._refused = self._why(error)
            return None

    def _note(self, more_s: float | None) -> None:
        """A request begins, or (None) has ended."""
        self._more_s = more_s or 0.0
        self._since = None if more_s is None else time.monotonic()

    def _why(self, error: Exception) -> str:
        """The reason in one line without credentials; gives up where the store has gone.

        While the command has other work a store that is there, but slow or locked, may come round.
        """
        lost = why_lost(self._store, error) if self._ended.is_set() else why_away(self._store)
        if lost is not None:
            self._give_up(lost)
        return reason_of(error, self._store)

    def _give_up(self, reason: str) -> None:
        self._say(away=reason)
        os._exit(0)  # a request that is never answered cannot be called back

    def _watch(self) -> None:
        """Say that we live; and find out when a store takes a request and never answers."""
        while True:
            time.sleep(EVERY_S)
            self._say(alive=True)
            since = self._since
            if since is None:
                continue
            patience, longest = (IMPATIENT_S, LAST_S) if self._ended.is_set() else (PATIENT_S, LONGEST_S)
            longest += self._more_s
            lasts_s = time.monotonic() - since
            if lasts_s > longest and self._since == since:
                self._give_up(f"{self._store.shown} took more than {longest:.0f} s for one request")
            if lasts_s > patience:
                away = why_away(self._store)
                if away is not None and self._since == since:
                    self._give_up(away)

    def _read(self) -> None:
        for line in self._input:
            with suppress(ValueError):
                self._todo.put(json.loads(line))
        self._ended.set()
        self._todo.put(None)

    def _say(self, **message: Any) -> None:
        """Tell the command; one that was killed hears nothing, and the work goes on."""
        with self._one_at_a_time, suppress(OSError, ValueError):
            print(json.dumps(message), file=self._output, flush=True)


def _send(client: "Client", message: Mapping[str, Any]) -> str:
    from asdbench.tracking.sending import send_run

    if "study" in message:
        from asdbench.tracking.study_sending import send_study

        return send_study(client, Path(message["study"])).outcome
    trained = partial(_trained, message.get("trained", ()))
    return send_run(client, Path(message["run"]), trained).outcome


def _trained(given: Sequence[Mapping[str, Any]]) -> dict[Path, list[str]]:
    return {Path(one["folder"]): list(one["machines"]) for one in given}


def main() -> None:
    """Entry point: ``python -m asdbench.tracking.process --out DIR``."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", type=Path, required=True)
    out: Path = parser.parse_args().out
    # What libraries print must not get between the lines.
    output = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    with suppress(OSError, AttributeError):
        os.nice(NICE)
    Sender(store_of(out), sys.stdin, output).work()
    output.flush()
    os._exit(0)  # without the seconds that interpreters with many libraries take to leave


if __name__ == "__main__":
    main()
