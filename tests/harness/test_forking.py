"""Child processes: what they are given, whichever way they come to be."""

import os
import signal
import sys
from pathlib import Path

import pytest

from asdbench.harness.forking import METHOD, _Server, start_child


def tell(line, *args):
    """What a child finds."""
    line.send(
        {
            "args": args,
            "environment": dict(os.environ),
            "ready": "asdbench.harness.run" in sys.modules,
            "interrupt": signal.getsignal(signal.SIGINT),
            "folder": str(Path.cwd()),
        }
    )


@pytest.mark.parametrize("as_the_server", [True, False])
def test_a_child_has_todays_environment_and_the_threads_asked_for(tmp_path, monkeypatch, as_the_server):
    (tmp_path / "scipy.py").write_text("raise SystemExit('a file of the folder was imported')")
    monkeypatch.chdir(tmp_path)
    _Server.serves(1)  # if no test before has started it
    monkeypatch.setenv("ASDBENCH_TOLD", "after the server was started")
    monkeypatch.delenv("HOME", raising=False)
    threads = _Server.threads if as_the_server else _Server.threads + 1
    process, line = start_child(tell, "one", 2, threads=threads)
    found = line.recv()
    process.join(20)
    assert process.exitcode == 0
    assert found["args"] == ("one", 2)
    assert found["environment"]["ASDBENCH_TOLD"] == "after the server was started"
    assert found["environment"]["OMP_NUM_THREADS"] == str(threads)
    assert "HOME" not in found["environment"]
    assert found["folder"] == str(tmp_path)
    assert found["interrupt"] == signal.SIG_IGN
    assert found["ready"] or METHOD == "spawn" or not as_the_server
    assert os.environ.get("OMP_NUM_THREADS") != str(_Server.threads + 1), "the command's own stays"
