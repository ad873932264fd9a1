"""A fitted system with a threshold: scores recordings, decides, explains, and is one file."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter, ValidationError

from asdbench.core.documentation import page
from asdbench.core.errors import RequirementError, UsageError, did_you_mean
from asdbench.core.files import require_writable
from asdbench.datasets import TrainingClip
from asdbench.datasets.audio import BadRecording
from asdbench.detector.archive import FIT_AGAIN, pack
from asdbench.detector.member import FittedMember
from asdbench.detector.recordings import Given, Sound
from asdbench.detector.schema import DetectorFile, Machine
from asdbench.detector.scoring import Model, ScoresRecordings
from asdbench.frontends.decoding import Waveform
from asdbench.harness.machine import available_cores
from asdbench.harness.scoring import SectionScorer
from asdbench.protocols.threshold import Threshold, ThresholdRule
from asdbench.registry import Component
from asdbench.registry.instances import InstanceComponent
from asdbench.scorers.base import Embeddings as Rows

if TYPE_CHECKING:
    from asdbench.detector.explanation import Explanation

_CLIPS = TypeAdapter(list[TrainingClip])


class Detector(ScoresRecordings):
    """Made by ``asdbench.fit``, or read by ``Detector.load``.

    Scores are those of a run of the same components and recordings, to the last bit where clips are embedded one by
    one (statistics, the autoencoder); the sums of a network that takes many at once depend, in the last bits of
    float32, on how many come together. A detector may be used by several threads; they take turns.

    Attributes:
        content: all that the file says of itself.
        device: "cpu" or "cuda".
        notes: what the user should know.

    Examples:
        >>> import asdbench as asd
        >>> detector = asd.fit(asd.load("synthetic", machines=["fan"]), extractor="raw-mel", scorer="knn")
        >>> detector.machines
        {'fan': ['00']}
    """

    def __init__(
        self, folder: Path, content: DetectorFile, components: Mapping[str, list[Component]], device: str, keep: Any
    ) -> None:
        self.content = content
        self.device = device
        self.notes = list(content.notes)
        self._folder = folder
        self._keep = keep  # a temporary folder lives as long as the detector
        self._components = components
        self._members = [
            FittedMember(folder / "extractors" / str(number), member, extractor, frontend, device, content.threads)
            for number, (member, extractor, frontend) in enumerate(
                zip(content.members, components["extractors"], components["frontends"], strict=True)
            )
        ]
        self._scorers: dict[tuple[str, str], SectionScorer] = {}
        self._turn = RLock()

    @classmethod
    def load(cls, path: str | Path, *, plugin_path: Sequence[str | Path] = (), device: str = "auto") -> "Detector":
        """Read what ``save`` wrote.

        Args:
            path: of the file; or the folder of a system that an older asdbench saved.
            plugin_path: folders of third-party components that it needs; the file itself names none that is imported.
            device: "auto", "cpu" or "cuda"; "auto" is the CPU for what was fitted there.

        Raises:
            RequirementError: it is damaged, of a newer asdbench, or needs a component that is not there or is another
                one now.
        """
        from asdbench.detector.loading import load_detector

        return load_detector(Path(path), [Path(one) for one in plugin_path], device)

    def save(self, path: str | Path) -> Path:
        """Write the detector as one file, whole or not at all.

        Raises:
            UsageError: nothing can be written there.
            RequirementError: a part is an object of the user's own, which has no name by which it could be found again.
        """
        path = Path(path).expanduser()
        for part in (part for parts in self._components.values() for part in parts):
            if isinstance(part, InstanceComponent):
                raise RequirementError(
                    f"A detector with an object of your own ({part.target}) cannot be saved: nothing is pickled.\n"
                    f"Give it a card, and name it: {page('how-to/plugins')}"
                )
        if path.is_dir():
            raise UsageError(f"{path} is a folder; a detector is one file, {path / 'detector.asd'} for instance.")
        require_writable(path.parent)
        pack(self._folder, path)
        return path

    @property
    def name(self) -> str:
        """The system's card, or extractor and scorer."""
        return self.content.name

    @property
    def machines(self) -> dict[str, list[str]]:
        """Sections of each machine type that recordings can be scored as."""
        return {name: sorted(machine.thresholds) for name, machine in sorted(self.content.machines.items())}

    @property
    def sample_rate_hz(self) -> int:
        """Rate that recordings are resampled to."""
        return int(self._members[0].frontend.sample_rate_hz)

    @property
    def min_samples(self) -> int:
        """Samples of the shortest recording, at that rate."""
        return int(self._members[0].frontend.min_samples)

    def training_scores(self, machine: str | None = None, section: str | None = None) -> NDArray[np.float64]:
        """Scores of the healthy clips by scorers that had not seen them, float64 (n,); the threshold is of them."""
        machine, section = self.settled(machine, section)
        stored = self.arrays(machine).get(f"scores.{section}")
        if stored is None:  # of an older version's folder
            scorer = self._section_scorer(machine, section)
            stored = scorer.fit(self.training_rows(machine), self._training(machine)).training_scores()
        return np.asarray(stored, np.float64)

    def threshold(
        self, machine: str | None = None, section: str | None = None, rule: ThresholdRule | None = None
    ) -> Threshold:
        """The threshold that was set, or that another rule makes of the same training scores.

        Raises:
            UsageError: no such machine type or section, or more clips are needed for the rate.
        """
        machine, section = self.settled(machine, section)
        if rule is None:
            used = self.content.machines[machine].thresholds[section]
            return Threshold(used.value, used.method)
        training = self._training(machine)
        scores = self.training_scores(machine, section)
        if len(scores) != len(training):
            training = [clip for clip in training if clip.section == section]
        return rule.fit(scores, [clip.domain for clip in training])

    def _model(self, machine: str, section: str, rule: ThresholdRule | None) -> Model:
        return Model(
            partial(self.scores_of, machine=machine, section=section),
            self.sample_rate_hz,
            self._members[0].frontend.channel,
            self.content.machines[machine].clip_s,
            self.threshold(machine, section, rule),
            self.training_scores(machine, section),
            [note for note in self.notes if note not in self.content.notes],  # those of the fit were shown then
            jobs=available_cores(),
        )

    def explain(self, recording: Given, machine: str | None = None, section: str | None = None) -> "Explanation":
        """Which parts of a recording, in time and frequency, raise its score, and which healthy clip it is nearest to.

        The recording is scored again with one region after the other replaced by the healthy mean; it costs about 80
        scorings of one recording.

        Raises:
            UsageError: no such machine type or section.
            DataError: the recording cannot be used.
        """
        from asdbench.detector.explanation import explain

        return explain(self, recording, *self.settled(machine, section))

    def settled(self, machine: str | None = None, section: str | None = None) -> tuple[str, str]:
        """The machine type and section that are meant.

        Raises:
            UsageError: there are several, and none is named; or there is none of that name.
        """
        known = self.machines
        if machine is None and len(known) > 1:
            raise UsageError(f"The detector knows several machine types; name one with --machine: {', '.join(known)}.")
        machine = machine if machine is not None else next(iter(known))
        if machine not in known:
            hint = did_you_mean(machine, known)
            raise UsageError(f"The detector was not fitted to '{machine}'.{hint} Accepted: {', '.join(known)}.")
        section = section if section is not None else known[machine][0]
        if section not in known[machine]:
            raise UsageError(f"{machine} has no section '{section}'. Accepted: {', '.join(known[machine])}.")
        return machine, section

    def scores_of(self, sounds: Sequence[Sound], machine: str, section: str) -> list[float | BadRecording]:
        """A score for each sound, or why it has none."""
        waveforms = [[member.waveform(one) for one in sounds] for member in self._members]
        return self.scores_of_waveforms(waveforms, machine, section)

    def scores_of_waveforms(
        self, waveforms: Sequence[Sequence[Waveform | BadRecording]], machine: str, section: str
    ) -> list[float | BadRecording]:
        """The same of waveforms as the front ends take them, by member."""
        with self._turn:
            embedded = self.embed(waveforms, machine, section)
            reasons = [next((one for one in rows if isinstance(one, BadRecording)), None) for rows in embedded]
            good = [rows for rows, reason in zip(embedded, reasons, strict=True) if reason is None]
            if not good:
                return [reason for reason in reasons if reason is not None]
            columns: Any = [np.stack(column) for column in zip(*good, strict=True)]
            scores = iter(self.scorer(machine, section).score(columns).tolist())
            return [reason if reason is not None else next(scores) for reason in reasons]

    def embed(
        self, waveforms: Sequence[Sequence[Waveform | BadRecording]], machine: str, section: str
    ) -> list[tuple[NDArray[np.float32] | BadRecording, ...]]:
        """Embeddings (dim,) of each recording by member, or why there is none, of waveforms by member."""
        columns = []
        for member, of_member in zip(self._members, waveforms, strict=True):
            good = [one for one in of_member if not isinstance(one, BadRecording)]
            rows = iter(member.embed(good, machine, section) if good else [])
            columns.append([one if isinstance(one, BadRecording) else next(rows) for one in of_member])
        return list(zip(*columns, strict=True))

    def scorer(self, machine: str, section: str) -> SectionScorer:
        """The scorers of a section, fitted anew to the training embeddings that are in the file."""
        with self._turn:
            if (machine, section) not in self._scorers:
                scorer = self._section_scorer(machine, section)
                scorer.fit(self.training_rows(machine), self._training(machine))
                self._scorers[machine, section] = scorer
            return self._scorers[machine, section]

    def _section_scorer(self, machine: str, section: str) -> SectionScorer:
        combine = self._components["combine"]
        return SectionScorer(
            self._components["scorers"], combine[0] if combine else None, self.content.seed, machine, section
        )

    def training_rows(self, machine: str) -> list[Rows]:
        """Embeddings of the machine type's training clips by member, (n, dim) each."""
        arrays = self.arrays(machine)
        return [arrays[f"rows.{number}"] for number in range(len(self._members))]

    @property
    def members(self) -> list[FittedMember]:
        """The extractors as they were fitted."""
        return self._members

    def arrays(self, machine: str) -> dict[str, NDArray[Any]]:
        """All arrays of a machine type, as the file has them."""
        from safetensors.numpy import load_file

        path = machine_file(self._folder, self.content.machines[machine])
        try:
            arrays: dict[str, NDArray[Any]] = load_file(path)
            if any(f"rows.{number}" not in arrays for number in range(len(self._members))):
                raise ValueError("embeddings are missing")
        except Exception as error:  # safetensors' errors have no common base
            raise _unreadable(path, error) from error
        return arrays

    def _training(self, machine: str) -> list[TrainingClip]:
        path = machine_file(self._folder, self.content.machines[machine]).with_suffix(".json")
        try:
            return _CLIPS.validate_json(path.read_bytes())
        except (OSError, ValidationError) as error:
            raise _unreadable(path, error) from error


def machine_file(folder: Path, machine: Machine) -> Path:
    """The arrays of a machine type; what is known of its clips lies beside them, as JSON."""
    return folder / "machines" / f"{machine.number}.safetensors"


def _unreadable(member: Path, error: Exception) -> RequirementError:
    reason = str(error).splitlines()[0].rstrip(".")
    return RequirementError(f"The detector is damaged, {member.parent.name}/{member.name}: {reason}.\n{FIT_AGAIN}")
