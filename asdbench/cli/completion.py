"""``asdbench completion``: the script by which a shell completes this command, and what is asked when it does.

By click's own machinery. Added to it: names that go on after a colon or an equals sign, at which bash splits words, and
the names that an option's help lists (``dev|eval``).
"""

import os
import re
from contextlib import suppress
from typing import Annotated, Any

import click
import typer
from click import shell_completion
from click.shell_completion import CompletionItem

from asdbench.cli.options import argument
from asdbench.cli.output import echo
from asdbench.core.errors import AsdbenchError

SHELLS = ("bash", "zsh", "fish")
OPEN = (":", "+", ".", "=")  # a name that ends in one of them goes on
VARIABLE = "_ASDBENCH_COMPLETE"  # by which a script asks
_BREAKS = re.compile("[:=]+")  # at which bash splits a word
_AS_PLAIN = "        elif [[ $type == 'plain' ]]; then"
_AS_OPEN = f"        elif [[ $type == 'open' ]]; then\n{' ' * 12}COMPREPLY+=($value)\n{' ' * 12}compopt -o nospace\n"


def completion(
    context: typer.Context,
    shell: Annotated[str, argument("bash|zsh|fish", "Which shell.", click.Choice(SHELLS))],
) -> None:
    """Print the script by which a shell completes verbs, options, and names of systems, scorers, runs ...

    bash: asdbench completion bash >> ~/.bashrc

    zsh: asdbench completion zsh >> ~/.zshrc (below compinit)

    fish: asdbench completion fish > ~/.config/fish/completions/asdbench.fish

    Example: asdbench completion bash >> ~/.bashrc
    """
    echo(_classes()[shell](context.find_root().command, {}, "asdbench", VARIABLE).source(), nl=False)


def answer(command: click.Command) -> bool:
    """Print what a shell asks for by the variable of its script; whether it did."""
    shell, _, wanted = os.environ.get(VARIABLE, "").partition("_")
    made = _classes().get(shell)
    if made is None or wanted not in ("source", "complete"):
        return False
    _name_choices(command)
    asked = made(command, {}, "asdbench", VARIABLE)
    with suppress(AsdbenchError, OSError):  # a card or a folder that cannot be read: nothing is proposed
        echo(asked.source() if wanted == "source" else asked.complete())
    return True


def _name_choices(command: click.Command) -> None:
    """Let options whose values the help lists propose them; a verb itself refuses others in its own words."""
    for param in command.params:
        if param.type is click.STRING and re.fullmatch(r"[\w-]+(\|[\w-]+)+", param.metavar or ""):
            param.type = click.Choice((param.metavar or "").split("|"))
    for inner in command.commands.values() if isinstance(command, click.Group) else ():
        _name_choices(inner)


def _classes() -> dict[str, type[shell_completion.ShellComplete]]:
    """By the name of the shell."""
    return {"bash": Bash, "zsh": Zsh, "fish": Fish}


class _OfWholeWords(shell_completion.ShellComplete):
    """What is proposed stands for the whole word, also where that is ``--option=value``."""

    def get_completions(self, args: list[str], incomplete: str) -> list[CompletionItem[Any]]:
        """Where one name is left and goes on, its continuations, so that no space follows it."""
        found = super().get_completions(args, incomplete)
        if len(found) == 1 and found[0].type == "plain" and found[0].value.endswith(OPEN):
            further = super().get_completions(args, found[0].value)
            further = [item for item in further if item.type == "plain"]
            found = further if len(further) > 1 else [*found, *further]
        option, equals, _ = incomplete.partition("=")
        for item in found if equals and option.startswith("--") else ():
            item.value = item.value if item.value.startswith(option) else f"{option}={item.value}"
        return found


class Zsh(_OfWholeWords, shell_completion.ZshComplete):
    """As click's."""


class Fish(_OfWholeWords, shell_completion.FishComplete):
    """As click's."""


class Bash(_OfWholeWords, shell_completion.BashComplete):
    """As click's, for words that bash splits at ``:`` and ``=``."""

    source_template = shell_completion.BashComplete.source_template.replace(_AS_PLAIN, _AS_OPEN + _AS_PLAIN)

    def get_completion_args(self) -> tuple[list[str], str]:
        """The words before the cursor, put together again, and the one at it."""
        words = shell_completion.split_arg_string(os.environ["COMP_WORDS"])[: int(os.environ["COMP_CWORD"]) + 1]
        at_new_word = len(words) <= int(os.environ["COMP_CWORD"])
        joined: list[str] = []
        for before, word in zip(["", *words], words, strict=False):
            if joined and (_BREAKS.fullmatch(word) or _BREAKS.fullmatch(before)):
                joined[-1] += word
            else:
                joined.append(word)
        last = "" if at_new_word else joined.pop()
        # What bash takes for the word at the cursor begins after the break; the rest stays.
        self._before = len(last) - len("" if at_new_word or _BREAKS.fullmatch(words[-1]) else words[-1])
        return joined[1:], last

    def format_completion(self, item: CompletionItem[Any]) -> str:
        """Kind and value, as the script takes them apart."""
        kind = "open" if item.type == "plain" and item.value.endswith(OPEN) else item.type
        return f"{kind},{item.value[self._before :]}"
