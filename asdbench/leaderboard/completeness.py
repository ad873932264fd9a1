"""What a changed system lacks of what there was before: a gate must not pass because seeds have failed."""

from asdbench.leaderboard.contestants import Contestant, reason_of


def lacks(before: Contestant, now: Contestant) -> list[str]:
    """What the second has not to show that it should, one line each; empty where it is whole.

    Of a system: runs that failed or cannot be read, and data sets and seeds that the first has. Where a run is named
    by itself, that run was asked for and nothing else, so its seed need not be the other's.
    """
    if now.single:
        return []
    there = {(name, run.record.asked.seed) for name, runs in now.runs.items() for run in runs}
    found = []
    failed = set()
    for run in now.failed:
        place = run.record.dataset.name, run.record.asked.seed
        if place not in there:
            failed.add(place)
            found.append(f"seed {place[1]} on {place[0]} failed ({run.folder.name}): {reason_of(run.record)}")
    found += [f"{folder.name} cannot be read and may be of it" for folder in now.unreadable]
    for name, runs in before.runs.items():
        seeds = [run.record.asked.seed for run in runs]
        own = [seed for seed in seeds if (name, seed) not in there | failed]
        if name not in now.runs:
            if not any(place[0] == name for place in failed):
                found.append(f"no run on {name}, which A has")
        elif own and not before.single:
            numbers = ", ".join(map(str, own))
            found.append(f"no run of seed{'s' if len(own) > 1 else ''} {numbers} on {name}, which A has")
    return found
