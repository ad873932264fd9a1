"""Tables of clips: what is read of them, what is refused, and that a written one gives the same data set."""

import pandas
import pytest

import asdbench as asd
from asdbench.core.errors import DataError, UsageError
from asdbench.datasets import read_folder
from asdbench.datasets.clip_table import table_of


@pytest.fixture
def place(tmp_path, write_wav):
    for number, name in enumerate(("a.wav", "b 2.WAV", "ü.flac", "deep/a.wav")):
        (tmp_path / "deep").mkdir(exist_ok=True)
        write_wav(tmp_path / name, seed=number)
    return tmp_path


def test_what_a_table_says(place):
    (place / "clips.csv").write_text(
        "Path;Machine;section;split;domain;label;attribute.load;notes\n"
        "a.wav;pump 1;3;;source;;high;bought in May\n"
        "b 2.WAV;pump 1;03;test;Target;Abnormal;;\n"
        f"{place / 'ü.flac'};fan;;train;;0;;\n"
        ";;;;;;;\n",
        encoding="utf-8-sig",
    )
    table = read_folder(place / "clips.csv")
    assert [(c.machine, c.section, c.split, c.name, c.domain, c.label, c.attributes) for c in table] == [
        ("fan", "00", "train", "ü.flac", None, 0, ()),
        ("pump 1", "03", "test", "b 2.WAV", "target", 1, ()),
        ("pump 1", "03", "train", "a.wav", "source", 0, (("load", "high"),)),
    ]
    assert any("left aside: column 'notes'" in note for note in table.notes)
    assert read_folder(place / "clips.csv", machines=["fan"]).machines == ["fan"]
    with pytest.raises(UsageError, match="no machine 'pump'"):
        read_folder(place / "clips.csv", machines=["pump"])


def test_a_table_of_paths_alone_is_one_machine(place, monkeypatch):
    (place / "press.csv").write_text("path\na.wav\ndeep/a.wav\n")
    assert [(c.machine, c.split, c.name) for c in read_folder(place / "press.csv")] == [
        ("press", "train", "a.wav"),
        ("press", "train", "deep/a.wav"),
    ]
    assert read_folder(place / "press.csv", machines=["pump"]).machines == ["pump"]
    monkeypatch.chdir(place)
    frame = pandas.DataFrame({"path": ["a.wav", "ü.flac"], "split": ["train", "test"], "label": [None, 1.0]})
    data = asd.load(frame)
    assert [(c.machine, c.label) for c in data] == [("table", 1), ("table", 0)]
    monkeypatch.chdir("/")
    assert asd.load(data.source.name).fingerprint == data.fingerprint  # a run on it can be opened again


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_the_table_of_a_folder_gives_the_same_data_set(make_folder, dcase2023_names, place, ending):
    for root in (place / "deep", make_folder({"pump": dcase2023_names()}, place / "dcase")):
        data, table = read_folder(root), root / f"t.{ending}"
        frame = table_of(data, root)
        frame.to_csv(table, index=False) if ending == "csv" else frame.to_parquet(table)
        again = read_folder(table)
        facts = [
            [(c.key, c.name, c.machine, c.section, c.split, c.domain, c.label, c.attributes) for c in one]
            for one in (data, again)
        ]
        assert facts[0] == facts[1]
        assert data.protocol == again.protocol
        assert (data.fingerprint == again.fingerprint) == (data.layout == "own")


def test_a_corrected_label_makes_another_data_set(place):
    fingerprints = set()
    for label in ("normal", "anomaly", ""):
        (place / "t.csv").write_text(f"path,split,label\na.wav,train,\nb 2.WAV,test,{label}\n")
        fingerprints.add(read_folder(place / "t.csv").fingerprint)
    assert len(fingerprints) == 3


def test_everything_that_is_wrong_is_named_with_its_row(place):
    rows = [
        "gone.wav,,,,,",
        "a.wav,tset,up,ok,x,a/b",
        "b 2.WAV,train,,anomaly,,",
        "deep/a.wav,,,,,",
        "./deep/a.wav,,,,,",
        "t.csv,,,,,",
        ",test,,,,",
    ]
    (place / "t.csv").write_text("\n".join(["path,split,domain,label,section,machine", *rows]) + "\n")
    with pytest.raises(DataError) as caught:
        read_folder(place / "t.csv")
    assert list(caught.value.problems) == [
        f"row 2: there is no file {place / 'gone.wav'}",
        "row 3: machine 'a/b' holds a slash",
        "row 3: section 'x'; accepted: a number (what is named otherwise is a machine)",
        "row 3: split 'tset'; accepted: train, test, supplemental, or empty",
        "row 3: domain 'up'; accepted: source, target, or empty",
        "row 3: label 'ok'; accepted: normal (0), anomaly (1), or empty",
        "row 4: a training clip labelled anomalous; training clips must be normal (column split: test)",
        "row 6: ./deep/a.wav stands in row 5 already",
        "row 7: t.csv: not a .wav or .flac file",
        "row 8: no path",
    ]


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("file,label\na.wav,0\n", "no column 'path'"),
        ("path,lable\na.wav,0\n", "column 'lable': did you mean 'label'?"),
        ("path\n", "it holds no rows"),
        ("path,split\na.wav,test\n", "no training clips"),
        ("", "no column 'path'"),
        ('path,label\n"a.wav,1\n', "cannot be read: unexpected end of data"),
        ("path\na.wav,1,2\nb,1\n", "row 2: 3 cells, 1 columns"),
    ],
)
def test_tables_that_cannot_be_used(place, text, part):
    (place / "t.csv").write_text(text)
    with pytest.raises(DataError) as caught:
        read_folder(place / "t.csv")
    assert part in str(caught.value)


def test_anomalous_clips_without_a_column_split_are_one_error(tmp_path, write_wav):
    rows = [f"{write_wav(tmp_path / f'{number}.wav').name},anomaly" for number in range(3)]
    (tmp_path / "clips.csv").write_text("\n".join(["path,label", *rows]))
    with pytest.raises(DataError, match="no column 'split' that says which clips are for testing") as caught:
        asd.load(tmp_path / "clips.csv")
    assert "row" not in str(caught.value)
