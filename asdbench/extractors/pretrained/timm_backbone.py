"""Any backbone of timm with its weights, on spectrograms as images."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import timm
import torch
from timm.models import adapt_input_conv, load_state_dict
from torch import Tensor, nn

from asdbench.core.errors import RequirementError, UsageError, did_you_mean
from asdbench.datasets.clips import TrainingClip
from asdbench.extractors.base import Context
from asdbench.extractors.batches import LEAST_SPREAD, mean_and_spread
from asdbench.extractors.pretrained.frozen import FrozenNetwork, Values, digest_of_download, first_line, named_line

NAME = "pretrained-timm"


class TimmBackbone(FrozenNetwork):
    """Feature maps of an image network; positions are the places of the map, or the tokens of a transformer.

    Spectrograms have one channel: timm sums the weights of the first layer over the three colours, which is the answer
    to three equal channels.

    Raises:
        UsageError: timm knows no such backbone.
    """

    def __init__(
        self, *, backbone: str, weights: str, layer: int, poolings: Sequence[str], standardise: str, image: int
    ) -> None:
        super().__init__(poolings)
        if not timm.is_model(backbone) and not backbone.startswith("hf-hub:"):
            hint = did_you_mean(backbone, timm.list_models())
            raise UsageError(f"{NAME}.backbone: timm has no model '{backbone}'.{hint} See: timm.list_models()")
        self._backbone = backbone
        self._weights = weights
        self._layer = layer
        self._standardise = standardise
        self._image = image
        self.needs_fit = standardise == "training"
        self._level = (0.0, 1.0)

    def fit(self, clips: Sequence[TrainingClip], context: Context) -> None:
        """Measure mean and deviation of the training features, where the input is standardised by them.

        Raises:
            UsageError: the file holds no weights of this backbone.
            RequirementError: the weights cannot be had from the hub.
        """
        self.loaded(context)
        if self._standardise == "training":
            mean, std = mean_and_spread([clip.key for clip in clips], context)
            self._level = (float(mean), float(std))

    def values(self, features: Iterable[Values], context: Context) -> Iterator[Values]:
        """(dim, places) of the feature map of each clip."""
        network = self.loaded(context)
        for one in features:
            with torch.inference_mode():
                image = self._as_image(torch.from_numpy(one)).to(context.device)
                yield self._feature_map(network, image[None])[0].flatten(1).float().cpu().numpy()

    def _as_image(self, features: Tensor) -> Tensor:
        mean, std = self._level
        if self._standardise == "clip":
            mean, std = float(features.mean()), max(float(features.std(correction=0)), LEAST_SPREAD)
        image = (features - mean) / std
        if not self._image:
            return image
        size = (self._image, self._image)
        return nn.functional.interpolate(image[None], size, mode="bilinear", antialias=True)[0]

    def _feature_map(self, network: Any, image: Tensor) -> Tensor:
        """(1, dim, ...) of the asked layer."""
        try:
            if self._layer < 0:
                return _channels_first(network, network.forward_features(image))
            (feature_map,) = network.forward_intermediates(image, indices=[self._layer], intermediates_only=True)
        except (RuntimeError, AssertionError, ValueError, AttributeError) as error:
            raise UsageError(
                f"{NAME}: '{self._backbone}' refuses layer {self._layer} of images {tuple(image.shape[1:])}: "
                f"{first_line(error)}.\nOther sizes and layers: -p {NAME}.image=224, -p {NAME}.layer=-1"
            ) from error
        return feature_map  # type: ignore[no-any-return]

    def load_network(self) -> nn.Module:
        """The backbone with its weights."""
        return _from_file(self._backbone, self._weights) if self._weights else _from_hub(self._backbone)

    def save(self, folder: Path) -> None:
        """Write mean and deviation of the input."""
        (folder / "level.json").write_text(json.dumps(self._level))

    def load(self, folder: Path) -> None:
        """Read mean and deviation of the input."""
        mean, std = json.loads((folder / "level.json").read_text())
        self._level = (mean, std)


def _channels_first(network: Any, output: Tensor) -> Tensor:
    """(1, dim, ...) of a map with channels first or last, or of tokens, without those of class and registers."""
    if output.ndim == 3:
        return output[:, getattr(network, "num_prefix_tokens", 0) :].mT
    return output if output.shape[1] == network.num_features else output.permute(0, 3, 1, 2)


def hub_weights(params: Mapping[str, Any]) -> str | None:
    """Digest of the weights that the hub has for the backbone; None where they come from a file.

    Raises:
        RequirementError: they cannot be had.
    """
    return None if params["weights"] else digest_of_download(_from_hub, params["backbone"])


def _from_hub(backbone: str) -> nn.Module:
    try:
        return timm.create_model(backbone, pretrained=True, in_chans=1, num_classes=0)
    except Exception as error:  # a download may fail in any way that the hub's libraries know
        raise RequirementError(
            f"{NAME}: the weights of '{backbone}' cannot be had from the hub ({named_line(error)}).\n"
            f"Without a network give them as a file: -p {NAME}.weights=FILE.safetensors"
        ) from error


def _from_file(backbone: str, path: str) -> nn.Module:
    """The network with weights of a .safetensors or .pth file, as timm names them; those of a classifier are left out.

    Raises:
        UsageError: the file cannot be read without running code in it, or holds weights of another network, or timm has
            no weights of the tag that the backbone is named with.
        RequirementError: a model of the hub whose description cannot be had.
    """
    try:
        network: nn.Module = timm.create_model(backbone, pretrained=False, in_chans=1, num_classes=0)
    except Exception as error:  # a download may fail in any way that the hub's libraries know
        reason = named_line(error)
        if not backbone.startswith("hf-hub:"):
            raise UsageError(
                f"{NAME}.backbone: timm cannot make '{backbone}' ({reason}). Leave its tag out."
            ) from error
        raise RequirementError(
            f"{NAME}: '{backbone}' is described on the hub alone, which cannot be reached ({reason}).\n"
            f"Without a network name timm's own backbone beside the file: -p {NAME}.backbone=resnet18"
        ) from error
    try:
        state = load_state_dict(path, weights_only=True)
        for name in _first_convolutions(network):
            state[f"{name}.weight"] = adapt_input_conv(1, state[f"{name}.weight"])
        lacking = network.load_state_dict(state, strict=False).missing_keys
        reason = f"{len(lacking)} of {len(network.state_dict())} tensors are not in it, {lacking[0]}" if lacking else ""
    except KeyError as error:
        reason = f"{error} is not in it"
    except Exception as error:  # what torch and safetensors raise for files of another kind has no common name
        reason = first_line(error)
    if reason:
        raise UsageError(
            f"{NAME}.weights: {path} does not hold the weights of timm's '{backbone}': {reason}.\n"
            "Accepted: its state_dict as .safetensors, or as .pth that holds tensors alone."
        )
    return network


def _first_convolutions(network: Any) -> list[str]:
    named = network.pretrained_cfg.get("first_conv") or []
    return [named] if isinstance(named, str) else list(named)
