"""What a reader wants to know first: the score, whether it is better than chance, where it is good and where not."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from asdbench.harness.learned import learned, mark_of
from asdbench.harness.record import Failure
from asdbench.protocols import DEFINITIONS, MachineResult
from asdbench.protocols.results import Interval
from asdbench.report.contents import AGAIN, Contents
from asdbench.report.decisions import Counts, count, scored_clips

CHANCE = 0.5  # of AUC and pAUC, on average over random scores
SMALL_GAP = 0.05  # between the domains' AUC, below which it is not worth a sentence


def failures_by_reason(failures: Sequence[Failure]) -> dict[tuple[str, str], list[Failure]]:
    """What failed, by stage and reason, in the order of the record."""
    by_reason: dict[tuple[str, str], list[Failure]] = {}
    for failure in failures:
        by_reason.setdefault((failure.stage, failure.reason), []).append(failure)
    return by_reason


def by_reason(reasons: Mapping[str, str]) -> dict[str, list[str]]:
    """Each reason once, with the machine types that it concerns; empty reasons are left out."""
    machines: dict[str, list[str]] = {}
    for machine, reason in reasons.items():
        if reason:
            machines.setdefault(reason, []).append(machine)
    return machines


@dataclass(frozen=True)
class MachineRow:
    """One machine type in the table."""

    machine: str  # its name
    result: MachineResult | None  # its scores; None without
    interval: Interval | None  # of its official score
    counts: Counts | None  # decisions on its test clips, where labels and threshold are known
    train: int  # training clips
    test: int  # test clips
    reason: str  # why there are no scores
    gap: str  # why there is nothing to show of its clips, a sentence; empty where there is something
    mark: str  # says that its network did not learn; empty where it did, or nothing is known of that


def machine_rows(contents: Contents) -> list[MachineRow]:
    """A row for each machine type that is shown."""
    record = contents.record
    rows = []
    for machine in contents.machines:
        intervals = contents.intervals.machines.get(machine, {}) if contents.intervals else {}
        result = contents.results.get(machine)
        rows.append(
            MachineRow(
                machine=machine,
                result=result,
                interval=intervals.get("official_score"),
                counts=count(scored_clips(contents.sections_of(machine))),
                train=record.dataset.train_clips.get(machine, 0),
                test=record.dataset.test_clips.get(machine, 0),
                reason="" if result is not None else _reason_of_nothing(contents, machine),
                gap=_gap_of(contents, machine),
                mark=mark_of(record, machine=machine),
            )
        )
    return rows


def _reason_of_nothing(contents: Contents, machine: str) -> str:
    """Why a machine type has no scores."""
    for failure in contents.record.failures:
        if failure.machine in (machine, None):
            return f"{failure.stage} failed"  # why stands at the top, once for all machine types
    views = contents.sections_of(machine)
    if not views:
        return "no score files"
    return "no labels" if any(view.labels is None for view in views) else "not in the record"


def _gap_of(contents: Contents, machine: str) -> str:
    """Why no clip of a machine type can be shown; empty where some can."""
    if contents.sections_of(machine):
        return ""
    if machine in contents.missing:
        return f"{contents.missing_text(machine)}. {AGAIN}"
    reason = _reason_of_nothing(contents, machine)
    return f"{reason}, for the reason at the top." if reason.endswith(" failed") else f"{reason}."


def columns(contents: Contents) -> dict[str, str]:
    """Columns of the table that have a value: attribute of ``MachineResult`` and heading."""
    headings = {"auc_source": "AUC source", "auc_target": "AUC target"}
    if "all" in DEFINITIONS[contents.record.dataset.protocol].domains:
        headings["auc"] = "AUC, all clips"
    headings |= {"pauc": "pAUC", "f1": "F1"}
    results = contents.results.values()
    return {
        key: heading for key, heading in headings.items() if any(getattr(result, key) is not None for result in results)
    }


def totals(contents: Contents) -> dict[str, float]:
    """The means over all machine types, as the official programs print them."""
    evaluation = contents.evaluation
    if evaluation is None or evaluation.means is None:
        return {}
    return dict(evaluation.means.arithmetic if evaluation.protocol == "dcase2020" else evaluation.means.harmonic)


def findings(contents: Contents, rows: Sequence[MachineRow]) -> list[str]:
    """The run in a few plain sentences."""
    sentences = [_against_chance(contents)] if contents.evaluation is not None else []
    training = learned(contents.record)
    if training is not None:
        sentences.append(f"{_capitalised(training.text)}.")
    scores = {row.machine: row.result.official_score for row in rows if row.result is not None}
    if len(scores) > 1:
        best, worst = max(scores, key=lambda name: scores[name]), min(scores, key=lambda name: scores[name])
        sentences.append(f"Best on {best} ({_percent(scores[best])}), worst on {worst} ({_percent(scores[worst])}).")
    means = totals(contents)
    if {"auc_source", "auc_target"} <= set(means):
        sentences.append(_domain_gap(means))
    if rows:
        sentences.append(_decisions(contents))
    if contents.missing:
        missing = "; ".join(contents.missing_text(machine) for machine in contents.missing)
        from_record = " Scores are from the record." if contents.evaluation is contents.record.results else ""
        sentences.append(f"{_capitalised(missing)}.{from_record} {AGAIN}")
    return [sentence for sentence in sentences if sentence]


def _against_chance(contents: Contents) -> str:
    interval = contents.intervals.official_score if contents.intervals else None
    if interval is None:
        return ""
    low, high = interval
    random = "which random scores reach on average in AUC and pAUC"
    if low > CHANCE:
        return f"Better than random scores: the whole 95 % interval lies above 50 %, {random}."
    # A harmonic mean of random AUCs lies below 50 %, and the farther, the fewer the clips (2020 takes the arithmetic).
    harmonic = contents.record.dataset.protocol != "dcase2020"
    lower = "; their harmonic mean, the official score, comes out lower, most of all on few clips" if harmonic else ""
    if high < CHANCE:
        return f"The whole 95 % interval lies below 50 %, {random}{lower}."
    return f"Not distinguished from 50 %, {random}: the 95 % interval holds it."


def _domain_gap(means: Mapping[str, float]) -> str:
    source, target = means["auc_source"], means["auc_target"]
    if abs(source - target) < SMALL_GAP:
        return f"Works alike in both domains: AUC {_percent(source)} in the source, {_percent(target)} in the target."
    better, other = ("source", "target") if source > target else ("target", "source")
    return (
        f"Works better in the {better} domain: AUC {_percent(means[f'auc_{better}'])} there, "
        f"{_percent(means[f'auc_{other}'])} in the {other} domain."
    )


def _decisions(contents: Contents) -> str:
    total = count(scored_clips(contents.sections))
    if total is None or not total.normal or not total.anomaly:
        return ""
    missing = "."
    if contents.missing:
        missing = f"; clips whose score files are missing ({', '.join(contents.missing)}) are not counted."
    return (
        f"At the thresholds that it was run with, {total.false_alarms} of {total.normal} normal clips raise a false "
        f"alarm ({_percent(total.false_alarms / total.normal)}) and {total.misses} of {total.anomaly} anomalies are "
        f"missed ({_percent(total.misses / total.anomaly)}){missing}"
    )


def _capitalised(text: str) -> str:
    return text[0].upper() + text[1:]


def _percent(value: float) -> str:
    return f"{100 * value:.1f} %"
