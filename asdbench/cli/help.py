"""What ``--help`` shows: verbs in groups, options under headings, one example at the end.

By click's own formatter: importing rich for the help alone takes longer than the rest of it.
"""

import inspect
import textwrap
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import click
import typer
from typer.core import TyperArgument, TyperCommand, TyperGroup

from asdbench.cli.output import wrapped_command

EXAMPLE = "\n\nExample: "  # begins the last paragraph of a verb's docstring
PLAIN_UP_TO = 8  # options that a verb shows without headings
WIDEST = 100  # columns of a text
COLUMN = 28  # of the names of options; longer ones stand on a line of their own

# The heading of an option, by the name of its parameter; ``rich_help_panel`` of one option comes first.
HEADINGS = {
    "What to run": (
        *("system", "extractor", "scorer", "params", "vary", "profile", "frontend", "augmentation", "seed", "config"),
        *("select", "veto", "fresh", "retry_failed", "dry_run", "from_"),
    ),
    "Search": (
        *("trials", "space", "only", "sampler", "grid", "pruner", "objective", "per_machine", "storage", "study"),
        *("sampler_seed", "timeout"),
    ),
    "Submission": ("label", "development", "meta", "check"),
    "Data": (
        *("dataset", "split", "data_root", "machine", "section", "ground_truth", "protocol", "clip_s", "partial"),
        *("keep_zips", "accept_new"),
    ),
    "Decisions": ("threshold", "false_alarms", "per_domain", "held_out", "window", "hop", "alarm_after"),
    "Statistics": ("ci", "replicates", "against", "alpha", "max_drop", "tolerance"),
    "Page": ("worst", "embedding_map", "audio", "explain"),
    "Watching a folder": ("watch", "journal", "settle", "fail_on_alarm"),
    "Compute": ("device", "jobs", "threads", "engine", "artifacts", "gpus_per_task"),
    "Output": (
        *("every", "out", "runs", "to", "board_dir", "report", "figure", "tracking", "force", "replace", "verbose"),
        *("as_csv", "as_json", "quiet"),
    ),
    "Other": ("plugin_path", "help"),
}
_HEADING_OF = {name: heading for heading, names in HEADINGS.items() for name in names}


class Verb(TyperCommand):
    """A verb: options under headings, and the example of its docstring at the end."""

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """What it does, without the example."""
        formatter.write_paragraph()
        with formatter.indentation():
            formatter.write_text(_cleaned(self.help).partition(EXAMPLE)[0])

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Arguments, then options; under headings where there are many."""
        _write_options(self, ctx, formatter)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The example, as a shell takes it."""
        example = " ".join(_cleaned(self.help).partition(EXAMPLE)[2].split())
        if example:
            with formatter.section("Example"):
                formatter.write(textwrap.indent(wrapped_command(example, formatter.width - 2), "  ") + "\n")


class Verbs(TyperGroup):
    """Verbs in groups, by their ``rich_help_panel``."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The verbs come first."""
        self.format_commands(ctx, formatter)
        _write_options(self, ctx, formatter)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Each with one line, which is wrapped rather than cut."""
        groups: dict[str, list[tuple[str, str]]] = {}
        for name, verb in self.commands.items():
            heading = getattr(verb, "rich_help_panel", None) or "Verbs"
            groups.setdefault(heading, []).append((name, verb.get_short_help_str(limit=1000)))
        _write_sections(formatter, groups)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Line by line: commands stay as they are."""
        if self.epilog:
            formatter.write_paragraph()
            for line in _cleaned(self.epilog).splitlines():
                formatter.write(f"{line}\n")


class App(typer.Typer):
    """A Typer whose verbs show themselves as above."""

    def command(self, name: str | None = None, **options: Any) -> Callable[[Any], Any]:
        """Register a verb."""
        return super().command(name, **{"cls": Verb} | options)


def heading_of(option: click.Parameter) -> str:
    """Under which heading an option stands; "Options" where none is known."""
    name = "help" if "--help" in option.opts else option.name or ""
    return getattr(option, "rich_help_panel", None) or _HEADING_OF.get(name, "Options")


def _write_options(command: click.Command, ctx: click.Context, formatter: click.HelpFormatter) -> None:
    _restore_help_of_arguments(command)
    params = [(param, record) for param in command.get_params(ctx) if (record := param.get_help_record(ctx))]
    options = [(param, record) for param, record in params if isinstance(param, click.Option)]
    arguments = [record for param, record in params if not isinstance(param, click.Option)]
    groups: dict[str, list[tuple[str, str]]] = {"Arguments": arguments, "Options": []}
    if len(options) > PLAIN_UP_TO + 1:  # one is --help
        own = dict.fromkeys(heading_of(param) for param, _ in options)
        groups |= {heading: [] for heading in (*(one for one in own if one not in HEADINGS), *HEADINGS)}
    for param, record in options:
        heading = heading_of(param)
        groups[heading if heading in groups else "Options"].append(record)
    _write_sections(formatter, groups)


def _restore_help_of_arguments(command: click.Command) -> None:
    """The argument of click 8.5 forgets the help that the one of Typer 0.25 has taken."""
    for param in command.params:
        if isinstance(param, TyperArgument) and not param.help:
            stated = inspect.signature(command.callback or (lambda: None)).parameters[param.name or ""].annotation
            param.help = stated.__metadata__[0].help


def _write_sections(formatter: click.HelpFormatter, groups: Mapping[str, Sequence[tuple[str, str]]]) -> None:
    """Two columns, that of the names as wide in every section."""
    width = min(COLUMN, max((len(name) for rows in groups.values() for name, _ in rows), default=0))
    for heading, rows in groups.items():
        if rows:
            with formatter.section(heading):
                formatter.write_dl([(name.ljust(width), text) for name, text in rows], col_max=width)


def _cleaned(text: str | None) -> str:
    return inspect.cleandoc(text or "").partition("\f")[0]
