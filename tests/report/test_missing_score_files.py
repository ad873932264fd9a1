"""Score files that were deleted after the run are named, and nothing is counted as if they were there."""

import re
import shutil

import pytest

from asdbench.harness.record import Failure, load_record, write_record
from asdbench.report.contents import read_contents
from asdbench.report.overview import findings, machine_rows
from asdbench.report.write import write_report


def words_of(folder):
    contents = read_contents(folder)
    rows = machine_rows(contents)
    return contents, {row.machine: row for row in rows}, findings(contents, rows)


@pytest.mark.parametrize("protocol", ["dcase2020", "dcase2021", "dcase2023"])
def test_every_file_that_is_deleted_is_named_in_its_place_and_in_the_findings(make_run, clips_of, protocol):
    rows = {
        (machine, number): clips_of(number, 4, 1, protocol) for machine in ("fan", "pump") for number in ("00", "01")
    }
    folder = make_run(rows, protocol)
    assert read_contents(folder).missing == {}
    deleted = sorted(path.name for path in (folder / "scores").glob("*fan*"))
    for name in deleted:
        (folder / "scores" / name).unlink()
    contents, by_machine, lines = words_of(folder)
    assert contents.missing == {"fan": deleted}
    (line,) = [line for line in lines if "The score files of fan are missing" in line]
    assert "Scores are from the record." in line
    for text in (line, by_machine["fan"].gap):
        assert deleted[0] in text
        assert "The run's command with --fresh makes them again." in text
    assert by_machine["pump"].gap == ""
    (counted,) = [line for line in lines if line.startswith("At the thresholds")]
    normal = sum(
        "normal" in clip for (machine, _), of_section in rows.items() if machine == "pump" for clip, _ in of_section
    )
    assert f"of {normal} normal clips" in counted
    assert "clips whose score files are missing (fan) are not counted" in counted
    page = write_report(folder).read_text()
    assert "Nothing to show: the score files of fan are missing" in page
    assert not re.search(r"Nothing to show: *\.", page)


def test_one_section_of_several_can_be_missing(make_run, clips_of):
    folder = make_run({("fan", number): clips_of(number) for number in ("00", "01")})
    (folder / "scores" / "anomaly_score_fan_section_01_test.csv").unlink()
    contents, by_machine, lines = words_of(folder)
    assert contents.missing == {"fan": ["anomaly_score_fan_section_01_test.csv"]}
    assert by_machine["fan"].gap == ""
    assert any("The score file of fan is missing (anomaly_score_fan_section_01_test.csv)" in line for line in lines)


def test_a_machine_type_that_was_never_scored_misses_no_file(make_run, clips_of):
    folder = make_run({("fan", "00"): clips_of(), ("pump", "00"): clips_of(seed=1)})
    record = load_record(folder)
    (folder / "scores" / "anomaly_score_pump_section_00_test.csv").unlink()
    scored = {"fan": record.results.machines["fan"]}
    changed = {
        "status": "failed",
        "results": None,
        "failures": [Failure(stage="fit", machine="pump", reason="it collapsed", detail="")],
        "salvaged": scored,
        "thresholds": {"fan": record.thresholds["fan"]},
    }
    write_record(folder, record.model_copy(update=changed))
    contents, by_machine, lines = words_of(folder)
    assert contents.missing == {}
    assert "fit failed" in by_machine["pump"].gap
    assert not any("missing" in line for line in lines)


def test_a_folder_without_any_score_file_says_what_to_do(make_run, clips_of):
    folder = make_run({("fan", "00"): clips_of()})
    shutil.rmtree(folder / "scores")
    contents, by_machine, _ = words_of(folder)
    assert contents.missing == {"fan": ["anomaly_score_fan_section_00_test.csv"]}
    assert "--fresh" in by_machine["fan"].gap
    assert any("--fresh" in line for line in contents.problems)
