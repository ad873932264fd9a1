"""``asdbench doctor``: is everything here well?"""

import shutil
import textwrap
from dataclasses import asdict
from typing import TYPE_CHECKING

import typer

from asdbench.cli.options import RUNS, AsJson, Out
from asdbench.cli.output import echo, print_json

if TYPE_CHECKING:
    from asdbench.cli.health import Check

COLOURS = {"ok": "green", "note": "yellow", "problem": "red"}
INDENT = 21


def doctor(out: Out = RUNS, as_json: AsJson = False) -> None:
    """Look at versions, device, cache, disk, data, weights, runs and tracking; say what to do where one is not well.

    Exit code 1 when there is a problem, which keeps commands from working; notes leave it at 0.

    Example: asdbench doctor
    """
    from asdbench.cli.health import checks

    done = []
    for one in checks(out):
        done.append(one)
        if not as_json:
            _print(one)
    problems = sum(one.state == "problem" for one in done)
    if as_json:
        print_json({"well": not problems, "checks": [asdict(one) for one in done]})
    else:
        notes = sum(one.state == "note" for one in done)
        summary = "All is well." if not problems + notes else f"{problems} problems, {notes} notes."
        echo(summary, bold=True, fg="red" if problems else None)
    if problems:
        raise typer.Exit(1)


def _print(check: "Check") -> None:
    columns = max(40, min(120, shutil.get_terminal_size((120, 24)).columns))
    echo(f"{check.state:<8}", nl=False, fg=COLOURS[check.state])
    echo(f" {check.name:<11} ", nl=False, bold=True)
    lines = _wrapped(check.found, columns - INDENT)
    lines += [
        f"-> {line}" if not number else f"   {line}"
        for number, line in enumerate(_wrapped(check.advice, columns - INDENT - 3))
    ]
    echo(f"\n{' ' * INDENT}".join(lines))


def _wrapped(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, width, break_on_hyphens=False)
