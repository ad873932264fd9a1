"""Write the report of one run: one HTML file that holds everything and asks the network for nothing."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from asdbench.core.errors import AsdbenchError
from asdbench.core.files import write_text
from asdbench.core.texts import percent
from asdbench.detector.explanation_page import stylesheet
from asdbench.harness.learned import mark_of
from asdbench.harness.record import RunRecord, UsedComponent
from asdbench.harness.replay import Replay, reopen
from asdbench.pages import asset, render_page, require_own_page, template
from asdbench.protocols.decisions import PER_HOUR
from asdbench.protocols.definitions import score_name
from asdbench.registry.ensembles import AND
from asdbench.report.contents import Contents, read_contents
from asdbench.report.decisions import measures
from asdbench.report.embedding_map import Method, settled
from asdbench.report.overview import by_reason, columns, failures_by_reason, findings, machine_rows, totals
from asdbench.report.pictures import close_look, map_pictures, section_pictures, suspicious, training_pictures

FILE = "report.html"
MARKER = "asdbench report"  # by which a report is known as one, and may be written anew
TEMPLATES = Path(__file__).parent / "templates"
OPENED = 3  # machine types up to which all are shown at once


def write_report(
    folder: Path,
    *,
    to: Path | None = None,
    ground_truth: Path | None = None,
    machines: Sequence[str] = (),
    worst: int = 3,
    embedding_map: Method = "pca",
    audio: bool = False,
    explain: int = 1,
    data_root: Path | None = None,
    plugin_path: Sequence[Path] = (),
) -> Path:
    """Write the report of the run in ``folder`` and return its path. The same run gives the same bytes.

    Args:
        folder: of the run.
        to: file to write; None is ``report.html`` in the run's folder.
        ground_truth: labels and domains, where the clips' names do not say them.
        machines: machine types to show; empty is all.
        worst: false alarms and misses of each machine type that are looked at closely.
        embedding_map: "pca", "umap", "none", or "auto" for UMAP where it is installed and PCA elsewhere.
        audio: put the sound of those clips into the file.
        explain: most suspicious clips of each machine type that are explained; each costs about 80 scorings of a clip.
        data_root: where the challenges' data lie; None is the usual place.
        plugin_path: folders with registry/ and modules of the user's own that the run was made with.

    Raises:
        RecordError: the run's record is missing or damaged.
        UsageError: no such machine type, or a file in the way that is no report.
        RequirementError: UMAP is not installed; the ground truth cannot be used.
    """
    method = settled(embedding_map)
    path = folder / FILE if to is None else to.expanduser()
    require_own_page(path, MARKER, "--to")
    contents = read_contents(folder, ground_truth, machines)
    needed = bool(contents.sections) and (worst > 0 or explain > 0 or method != "none")
    replay: Replay | str = "No test clip was scored."
    if needed:
        try:
            replay = reopen(contents.record, data_root=data_root, plugin_path=plugin_path)
        except (AsdbenchError, OSError) as error:
            replay = f"{error}\nOnce they are there: asdbench report {folder.name}"
    write_text(path, render_report(contents, replay, worst, method, audio, explain))
    return path


def render_report(
    contents: Contents,
    replay: Replay | str,
    worst: int,
    method: Literal["pca", "umap", "none"],
    audio: bool,
    explain: int = 0,
) -> str:
    """The report as one HTML document; where recordings and embeddings are not to be had, ``replay`` says why."""
    record = contents.record
    rows = machine_rows(contents)
    maps = {
        machine: map_pictures(contents, machine, replay, method)
        for machine in contents.machines
        if method != "none" and contents.sections_of(machine)
    }
    looks = [
        close_look(contents, machine, replay, worst, audio)
        for machine in contents.machines
        if worst > 0 and any(view.labels is not None for view in contents.sections_of(machine))
    ]
    shown = [machine for machine in contents.machines if explain > 0 and contents.sections_of(machine)]
    suspects = [suspicious(contents, machine, replay, explain) for machine in shown]
    body = template("report.html", TEMPLATES).render(
        name=record.name,
        record=record,
        contents=contents,
        rows=rows,
        columns=columns(contents),
        totals=totals(contents),
        findings=findings(contents, rows),
        decisions=measures(contents.sections, record.dataset.clip_s),
        per_hour=PER_HOUR,
        mark=mark_of(record),
        failures=failures_by_reason(record.failures),
        sections={m: [section_pictures(contents, view) for view in contents.sections_of(m)] for m in contents.machines},
        maps=maps,
        map_gaps=by_reason({machine: reason for machine, (pictures, reason) in maps.items() if not pictures}),
        looks=looks,
        look_gaps=by_reason({look.machine: look.missing for look in looks}),
        suspects=suspects,
        suspect_gaps=by_reason({one.machine: one.missing for one in suspects}),
        pictures=of_what(record),
        training=training_pictures(contents),
        used=used_components(record),
        anchors={machine: f"machine-{number}" for number, machine in enumerate(contents.machines, 1)},
        opened=len(contents.machines) <= OPENED,
        percent=lambda share, digits=1: percent(share, digits),
        score_name=score_name,
    )
    title = f"{record.name} on {record.dataset.name}, seed {record.asked.seed}"
    styles, scripts = [stylesheet(), asset(TEMPLATES, "report.css")], [asset(TEMPLATES, "report.js")]
    return render_page(title, body, styles=styles, scripts=scripts, marker=MARKER)


def of_what(record: RunRecord) -> str:
    """What the pictures of clips show, beside what the system saw."""
    if AND in record.extractor.name:
        return "The members of an ensemble saw features of their own; these are log-mels of the same recordings"
    if record.frontend.name == "log-mel":
        return "Log-mels as the system saw them"
    return f"The system saw other features ({record.frontend.name}); these are log-mels of the same recordings"


def used_components(record: RunRecord) -> list[tuple[str, UsedComponent, dict[str, Any]]]:
    """Every component of the system: what it is for, which it is, its parameters as text."""
    return [(role, used, {key: _plain(one) for key, one in used.params.items()}) for role, used in record.components]


def _plain(value: object) -> str:
    return {True: "yes", False: "no", None: "none"}[value] if isinstance(value, bool | None) else str(value)
