"""``asdbench check``: does a component keep its contract?"""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from asdbench.cli.options import AsJson, Frontend, PluginPath
from asdbench.cli.output import echo, print_json

if TYPE_CHECKING:
    from asdbench.registry import Catalog


def check(
    name: Annotated[
        str,
        typer.Argument(
            help="Extractor, scorer (also pyod:NAME, sklearn:NAME, STEP+SCORER), step, augmentation, front end."
        ),
    ],
    params: Annotated[
        list[str] | None,
        typer.Option("-p", metavar="COMPONENT.PARAM=VALUE", help="Set a parameter; may be repeated."),
    ] = None,
    frontend: Frontend = None,
    as_json: AsJson = False,
    plugin_path: PluginPath = None,
) -> None:
    """Put NAME through what every component is put through, on tiny clips made in memory; say all that does not hold.

    Shapes and dtypes, same seed same numbers, save and load, blindness to other clips, direction of the score, card
    against constructor, the global random state. An extractor with epochs is trained for two, unless -p says else.

    Example: asdbench check cosine --plugin-path mine
    """
    import json

    from asdbench.registry import load_catalog

    catalog = load_catalog(plugin_path or [])
    found = [_checked(catalog, kind, name, params or [], frontend) for kind in _kinds(catalog, name)]
    passed = all(one["passed"] for one in found)
    if as_json:
        print_json(json.dumps({"passed": passed, "components": found}, indent=2))
    else:
        for one in found:
            _print(one)
    if not passed:
        raise typer.Exit(1)


def _kinds(catalog: "Catalog", name: str) -> list[str]:
    """Kinds of everything that has the name and can be checked."""
    from asdbench.core.errors import UsageError
    from asdbench.testing import CHECKS_OF

    broken = [kind for kind in CHECKS_OF if name in catalog.broken[kind] and name not in catalog.entries[kind]]
    kinds = broken or [entry.kind for entry in catalog.find_anywhere(name)]
    kinds = [kind for kind in kinds if kind in CHECKS_OF]
    if not kinds:
        raise UsageError(
            f"'{name}' cannot be checked: accepted are {', '.join(CHECKS_OF)}.\n"
            f"The parts of a system are checked one by one: asdbench show {name}"
        )
    return kinds


def _checked(catalog: "Catalog", kind: str, name: str, params: list[str], frontend: str | None) -> dict[str, Any]:
    """Checks of one component, as JSON has them."""
    from asdbench.harness.spec import read_spec
    from asdbench.testing import CHECKS_OF, Check
    from asdbench.testing.subjects import subject_of_name

    shortened: dict[str, Any] = {}
    if name in catalog.broken[kind] and name not in catalog.entries[kind]:
        origin = ""
        checks = [Check("card", "a card that can be read", catalog.broken[kind][name])]
    else:
        origin = catalog.find(kind, name).origin
        subject = subject_of_name(catalog, kind, name, read_spec(None, {"params": params}).params, frontend)
        shortened = dict(subject.shortened)
        checks = CHECKS_OF[kind](subject)
    return {
        "name": name,
        "kind": kind,
        "origin": origin,
        "passed": all(one.passed for one in checks),
        "shortened": shortened,
        "checks": [
            {"check": one.name, "passed": one.passed, "expected": one.expected, "found": one.found} for one in checks
        ],
    }


def _print(found: dict[str, Any]) -> None:
    failed = [one for one in found["checks"] if not one["passed"]]
    count = len(found["checks"])
    summary = f"{len(failed)} of {count} checks failed" if failed else f"all {count} checks passed"
    echo(f"{found['name']} ({found['kind'][:-1]}): {summary}", bold=True)
    for one in found["checks"]:
        told = f"expected {one['expected']}; {one['found']}" if one["found"] else one["expected"]
        echo(f"  ok      {one['check']}: {told}") if one["passed"] else echo(
            f"  failed  {one['check']}: {told}", fg="red"
        )
    for param, value in found["shortened"].items():
        echo(f"Trained with {param} = {value}; for more: -p {found['name']}.{param}=N", dim=True)
