"""``asdbench list``: what the registry holds."""

import shutil
import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated

from asdbench.cli.options import AsJson, Named, PluginPath, argument
from asdbench.cli.output import echo, print_json, warn
from asdbench.core.errors import UsageError, did_you_mean

if TYPE_CHECKING:
    from asdbench.registry import Entry

FORMS = {
    "extractors": [
        ("NAME:SCORER,NAME:SCORER", "The scores of several systems, for the scorer ensemble: raw-mel:knn,psd:gmm."),
    ],
    "scorers": [
        ("pyod:NAME", "Any detector of PyOD, for example pyod:IForest."),
        ("sklearn:NAME", "Any outlier detector of scikit-learn, for example sklearn:svm.OneClassSVM."),
        ("STEP+SCORER", "Steps in front of a scorer, for example whiten+knn or by-domain+mahalanobis-lw."),
    ],
}


def list_(
    kind: Annotated[
        str | None,
        argument(
            "[KIND]",
            "systems, extractors, scorers, steps, augmentations, frontends, datasets; all if left out.",
            Named("kinds"),
        ),
    ] = None,
    as_json: AsJson = False,
    plugin_path: PluginPath = None,
) -> None:
    """List what can be named: systems, extractors, scorers, steps before them, augmentations, front ends, data sets.

    Example: asdbench list scorers
    """
    from asdbench.registry import KINDS, load_catalog

    if kind is not None and kind not in KINDS:
        raise UsageError(f"No kind '{kind}'.{did_you_mean(kind, KINDS)} Accepted: {', '.join(KINDS)}.")
    catalog = load_catalog(plugin_path or [])
    kinds = [kind] if kind else KINDS
    entries = {one: [catalog.entries[one][name] for name in catalog.names(one)] for one in kinds}
    if as_json:
        fields = ("name", "summary", "origin")
        print_json({one: [{key: getattr(entry, key) for key in fields} for entry in entries[one]] for one in entries})
    else:
        _print_table(entries)
    for warning in catalog.warnings:
        warn(warning)


def _print_table(entries: "Mapping[str, Sequence[Entry]]") -> None:
    # Not by rich: importing it would take a third of the time that the command may take.
    rows = {
        kind: [
            *((one.name, one.summary + ("" if one.origin == "asdbench" else f" [{one.origin}]")) for one in some),
            *FORMS.get(kind, []),
        ]
        for kind, some in entries.items()
    }
    indent = max(24, *(len(name) + 4 for some in rows.values() for name, _ in some))
    width = min(120, shutil.get_terminal_size((120, 24)).columns)
    for kind, some in rows.items():
        echo(kind, fg="cyan", bold=True)
        for name, summary in some:
            echo(f"  {name:<{indent - 3}} ", nl=False, bold=True)
            echo(f"\n{' ' * indent}".join(textwrap.wrap(summary, max(30, width - indent))))
        echo()
    echo("Parameters, citation and origin of one: asdbench show NAME", dim=True)
