"""Every published number of the public runs of the official baselines, through the command that users give."""

import csv

import pytest

COLUMNS = {
    "AUC": "auc", "pAUC": "pauc", "precision": "precision", "recall": "recall", "F1 score": "f1",
    **{
        f"{name} ({domain})": f"{key}_{domain}"
        for name, key in (("AUC", "auc"), ("precision", "precision"), ("recall", "recall"), ("F1 score", "f1"))
        for domain in ("source", "target")
    },
}  # fmt: skip


TERMS = {"dcase2021": ("auc", "pauc"), "dcase2022": ("auc_source", "auc_target", "pauc")}


def published(path):
    """{(machine, row's name, domain): {column: value}}; the rows over all machine types have machine "all"."""
    found, machine, columns = {}, "all", []
    with path.open() as file:
        for row in csv.reader(file):
            if len(row) == 1:
                machine = row[0]
            elif row and row[0] in ("section", "id", ""):
                columns = row
                machine = "all" if row[0] == "" else machine
            elif row:
                values = {
                    COLUMNS[name]: float(value) for name, value in zip(columns, row, strict=True) if name in COLUMNS
                }
                domain = row[columns.index("domain")] if "domain" in columns else ""
                found[machine, row[0], domain] = values
    return found


def same(ours, theirs):
    """To the last digit, but for the order in which a sum of floats was taken."""
    return ours == pytest.approx(theirs, rel=1e-12, abs=1e-16)


@pytest.mark.parametrize(
    ("name", "sections"), [("dcase2021-ae-dev", 42), ("dcase2022-ae-dev", 21), ("dcase2020-toycar", 4)]
)
def test_every_published_number_is_reproduced(cli, shared_data, name, sections):
    folder = shared_data / "goldens" / name
    protocol = name.partition("-")[0]
    options = ["--machine", "ToyCar"] if "toycar" in name else []
    outcome = cli("evaluate", folder, "--protocol", protocol, "--ci", "none", "--json", *options)
    assert outcome.code == 0
    result = outcome.json
    checked, numbers = 0, published(folder / "result.csv")
    for (machine, row, domain), values in numbers.items():
        kind = row.split()[0]
        if machine == "all":
            ours = result["means"][kind]
        elif kind in ("arithmetic", "harmonic"):
            ours = result["machines"][machine]["means"][kind]
        elif row.lower().startswith("average"):
            ours = result["machines"][machine]["means"]["arithmetic"]
        else:
            part = result["machines"][machine]["sections"][row]
            if domain:
                ours = part["domains"][domain]
            elif "auc" in values:
                ours = part
            else:
                ours = {f"{key}_{d}": part["domains"][d][key] for d in ("source", "target") for key in
                        ("auc", "precision", "recall", "f1")}  # fmt: skip
                ours["pauc"] = part["pauc"]
            checked += 1
        for column, value in values.items():
            assert same(ours[column], value), (machine, row, domain, column)
    assert checked == sections
    if name != "dcase2020-toycar":
        terms = [values[key] for (_, row, _), values in numbers.items() if row.isdigit() for key in TERMS[protocol]]
        assert same(result["official_score"], len(terms) / sum(1 / term for term in terms))
    assert result["partial"] == ("toycar" in name), "one machine type of six"
    assert result["official"] == ("toycar" not in name)


def test_one_machine_of_six_is_partial_and_gets_no_official_score(cli, shared_data):
    outcome = cli("evaluate", shared_data / "goldens" / "dcase2020-toycar", "--protocol", "dcase2020", "--json")
    assert outcome.code == 1
    assert outcome.json["official_score"] is None
    assert outcome.json["partial"]
    absent = [problem["machine"] for problem in outcome.json["problems"] if problem["kind"] == "absent"]
    assert absent == ["ToyConveyor", "fan", "pump", "slider", "valve"]
