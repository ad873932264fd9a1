"""Types of options that take numbers: finite ones, in a range that both ends belong to unless they are open."""

from typing import Any

import click

from asdbench.core.numbers import parse_float, parse_int

SEEDS = 2**63 - 1  # the largest that tables and data bases hold
REPLICATES = 1_000_000
THREADS = 4096


class Number(click.FloatRange):
    """A finite number in a range."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The number that the text says; a usage error where it says none."""
        try:
            value = parse_float(value) if isinstance(value, str) else value
        except ValueError as error:
            self.fail(f"{error}.", param, ctx)
        return super().convert(value, param, ctx)


class Whole(click.IntRange):
    """A whole number in a range."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The number that the text says; a usage error where it says none."""
        try:
            value = parse_int(value) if isinstance(value, str) else value
        except ValueError as error:
            self.fail(f"{error}.", param, ctx)
        return super().convert(value, param, ctx)
