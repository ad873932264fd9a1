"""The view that MLflow's page of an experiment opens with: the best score first, and the columns that matter.

It is stored as the page's own "shared view", a tag of the experiment that the address names.
"""

import json
from collections.abc import Sequence

KEY = "asdbench"
TAG = f"mlflow.sharedViewState.{KEY}"
START = "/asdbench"  # the page of our own servers that leads there
RUN_NAME = "attributes.`Run Name`"
SCORE = "official_score"
TERMS = ("auc_source", "auc_target", "pauc", "seconds/fit")
MOST_MACHINES = 20  # MLflow takes tags of 5,000 letters


def view_of(machines: Sequence[str], stored: str = "") -> str:
    """The tag's value, for machine types by the names that their metrics have, and for those of a stored one."""
    known = {column[:-1].partition("/")[2] for column in _columns(stored) if f"`{SCORE}/" in column}
    shown = sorted({*machines, *known})[:MOST_MACHINES]
    scores = [_metric(SCORE), *(_metric(f"{SCORE}/{machine}") for machine in shown)]
    columns = [*scores, *map(_metric, TERMS)]
    widths = {column: 36 + 7 * len(column.partition("`")[2]) for column in columns}  # a name is never cut
    return json.dumps(
        {
            "searchFilter": "",
            "orderByKey": _metric(SCORE),
            "orderByAsc": False,
            "selectedColumns": columns,
            "columnOrder": [RUN_NAME, *columns],
            "columnWidths": {RUN_NAME: 300, **widths},
        }
    )


def page_of(experiment_id: str) -> str:
    """The experiment's page with this view, behind the address of a server."""
    return f"#/experiments/{experiment_id}/runs?workflowType=machine_learning&viewStateShareKey={KEY}"


def _metric(name: str) -> str:
    return f"metrics.`{name}`"


def _columns(stored: str) -> list[str]:
    try:
        columns = json.loads(stored)["selectedColumns"]
    except (ValueError, LookupError, TypeError):  # none, or of somebody else
        return []
    return [column for column in columns if isinstance(column, str)]
