"""Adding runs: nothing is lost, whoever adds at the same time or is killed."""

import multiprocessing
import os

from made_runs import edit_record, made_run

from asdbench.harness.record import load_record
from asdbench.leaderboard import add_run, read_entries


def entries(tmp_path):
    return sorted(path.stem for path in (tmp_path / "boards" / "results").iterdir())


def _killed_while_writing(folder, board_dir):
    def die(_):
        os._exit(9)

    os.fsync = die
    add_run(folder, board_dir)


def test_what_a_kill_left_is_cleared_when_the_run_is_added_again(add, tmp_path):
    folder, other = made_run(tmp_path / "runs"), made_run(tmp_path / "runs", seed=1)
    process = multiprocessing.get_context("fork").Process(
        target=_killed_while_writing, args=(folder, tmp_path / "boards")
    )
    process.start()
    process.join()
    assert process.exitcode == 9
    (left,) = (tmp_path / "boards" / "results").iterdir()
    assert left.suffix == ".partial"
    assert not read_entries(tmp_path / "boards").entries
    assert add(folder, other).code == 0
    assert entries(tmp_path) == sorted([folder.name, other.name])
    assert {path.name for path in (tmp_path / "boards").iterdir()} == {"results"}, "locks lie elsewhere"


def test_the_name_of_an_entry_lasts_through_a_loss_of_power(add, tmp_path, monkeypatch):
    synced, sync = [], os.fsync
    monkeypatch.setattr("os.fsync", lambda handle: (synced.append(os.fstat(handle).st_ino), sync(handle)))
    assert add(made_run(tmp_path / "runs")).code == 0
    assert synced[-1] == (tmp_path / "boards" / "results").stat().st_ino


def _add_all(folders, board_dir, barrier, outcomes):
    barrier.wait()
    for folder in folders:
        outcomes.put(add_run(folder, board_dir).outcome)


def test_processes_that_add_at_once_lose_nothing(tmp_path):
    shared = made_run(tmp_path / "runs", scorer="shared")
    others = [[made_run(tmp_path / "runs", scorer=f"s{number}")] for number in range(3)]
    context = multiprocessing.get_context("fork")
    barrier, outcomes = context.Barrier(3), context.SimpleQueue()
    board_dir = tmp_path / "boards"  # made by whoever is first
    processes = [
        context.Process(target=_add_all, args=([shared, *folders, shared], board_dir, barrier, outcomes))
        for folders in others
    ]
    for process in processes:
        process.start()
    results = [outcomes.get() for _ in range(3 * 3)]
    for process in processes:
        process.join()
        assert process.exitcode == 0
    assert results.count("added") == 3 + 1, "of those who added the same run one was first"
    assert results.count("unchanged") == 5
    expected = sorted([shared.name, *(folder.name for folders in others for folder in folders)])
    assert entries(tmp_path) == expected, "and nothing half-written is left"
    found = read_entries(board_dir)
    assert not found.problems
    assert {entry.record.run_id for entry in found.entries.values()} == set(expected)


def _add_differing(folder, board_dir, barrier, outcomes):
    from asdbench.leaderboard import EntryError

    barrier.wait()
    try:
        outcomes.put((folder, add_run(folder, board_dir).outcome))
    except EntryError:
        outcomes.put((folder, "refused"))


def test_of_differing_results_under_one_id_the_first_stays(tmp_path):
    folders = [made_run(tmp_path / f"runs{one}") for one in range(4)]
    for one, folder in enumerate(folders):
        edit_record(folder, lambda content, one=one: content["environment"].update(git_commit=f"{one}" * 40))
    context = multiprocessing.get_context("fork")
    barrier, outcomes = context.Barrier(4), context.SimpleQueue()
    processes = [
        context.Process(target=_add_differing, args=(folder, tmp_path / "boards", barrier, outcomes))
        for folder in folders
    ]
    for process in processes:
        process.start()
    results = dict(outcomes.get() for _ in range(4))
    for process in processes:
        process.join()
    assert sorted(results.values()) == ["added"] + 3 * ["refused"]
    (winner,) = (folder for folder, outcome in results.items() if outcome == "added")
    (entry,) = read_entries(tmp_path / "boards").entries.values()
    assert entry.record == load_record(winner)
