"""One extractor of a detector as it was fitted: from sounds to embeddings."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from asdbench.core.errors import AsdbenchError, RequirementError
from asdbench.core.faults import fault_of
from asdbench.core.threads import torch_threads
from asdbench.datasets.audio import BadRecording
from asdbench.detector.recordings import Sound
from asdbench.detector.schema import Member
from asdbench.extractors.base import Extractor
from asdbench.frontends.base import Frontend
from asdbench.frontends.decoding import Waveform, convert
from asdbench.harness.fits import embed_features
from asdbench.registry import Component

Rows = NDArray[np.float32]


class FittedMember:
    """A front end and the extractors that were trained behind it.

    Attributes:
        frontend: built.
    """

    def __init__(
        self, folder: Path, content: Member, extractor: Component, frontend: Component, device: str, threads: int
    ) -> None:
        self._folder = folder  # of the extractors, by number
        self._fits = content.fits
        self._component = extractor
        self._device = device
        self._threads = threads  # on the CPU; last digits depend on it
        self._extractors: dict[int, Extractor] = {}
        self.frontend = frontend.build()

    def waveform(self, sound: Sound) -> Waveform | BadRecording:
        """The sound as the front end takes it, (samples,)."""
        try:
            return convert(sound.samples, int(sound.sample_rate_hz), self.frontend)
        except BadRecording as reason:
            return reason

    def embed(
        self, waveforms: Sequence[Waveform], machine: str, section: str
    ) -> list[NDArray[np.float32] | BadRecording]:
        """An embedding (dim,) of each waveform, or why the extractor refuses it.

        Raises:
            RequirementError: the trained extractor cannot be loaded.
            AsdbenchError: it fails on all of them together, but on none alone.
        """
        features = [features_of_waveform(one, self.frontend) for one in waveforms]
        try:
            return list(self._embedded(features, machine, section))
        except RequirementError:
            raise
        except AsdbenchError as together:
            alone = [self._alone(one, machine, section) for one in features]
            if not any(isinstance(one, BadRecording) for one in alone):
                raise together
            return alone

    def extractor(self, machine: str) -> Extractor:
        """The trained extractor of a machine type. Raises RequirementError: it cannot be loaded."""
        number = self._fits[machine].number
        if number not in self._extractors:
            extractor: Extractor = self._component.build()
            try:
                extractor.load(self._folder / str(number))
            except Exception as error:
                reason = fault_of(error).reason.splitlines()[0]
                raise RequirementError(
                    f"The trained extractor '{self._component.name}' cannot be loaded: {reason}.\nFit it again."
                ) from error
            self._extractors[number] = extractor
        return self._extractors[number]

    def _alone(self, features: NDArray[np.float32], machine: str, section: str) -> NDArray[np.float32] | BadRecording:
        try:
            return np.asarray(self._embedded([features], machine, section)[0])
        except RequirementError:
            raise
        except AsdbenchError as error:
            return BadRecording(str(error))

    def _embedded(self, features: Sequence[NDArray[np.float32]], machine: str, section: str) -> Rows:
        return embed_features(
            self.extractor(machine),
            self._component.name,
            features,
            self.frontend,
            seed=self._fits[machine].seed,
            device=self._device,
            threads=self._threads,
            machine=machine,
            section=section,
        )


def features_of(sound: Sound, frontend: Frontend) -> NDArray[np.float32]:
    """Features (channels, bins, frames) of a recording. Raises BadRecording: it cannot be used."""
    return features_of_waveform(convert(sound.samples, int(sound.sample_rate_hz), frontend), frontend)


def features_of_waveform(waveform: Waveform, frontend: Frontend) -> NDArray[np.float32]:
    """The same of samples (n,) as the front end takes them."""
    import torch

    with torch_threads(1):
        features = frontend(torch.from_numpy(waveform[None])).numpy()[0]
    return np.ascontiguousarray(features, np.float32)  # in the order of a run's pack: sums depend on it
