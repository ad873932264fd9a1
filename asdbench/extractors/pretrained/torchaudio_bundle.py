"""Speech networks of torchaudio's pipelines."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torchaudio import pipelines

from asdbench.core.errors import RequirementError, UsageError, did_you_mean
from asdbench.datasets.clips import TrainingClip
from asdbench.extractors.base import Context
from asdbench.extractors.pretrained.frozen import FrozenNetwork, Values, digest_of_download, named_line

NAME = "pretrained-torchaudio"


class TorchaudioBundle(FrozenNetwork):
    """Outputs of one transformer layer of wav2vec 2.0, HuBERT, WavLM and the like; positions are their frames (20 ms).

    Raises:
        UsageError: torchaudio has no such bundle.
    """

    def __init__(self, *, bundle: str, weights: str, layer: int, poolings: Sequence[str]) -> None:
        super().__init__(poolings)
        known = [name for name, one in vars(pipelines).items() if isinstance(one, pipelines.Wav2Vec2Bundle)]
        if bundle not in known:
            raise UsageError(
                f"{NAME}.bundle: torchaudio has no bundle '{bundle}' that embeds.{did_you_mean(bundle, known)} "
                f"Accepted: {', '.join(sorted(known))}."
            )
        self._name = bundle
        self._bundle = getattr(pipelines, bundle)
        self._weights = Path(weights) if weights else None
        self._layer = layer

    def fit(self, clips: Sequence[TrainingClip], context: Context) -> None:
        """Nothing to learn; the weights are loaded, so that it fails here when they cannot be.

        Raises:
            UsageError: another sample rate than the network's, or a file that does not hold its weights.
            RequirementError: the weights cannot be downloaded.
        """
        self.loaded(context)

    def values(self, features: Iterable[Values], context: Context) -> Iterator[Values]:
        """(dim, frames) of the asked layer."""
        network = self.loaded(context)
        for one in features:
            with torch.inference_mode():
                waveform = torch.from_numpy(one.reshape(1, -1)).to(context.device)
                try:
                    layers, _ = network.extract_features(waveform, None, self._layer or None)
                except ValueError as error:
                    raise UsageError(f"{NAME}.layer is {self._layer}; {self._name}: {error}.") from error
                yield layers[-1][0].T.float().cpu().numpy()

    def loaded(self, context: Context) -> Any:
        """The network, where the front end has its sample rate."""
        rate = self._bundle.sample_rate
        if context.frame_rate_hz != rate:
            raise UsageError(
                f"{self._name} takes waveforms at {rate:g} Hz; the front end gives {context.frame_rate_hz:g} frames a "
                f"second.\nIts front end: --frontend waveform -p waveform.sample_rate_hz={rate:g}"
            )
        return super().loaded(context)

    def load_network(self) -> Any:
        """The network with its weights.

        Raises:
            UsageError: the file does not hold its weights.
            RequirementError: they cannot be downloaded.
        """
        options: dict[str, Any] = {"map_location": "cpu", "weights_only": True, "progress": False}
        if self._weights is not None:
            options |= {"model_dir": str(self._weights.parent), "file_name": self._weights.name}
        try:
            return self._bundle.get_model(dl_kwargs=options)
        except Exception as error:  # a download may fail in any way; torch has no common name for files of another kind
            reason = named_line(error)
            if self._weights is None:
                raise RequirementError(
                    f"{NAME}: the weights of {self._name} cannot be downloaded ({reason}).\n"
                    f"Without a network give them as a file: -p {NAME}.weights=FILE.pth"
                ) from error
            raise UsageError(
                f"{NAME}.weights: {self._weights} does not hold torchaudio's weights of {self._name}: {reason}"
            ) from error


def hub_weights(params: Mapping[str, Any]) -> str | None:
    """Digest of the weights that are downloaded for the bundle; None where they come from a file.

    Raises:
        RequirementError: they cannot be had.
    """
    return None if params["weights"] else digest_of_download(_downloaded, params["bundle"])


def _downloaded(bundle: str) -> Any:
    return TorchaudioBundle(bundle=bundle, weights="", layer=0, poolings=()).load_network()
