"""A page for each verb of the command line, from its own help."""

from collections.abc import Iterator
from inspect import cleandoc

import click
from made import Made, code, escaped, table
from typer.main import get_command

from asdbench.cli.app import app
from asdbench.cli.help import EXAMPLE, heading_of
from asdbench.cli.output import wrapped_command

FOLDER = "reference/commands"


def command_pages() -> Iterator[Made]:
    """The page of all verbs, and one for each."""
    top = get_command(app)
    context = click.Context(top, info_name="asdbench")
    assert isinstance(top, click.Group)
    groups: dict[str, list[str]] = {}
    for name, verb in top.commands.items():
        line = f"| [`{name}`]({name}.md) | {escaped(verb.get_short_help_str(limit=1000))} |"
        groups.setdefault(verb.rich_help_panel or "", []).append(line)  # type: ignore[attr-defined]
    listed = "\n\n".join(f"## {name}\n\n| verb | |\n| --- | --- |\n" + "\n".join(rows) for name, rows in groups.items())
    intro = (
        "# All commands\n\nWhat `asdbench VERB --help` prints, a page for each verb. Every verb that ends in a table "
        "takes `--json`, and then prints one JSON object on standard output and everything else on standard error.\n\n"
        "| exit code | |\n| --- | --- |\n| 0 | done |\n| 1 | something failed or regressed |\n| 2 | wrong usage |\n"
        "| 3 | a requirement is missing |\n| 4 | an alarm, where that was to be told |\n| 130 | interrupted |\n\n"
    )
    yield Made(f"{FOLDER}/index.md", intro + listed + "\n")
    for name, verb in top.commands.items():
        yield Made(f"{FOLDER}/{name}.md", _verb(verb, click.Context(verb, info_name=name, parent=context), 1))


def _verb(verb: click.Command, context: click.Context, level: int) -> str:
    """Heading, usage, text, options by heading and the example; of a group its verbs."""
    parts = [f"{'#' * level} asdbench {context.command_path.partition(' ')[2]}"]
    text, _, example = cleandoc(verb.help or "").partition("\f")[0].partition(EXAMPLE)
    if isinstance(verb, click.Group):
        parts += [escaped(text)]
        inner = [(name, one, click.Context(one, info_name=name, parent=context)) for name, one in verb.commands.items()]
        return "\n\n".join([*parts, *(_verb(one, its, level + 1) for _, one, its in inner)]) + "\n"
    parts.append("```text\n" + verb.get_usage(context).removeprefix("Usage: ") + "\n```")
    parts.append(escaped(text))
    if example:
        parts.append("```sh\n" + wrapped_command(" ".join(example.split()), 90) + "\n```")
    verb.format_help(context, click.HelpFormatter())  # arguments get their help
    groups: dict[str, list[tuple[str, str]]] = {}
    for param in verb.get_params(context):
        record = param.get_help_record(context)
        if record and "--help" not in param.opts:
            heading = heading_of(param) if isinstance(param, click.Option) else "Arguments"
            groups.setdefault(heading, []).append((code(record[0].strip()), escaped(record[1])))
    for heading, rows in groups.items():
        parts.append(f"**{heading}**\n\n" + table(("", ""), rows))
    return "\n\n".join(parts) + "\n"
