"""The help explains itself: groups, headings, one example for every verb, at every width."""

import re
import shlex

import click
import pytest
from typer.main import get_command

from asdbench.cli.app import STORIES, app
from asdbench.cli.help import EXAMPLE, HEADINGS, PLAIN_UP_TO, heading_of

ROOT = get_command(app)


def verbs(command=ROOT, path=()):
    for name, inner in getattr(command, "commands", {}).items():
        yield from verbs(inner, (*path, name)) if isinstance(inner, click.Group) else [((*path, name), inner)]


VERBS = dict(verbs())


def parsed(command):
    """The verb and the options of a command line; raises what click raises of one that does not exist."""
    program, *words = shlex.split(re.split(" >+ ", command)[0])
    assert program == "asdbench"
    found, path = ROOT, []
    while isinstance(found, click.Group):
        path.append(words.pop(0))
        found = found.commands[path[-1]]
    given, rest, _ = found.make_parser(click.Context(found)).parse_args(words)
    assert not rest
    return tuple(path), given


@pytest.mark.parametrize("path", VERBS, ids=" ".join)
def test_every_verb_ends_with_an_example_of_itself(path):
    text, example = VERBS[path].help.split(EXAMPLE)
    assert text
    assert "\n\n" not in example
    assert parsed(example)[0] == path


def test_every_verb_is_in_a_group_and_its_line_is_whole(cli):
    text = cli("--help").out
    lines = text.splitlines()
    for name, command in ROOT.commands.items():
        assert command.rich_help_panel in text, name
        assert f"  {name:<11}  {command.short_help}" in lines
    assert max(map(len, lines)) <= 80


def test_the_three_stories_are_commands_that_exist():
    commands = re.findall(r"^    (asdbench .*)$", STORIES, re.MULTILINE)
    assert [parsed(one)[0] for one in commands] == [("run",), ("fit",), ("check",)]


@pytest.mark.parametrize("path", VERBS, ids=" ".join)
def test_many_options_stand_under_headings(path):
    options = [one for one in VERBS[path].params if isinstance(one, click.Option)]
    if len(options) > PLAIN_UP_TO:
        assert not [one.name for one in options if heading_of(one) == "Options"]


def test_an_option_stands_under_one_heading():
    names = [name for group in HEADINGS.values() for name in group]
    assert len(set(names)) == len(names)
    known = {one.name for verb in VERBS.values() for one in verb.params} | {"help"}
    assert set(names) <= known


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_no_line_is_wider_than_the_terminal_and_the_example_is_one_command(columns):
    for path in (("run",), ("fit",), ("leaderboard", "add"), ("tune",)):
        top = ROOT.make_context("asdbench", [], resilient_parsing=True, terminal_width=columns)
        text = click.Context(VERBS[path], parent=top, info_name=" ".join(path)).get_help()
        assert max(map(len, text.splitlines())) <= columns
        shown = text.partition("\nExample:\n")[2].replace("\\\n", " ")
        assert " ".join(shown.split()) == " ".join(VERBS[path].help.partition(EXAMPLE)[2].split())


def test_the_help_of_arguments_is_shown(cli):
    assert "Runs or systems, see above." in cli("compare", "--help").out
