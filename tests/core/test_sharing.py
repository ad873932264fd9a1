"""What is written has the permissions of the umask, and a place that one may only read is enough to read from."""

import os
import shutil
import sqlite3
import stat
import tempfile
import traceback
from pathlib import Path

import filelock  # noqa: F401  # before a child process may not read it
import pytest

from asdbench.core import files
from asdbench.core.errors import UsageError
from asdbench.core.locks import BusyError, exclusive
from asdbench.datasets.contents import ContentDigests

COLLEAGUE = 2002


@pytest.fixture
def masked(request):
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


@pytest.mark.parametrize("masked", [0o002, 0o022, 0o077], indirect=True)
def test_what_is_written_has_the_permissions_that_the_umask_leaves(tmp_path, masked):
    root = tmp_path / "made"
    with files.whole_folder(root / "run") as folder:
        files.write_text(folder / "scores" / "a.csv", "1")
    files.write_json(root / "b.json", {})
    files.make_empty(root / "c.db")
    sqlite3.connect(root / "c.db").execute("CREATE TABLE x (y)")
    with exclusive(root / "locks" / "d.lock"):
        pass
    for path in [root, *root.rglob("*")]:
        asked = 0o777 if path.is_dir() else 0o666
        assert stat.S_IMODE(path.stat().st_mode) == asked & ~masked, path


@pytest.fixture
def shared():
    """A folder that others may look into; pytest's own are closed."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def as_colleague(do):
    """Call a function in a process of another user; whether it went well. Who is not root is shut out by ``chmod``."""
    child = os.fork()
    if not child:
        code = 1
        try:
            if os.getuid() == 0:
                os.setgroups([])
                os.setgid(COLLEAGUE)
                os.setuid(COLLEAGUE)
            do()
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    return os.waitpid(child, 0)[1] == 0


def closed(folder):
    for path in [folder, *folder.rglob("*")]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    return folder


def test_where_one_may_only_read_a_lock_is_for_ones_own_processes(shared):
    def lock():
        path = shared / "locks" / "a.lock"
        with exclusive(path), pytest.raises(BusyError), exclusive(path, wait=False):
            pass

    closed(shared)
    assert as_colleague(lock)
    assert not (shared / "locks").exists()
    shared.chmod(0o755)


def test_digests_are_computed_where_they_cannot_be_kept(shared):
    (shared / "data").mkdir()
    (shared / "data" / "a.wav").write_bytes(b"1")
    (shared / "digests").mkdir()
    closed(shared)
    assert as_colleague(lambda: ContentDigests(shared / "digests").of([shared / "data" / "a.wav"]))
    shared.chmod(0o755)


def test_what_a_colleague_owns_is_not_half_removed(shared):
    shared.chmod(0o777)
    (shared / "run").mkdir()
    (shared / "run" / "run.json").write_text("1")
    closed(shared / "run")

    def replace():
        with pytest.raises(UsageError, match="Cannot write"), files.whole_folder(shared / "run"):
            pass
        with pytest.raises(UsageError, match="Cannot write"):
            files.require_permission(shared / "run" / "inner")

    assert as_colleague(replace)
    assert [path.name for path in shared.iterdir()] == ["run"]
    assert (shared / "run" / "run.json").read_text() == "1"
    (shared / "run").chmod(0o755)


@pytest.mark.parametrize("masked", [0o002, 0o077], indirect=True)
@pytest.mark.parametrize("kind", ["sqlite:///", "journal:"])
def test_so_has_a_study_in_the_home_folder(tmp_path, masked, kind, monkeypatch):
    import optuna

    from asdbench.tuning.storage import open_storage

    monkeypatch.setenv("HOME", str(tmp_path))
    optuna.create_study(storage=open_storage(f"{kind}~/s.db"), study_name="s")
    assert (tmp_path / "s.db").stat().st_size > 0
    for path in tmp_path.rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~masked, path


@pytest.mark.parametrize("masked", [0o002, 0o077], indirect=True)
def test_so_has_what_comes_from_another_node(tmp_path, masked):
    from asdbench.harness.cluster.artifacts import pack_folder, unpack_folder

    (tmp_path / "there" / "inner").mkdir(parents=True)
    (tmp_path / "there" / "inner" / "a.json").write_text("{}")
    (tmp_path / "there" / "inner" / "a.json").chmod(0o644)
    unpack_folder(pack_folder(tmp_path / "there"), tmp_path / "here")
    for path in (tmp_path / "here").rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) == (0o777 if path.is_dir() else 0o666) & ~masked, path
