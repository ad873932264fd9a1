"""``asdbench check``: does a component keep its contract?"""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from asdbench.cli.options import AsJson, Frontend, Named, Params, PluginPath, argument
from asdbench.cli.output import echo, print_json
from asdbench.core.errors import UsageError

if TYPE_CHECKING:
    from asdbench.registry import Catalog


def check(
    name: Annotated[
        str,
        argument(
            "NAME",
            "Extractor, scorer (also pyod:NAME, STEP+SCORER), step, augmentation, front end.",
            Named("checkable"),
        ),
    ],
    params: Params = None,
    frontend: Frontend = None,
    as_json: AsJson = False,
    plugin_path: PluginPath = None,
) -> None:
    """Put NAME through what every component is put through, on tiny clips made in memory; say all that does not hold.

    Shapes and dtypes, same seed same numbers, save and load, blindness to other clips, direction of the score, card
    against constructor, the global random state. An extractor with epochs is trained for two, unless -p says else.

    Example: asdbench check cosine --plugin-path mine
    """
    from asdbench.registry import load_catalog
    from asdbench.testing import CHECKS_OF

    catalog = load_catalog(plugin_path or [])
    broken = [kind for kind in CHECKS_OF if name in catalog.broken[kind] and name not in catalog.entries[kind]]
    kinds = broken or [entry.kind for entry in catalog.find_anywhere(name) if entry.kind in CHECKS_OF]
    if not kinds:
        raise UsageError(
            f"'{name}' cannot be checked: accepted are {', '.join(CHECKS_OF)}.\n"
            f"The parts of a system are checked one by one: asdbench show {name}"
        )
    components = [_checked(catalog, kind, name, params or [], frontend) for kind in kinds]
    passed = all(one["passed"] for one in components)
    if as_json:
        print_json({"passed": passed, "components": components})
    else:
        for one in components:
            _print(one)
    if not passed:
        raise typer.Exit(1)


def _checked(catalog: "Catalog", kind: str, name: str, params: list[str], frontend: str | None) -> dict[str, Any]:
    """Checks of one component, as JSON has them."""
    from asdbench.harness.spec import read_spec
    from asdbench.testing import Check, checks_of
    from asdbench.testing.subjects import subject_of_name

    shortened: dict[str, Any] = {}
    if name in catalog.entries[kind] or name not in catalog.broken[kind]:
        origin = catalog.find(kind, name).origin
        subject = subject_of_name(catalog, kind, name, read_spec(None, {"params": params}).params, frontend)
        shortened = dict(subject.shortened)
        checks = checks_of(subject)
    else:
        origin = ""
        checks = [Check("card", "a card that can be read", catalog.broken[kind][name])]
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


def _print(component: dict[str, Any]) -> None:
    checks = component["checks"]
    failed = sum(not one["passed"] for one in checks)
    summary = f"{failed} of {len(checks)} checks failed" if failed else f"all {len(checks)} checks passed"
    echo(f"{component['name']} ({component['kind'][:-1]}): {summary}", bold=True)
    for one in checks:
        result = f"expected {one['expected']}; {one['found']}" if one["found"] else one["expected"]
        state, colour = ("ok    ", None) if one["passed"] else ("failed", "red")
        echo(f"  {state}  {one['check']}: {result}", fg=colour)
    for param, value in component["shortened"].items():
        echo(f"Trained with {param} = {value}; for more: -p {component['name']}.{param}=N", dim=True)
