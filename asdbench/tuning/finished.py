"""The trials of a study that have ended, held in memory, as a study that Optuna's plots take."""

from collections.abc import Container, Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy as copied
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState


@contextmanager
def quiet(level: int = optuna.logging.WARNING) -> Iterator[None]:
    """Optuna tells of every study that it creates; within this it keeps to itself what is below ``level``."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(level)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(before)


class Finished(optuna.Study):
    """The ended trials under their own numbers; read once, so that ten plots ask the storage once.

    Args:
        study: whose trials.
        trials: only these; None is all that have ended.
        objectives: only these, by their place; None is all.
    """

    def __init__(
        self,
        study: optuna.Study,
        trials: Sequence[FrozenTrial] | None = None,
        objectives: Sequence[int] | None = None,
    ) -> None:
        storage = optuna.storages.InMemoryStorage()
        kept = range(len(study.directions)) if objectives is None else objectives
        with quiet():
            optuna.create_study(
                study_name=study.study_name, storage=storage, directions=[study.directions[i] for i in kept]
            )
        super().__init__(study.study_name, storage)
        ended = study.get_trials(deepcopy=False) if trials is None else trials
        self._ended = [trial for trial in ended if trial.state.is_finished()]

    def get_trials(self, deepcopy: bool = True, states: Container[TrialState] | None = None) -> list[FrozenTrial]:
        """Those in one of the states, by number."""
        found = [trial for trial in self._ended if states is None or trial.state in states]
        return copied(found) if deepcopy else found

    @property
    def done(self) -> list[FrozenTrial]:
        """Those that have values."""
        return self.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))

    def having(self, *names: str) -> "Finished":
        """Those that have all of these parameters."""
        return Finished(self, [trial for trial in self._ended if all(name in trial.params for name in names)])

    def together(self, *names: str) -> int:
        """How many different combinations of these parameters were done."""
        return len({tuple(repr(trial.params[name]) for name in names) for trial in self.having(*names).done})

    def of_objectives(self, *places: int) -> "Finished":
        """The done ones with these objectives alone."""
        trials: list[Any] = []
        for trial in self.done:
            own = copied(trial)
            own.values = [trial.values[place] for place in places]
            trials.append(own)
        return Finished(self, trials, places)
