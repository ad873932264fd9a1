"""A trained system that scores new recordings."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import RLock
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from asdbench.core.errors import AsdbenchError, DataError, RequirementError, UsageError, did_you_mean
from asdbench.core.faults import fault_of
from asdbench.core.progress import Silent
from asdbench.datasets import BlindClip
from asdbench.datasets.audio import BadRecording
from asdbench.extractors.base import Context, Extractor
from asdbench.frontends.pack import InMemoryFeatures
from asdbench.harness.machine import available_cores, full_precision, resolve_device, torch_threads
from asdbench.harness.outputs import checked_embeddings, checked_scores
from asdbench.harness.record import RunRecord, load_record
from asdbench.harness.scoring import fitted_scorer
from asdbench.registry import Component
from asdbench.registry.cards import ScorerCard
from asdbench.scorers.base import Scorer
from asdbench.trained.components import find_components
from asdbench.trained.folder import SAVE_AGAIN, SystemFile, extractor_folder, read_system_file, read_training
from asdbench.trained.recordings import Decoded, Recording, decode_all, name_of

AT_ONCE = 96  # recordings whose features are in memory together


@dataclass(frozen=True)
class Scored:
    """What a trained system gives for recordings, in their order.

    Attributes:
        scores: anomaly scores, float64 (n,); higher is more anomalous.
        decisions: int64 (n,); 1 where the score lies above the threshold.
        threshold: of the machine type and section.
    """

    scores: NDArray[np.float64]
    decisions: NDArray[np.int64]
    threshold: float


class TrainedSystem:
    """Extractors as they were trained, and scorers fitted to the training embeddings as the run did.

    Scores are those of the run, to the last bit where clips are embedded one by one (statistics, the autoencoder). The
    sums of a network that takes many at once depend, in the last bits of float32, on how many come together.
    A system may be used by several threads; they take turns.

    Attributes:
        record: of the run.
        device: "cpu" or "cuda".
    """

    def __init__(
        self, folder: Path, record: RunRecord, content: SystemFile, components: dict[str, Component], device: str
    ) -> None:
        self.record = record
        self.device = device
        self._folder = folder
        self._content = content
        self._extractor, self._scorer = components["extractors"], components["scorers"]
        self._frontend = components["frontends"].build()
        self._extractors: dict[int, Extractor] = {}
        self._scorers: dict[tuple[str, str], Scorer] = {}
        self._turn = RLock()

    @property
    def machines(self) -> dict[str, list[str]]:
        """Sections of each machine type that recordings can be scored as."""
        return {machine: sorted(self.record.thresholds[machine]) for machine in sorted(self._content.machines)}

    @property
    def sample_rate_hz(self) -> int:
        """Rate that recordings are resampled to."""
        return int(self._frontend.sample_rate_hz)

    @property
    def min_samples(self) -> int:
        """Samples of the shortest recording, at that rate."""
        return int(self._frontend.min_samples)

    def score(self, recordings: Sequence[Recording], machine: str | None = None, section: str | None = None) -> Scored:
        """Score recordings of one machine type and section.

        Args:
            recordings: paths, or ``Sound`` for arrays.
            machine: machine type; may be left out where the system knows one.
            section: its number ("00"); the first one when left out.

        Raises:
            UsageError: a machine type or section that the system was not trained for.
            DataError: recordings that cannot be used; all of them are named.
        """
        machine, section = self._settled(machine, section)
        with self._turn:
            rows = self._embedded(recordings, machine, section)
            scores = self._scores(rows, machine, section) if rows is not None else np.empty(0)
        threshold = self.record.thresholds[machine][section].value
        return Scored(scores, (scores > threshold).astype(np.int64), threshold)

    def _settled(self, machine: str | None, section: str | None) -> tuple[str, str]:
        known = self.machines
        if machine is None and len(known) > 1:
            raise UsageError(f"The system knows several machine types; name one of {', '.join(known)}.")
        machine = machine if machine is not None else next(iter(known))
        if machine not in known:
            hint = did_you_mean(machine, known)
            raise UsageError(f"The system was not trained for '{machine}'.{hint} Accepted: {', '.join(known)}.")
        section = section if section is not None else known[machine][0]
        if section not in known[machine]:
            raise UsageError(f"{machine} has no section '{section}'. Accepted: {', '.join(known[machine])}.")
        return machine, section

    def _embedded(self, recordings: Sequence[Recording], machine: str, section: str) -> NDArray[np.float32] | None:
        """(n, dim); None for no recordings."""
        embedded: list[NDArray[np.float32]] = []
        problems: list[str] = []
        for start in range(0, len(recordings), AT_ONCE):
            chosen = recordings[start : start + AT_ONCE]
            names = [name_of(one, start + offset) for offset, one in enumerate(chosen)]
            decoded = decode_all(chosen, self._frontend, available_cores())
            bad = [f"{name}: {one}" for name, one in zip(names, decoded, strict=True) if isinstance(one, BadRecording)]
            problems += bad
            sound = [(name, one) for name, one in zip(names, decoded, strict=True) if isinstance(one, Decoded)]
            try:
                if sound and not bad:
                    embedded.append(self._embed([one for _, one in sound], machine, section))
            except (RequirementError, UsageError):  # of the system, not of a recording
                raise
            except AsdbenchError:
                problems += self._refused(sound, machine, section)
        if problems:
            raise DataError(f"{len(problems)} of {len(recordings)} recording(s) cannot be scored:", problems)
        return np.concatenate(embedded) if embedded else None

    def _refused(self, sounds: Sequence[tuple[str, Decoded]], machine: str, section: str) -> list[str]:
        """Which recordings the extractor refuses, and why."""
        problems = []
        for name, one in sounds:
            try:
                self._embed([one], machine, section)
            except AsdbenchError as error:
                problems.append(f"{name}: {error}")
        if not problems:
            self._embed([one for _, one in sounds], machine, section)  # not of one recording: report it as it is
        return problems

    def _embed(self, decoded: Sequence[Decoded], machine: str, section: str) -> NDArray[np.float32]:
        features = {one.key: one.features for one in decoded}
        keys = sorted(features)
        context = Context(
            seed=self._content.machines[machine].seed,
            device=self.device,
            jobs=available_cores(),
            progress=Silent(),
            features=InMemoryFeatures(features),
            frame_rate_hz=self._frontend.frame_rate_hz,
        )
        clips = [BlindClip(key, machine, section) for key in keys]
        extractor = self._fitted_extractor(machine)
        try:
            with torch_threads(self.record.environment.threads or 1), full_precision(self.device):
                rows = extractor.embed(clips, context)
        except AsdbenchError:
            raise
        except Exception as error:  # networks and plugins may raise anything on a length they do not take
            raise AsdbenchError(f"{self._extractor.name} failed on it: {fault_of(error).reason}") from error
        rows = checked_embeddings(rows, len(clips), self._extractor.name, machine)
        place = {key: row for row, key in enumerate(keys)}
        return rows[[place[one.key] for one in decoded]]

    def _fitted_extractor(self, machine: str) -> Extractor:
        number = self._content.machines[machine].extractor
        if number not in self._extractors:
            extractor: Extractor = self._extractor.build()
            place = extractor_folder(self._folder, number)
            try:
                extractor.load(place)
            except Exception as error:
                reason = fault_of(error).reason.splitlines()[0]
                raise RequirementError(
                    f"The trained extractor in {place} cannot be loaded: {reason}.\n{SAVE_AGAIN}"
                ) from error
            self._extractors[number] = extractor
        return self._extractors[number]

    def _scores(self, rows: NDArray[np.float32], machine: str, section: str) -> NDArray[np.float64]:
        import scipy.linalg  # noqa: F401  # brings a BLAS of its own, which can be limited only once it is there

        with threadpool_limits(limits=1):  # as a run scores
            if (machine, section) not in self._scorers:
                self._scorers[machine, section] = self._fitted_scorer(machine, section)
            return checked_scores(self._scorers[machine, section].score(rows), len(rows), self._scorer.name)

    def _fitted_scorer(self, machine: str, section: str) -> Scorer:
        assert isinstance(self._scorer.card, ScorerCard)
        clips, rows = read_training(self._folder, machine)
        if self._scorer.card.fit_on == "section":
            chosen = [place for place, clip in enumerate(clips) if clip.section == section]
            clips, rows = [clips[place] for place in chosen], rows[chosen]
        return fitted_scorer(self._scorer, self.record.asked.seed, machine, section, rows, clips)


def load_system(folder: Path | str, *, plugin_path: Sequence[Path] = (), device: str | None = None) -> TrainedSystem:
    """Open what ``save_system`` wrote.

    Args:
        folder: of the system.
        plugin_path: folders of third-party components.
        device: "auto", "cpu" or "cuda"; the run's when None, or the CPU where there is no GPU.

    Raises:
        RequirementError: the folder is damaged, or a component is not there, or is another one now.
    """
    folder = Path(folder)
    content = read_system_file(folder)
    record = load_record(folder, files=False)
    components = find_components(folder, record, content, plugin_path)
    asked: Any = device or ("auto" if record.environment.device == "cuda" else "cpu")
    return TrainedSystem(folder, record, content, components, resolve_device(asked))
