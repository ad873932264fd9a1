"""What was chosen without labels, beside what labels would have chosen."""

from collections.abc import Mapping, Sequence

from rich.table import Table
from rich.text import Text

from asdbench.cli.console import Console
from asdbench.harness import Plan
from asdbench.harness.learned import mark_of
from asdbench.harness.record import RunRecord
from asdbench.harness.selecting import Choice


def print_choices(console: Console, choices: Sequence[Choice], plan: Plan, records: Mapping[str, RunRecord]) -> None:
    """A row for each data set and seed; what could not be judged, and why."""
    names = {cell.run_id: _named(cell.name, records.get(cell.run_id)) for cell in plan.asked}
    table = Table(
        title="Chosen by training clips alone; official scores in percent, known by test labels afterwards",
        title_justify="left",
        title_style="bold",
        box=None,
        padding=(0, 1),
        show_edge=False,
    )
    table.add_column("data set", overflow="fold")
    table.add_column("seed", justify="right")
    table.add_column("chosen", overflow="fold")
    judged = "those judged" if any(choice.left_out for choice in choices) else "all"
    for column in ("its score", "one for each machine type", f"mean of {judged}", f"best of {judged}"):
        table.add_column(column, justify="right")
    for choice in choices:
        scores = (choice.score, choice.mixed_score, choice.mean_score, choice.oracle_score)
        best = f" ({names[choice.oracle]})" if choice.oracle else ""
        told = ["-" if score is None else f"{100 * score:.2f}" for score in scores]
        words = [choice.dataset, str(choice.seed), names[choice.chosen], *told[:3], told[3] + best]
        table.add_row(*map(Text, words))
    console.print()
    console.print(table)
    for choice in choices:
        if len(set(choice.of_machine.values())) > 1:
            told = [f"{machine}: {names[run]}" for machine, run in choice.of_machine.items()]
            text = f"for each machine type ({choice.dataset}, seed {choice.seed}): {'; '.join(told)}"
            console.print(Text(text, "dim"), soft_wrap=True)
        for run, reason in choice.left_out.items():
            text = f"not judged: {names[run]} ({choice.dataset}, seed {choice.seed}): {reason}"
            console.print(Text(text, "dim"), soft_wrap=True)


def _named(name: str, record: RunRecord | None) -> str:
    return f"{name} (did not learn)" if record is not None and mark_of(record) else name
