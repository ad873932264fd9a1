import pytest

from asdbench.core.errors import UsageError
from asdbench.core.numbers import is_finite, parse_float, parse_int
from asdbench.harness.spec import read_spec
from asdbench.registry.cards import Param
from asdbench.registry.components import parse

NOT_FINITE = ["nan", "NaN", "inf", "-Infinity", "1e400", "1_0", "\u0663", "0x1", "", "1,5", "1 2"]


@pytest.mark.parametrize("text", NOT_FINITE)
def test_what_is_no_plain_finite_number_is_refused(text):
    with pytest.raises(ValueError, match="finite"):
        parse_float(text)
    with pytest.raises(ValueError, match="takes a number"):
        parse(Param(default=1.0, help="x"), text)


@pytest.mark.parametrize(
    ("text", "value"), [("1", 1.0), (" -2.5e-3 ", -0.0025), ("+.5", 0.5), ("1.", 1.0), ("1e-400", 0)]
)
def test_plain_decimals_are_read(text, value):
    assert parse_float(text) == value


@pytest.mark.parametrize("text", ["1_0", "1.0", "\u0663", "", "nan", "9" * 101])
def test_what_is_no_whole_number_is_refused(text):
    with pytest.raises(ValueError, match="whole"):
        parse_int(text)


@pytest.mark.parametrize("value", [float("nan"), [1.0, float("inf")], {"a": [float("nan")]}])
def test_numbers_of_toml_are_finite_however_deep(value):
    assert not is_finite(value)
    with pytest.raises(ValueError, match="takes a value"):
        Param(type="any", default=1, help="x").check(value)


@pytest.mark.parametrize(
    "line",
    [
        "seed = [nan]",
        "seed = true",
        "seed = -1",
        "threads = inf",
        "jobs = true",
        "gpus_per_task = inf",
        "gpus_per_task = nan",
    ],
)
def test_a_run_file_holds_finite_numbers_in_their_range(tmp_path, line):
    path = tmp_path / "run.toml"
    path.write_text(line + "\n")
    with pytest.raises(UsageError, match=line.split()[0]):
        read_spec(path, {"params": []})
