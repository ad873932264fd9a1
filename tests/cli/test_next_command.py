"""The command that is told after a run does the same again."""

import shlex

import pytest

from asdbench.cli.run_plan import next_command
from asdbench.core.progress import Silent
from asdbench.harness import make_plan
from asdbench.harness.spec import read_spec


@pytest.fixture
def planned(cli):
    """Parameters of each run that a command would do, by its name."""

    def read(*words):
        ran = cli(*words, "--dry-run", "--json")
        assert ran.code == 0, ran.err
        return {run["run_id"]: run["params"] for run in ran.json["plan"]}

    return read


@pytest.mark.parametrize(
    "text",
    [
        'extractor = "raw-mel"\nscorer = "by-domain+knn"\n[params.by-domain]\nstandardise = false\n',
        'extractor = "raw-mel"\nscorer = "knn"\nthreads = 2\n[params.raw-mel]\npoolings = ["max", "mean"]\n',
        'extractor = "simclr"\nscorer = "knn"\nprofile = "full"\n[params.simclr]\nlearning_rate = 1e-3\n',
        'extractor = "raw-mel:knn,psd:knn"\nscorer = "ensemble"\n[params.frontend]\nsample_rate_hz = 22050\n',
        'extractor = "raw-mel"\nscorer = "sklearn:covariance.EllipticEnvelope"\n'
        '[params."sklearn:covariance.EllipticEnvelope"]\nassume_centered = true\n',
        'system = "guan2023-twfr-gmm"\n[params.guan2023-twfr-gmm.frontend]\nn_mels = 64\n',
    ],
)
def test_the_command_told_next_does_the_same_with_more_seeds(planned, small_dataset, tmp_path, text):
    config = tmp_path / "run file.toml"
    config.write_text(text)
    out = tmp_path / "the runs"
    spec = read_spec(config, {"dataset": [str(small_dataset)], "out": out, "device": "cpu", "tracking": "none"})
    program, *words = shlex.split(next_command(make_plan(spec, Silent())).partition("   (")[0])
    first = planned("run", "--config", config, "--dataset", small_dataset, "--out", out, "--device", "cpu")
    again = planned(*words)
    assert program == "asdbench"
    assert (len(first), len(again)) == (1, 3)
    assert first.items() <= again.items()
