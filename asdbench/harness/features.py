"""The features of all runs of a command, made before anything is trained."""

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress

from asdbench.core.digests import digest
from asdbench.core.errors import AsdbenchError, DataError
from asdbench.core.faults import fault_of
from asdbench.core.progress import Progress
from asdbench.frontends.store import FeatureStore
from asdbench.harness.cells import Cell
from asdbench.harness.embedding import EmbeddingStage
from asdbench.harness.fits import Fit
from asdbench.harness.plan import Plan
from asdbench.harness.record import Failure
from asdbench.harness.tasks import FitTask, labelled

Key = tuple[int, str]  # data set and front end


def prepare_features(
    plan: Plan, needs: Mapping[int, Sequence[FitTask]], progress: Progress
) -> tuple[dict[int, float], dict[int, Failure]]:
    """Decode what the fits want, with all cores.

    Returns:
        Seconds that it took, by run; and the runs that cannot be done, because a front end failed or, of several data
        sets, the recordings of one cannot be used.
    """
    lacking = _lacking(plan, needs)
    decoded_s = _made_together(plan, lacking, progress)
    failures: dict[object, Failure] = {}  # by data set and front end, or by data set alone
    for key, cell in lacking.items():
        dataset = key[0]
        if dataset in failures:
            continue
        started = time.perf_counter()
        try:
            EmbeddingStage(cell, plan.cache, labelled(progress, plan, cell), plan.cores).prepare_features()
        except DataError as error:
            if len(plan.datasets) == 1:
                raise
            failures[dataset] = Failure(stage="features", machine=None, reason=str(error))
        except AsdbenchError:
            raise
        except (Exception, SystemExit) as error:  # plugins may raise anything
            fault = fault_of(error)
            failures[key] = Failure(stage="features", machine=None, reason=fault.reason, detail=fault.detail)
        decoded_s[key] = decoded_s.get(key, 0.0) + time.perf_counter() - started
    seconds = dict.fromkeys(needs, 0.0)
    broken: dict[int, Failure] = {}
    for number in needs:
        for cell in plan.cells[number].members or (plan.cells[number],):
            key = _key(cell)
            failure = failures.get(key[0]) or failures.get(key)
            if failure is not None and key in lacking:
                broken[number] = failure
            seconds[number] += decoded_s.get(key, 0.0)
    return seconds, broken


def _key(cell: Cell) -> Key:
    return id(cell.dataset), digest(cell.frontend.identity())


def _lacking(plan: Plan, needs: Mapping[int, Sequence[FitTask]]) -> dict[Key, Cell]:
    """A run for each data set and front end whose features are wanted, as embeddings are missing."""
    lacking: dict[Key, Cell] = {}
    for number, tasks in needs.items():
        for cell in plan.cells[number].members or (plan.cells[number],):
            of_cell = [task.machines for task in tasks if plan.cells[task.cell].sharing == cell.sharing]
            key = _key(cell)
            if key not in lacking and not all(Fit(cell, machines, plan.cache).is_embedded for machines in of_cell):
                lacking[key] = cell
    return lacking


def _made_together(plan: Plan, lacking: Mapping[Key, Cell], progress: Progress) -> dict[Key, float]:
    """Make the features of front ends of one data set in one pass over its recordings; seconds, shared among them.

    Whatever goes wrong is met again, and said, when each is made by itself.
    """
    seconds: dict[Key, float] = {}
    for dataset in plan.datasets:
        of_dataset = {key: cell for key, cell in lacking.items() if key[0] == id(dataset)}
        if len(of_dataset) < 2:
            continue
        started = time.perf_counter()
        with suppress(Exception):
            reported = labelled(progress, plan, next(iter(of_dataset.values())))
            store = FeatureStore(plan.cache / "features", plan.cores, reported)
            store.make_together(dataset, [cell.frontend for cell in of_dataset.values()])
        seconds |= dict.fromkeys(of_dataset, (time.perf_counter() - started) / len(of_dataset))
    return seconds
