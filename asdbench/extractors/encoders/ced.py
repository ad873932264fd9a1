"""CED: consistent ensemble distillation for audio tagging (Dinkel et al., 2023)."""

from collections.abc import Mapping
from typing import Any, ClassVar

from asdbench.extractors.encoders.dasheng import DEFAULTS, DashengNetwork
from asdbench.extractors.encoders.encoder import Encoder
from asdbench.extractors.encoders.network import FOLDER, EncoderNetwork
from asdbench.extractors.encoders.vit import sizes_of

OWN = {"patch_size": 16, "patch_stride": 16, "num_heads": 12, "target_length": 1012}


class Ced(Encoder):
    """Patches of 160 ms by 16 of 64 mel bands, 4 bands, from a transformer taught to tag sounds by many larger ones.

    The last layer's output goes through the network's final normalisation, that of others does not; the output layer
    is left out. Clips longer than 1,012 frames of 10 ms go through in windows of that length.
    """

    name = "ced"

    @property
    def network_class(self) -> type[EncoderNetwork]:
        """CED's network."""
        return CedNetwork


class CedNetwork(DashengNetwork):
    """Dasheng's network with other patches; its published file holds weights alone, which show their sizes."""

    architecture = "CED"
    accepted = f"a published file of CED (RicherMans/CED), or its {FOLDER}"
    defaults: ClassVar[Mapping[str, Any]] = {**DEFAULTS, **OWN}

    @classmethod
    def sizes(cls, state: Mapping[str, Any]) -> dict[str, Any]:
        """Read off the transformer, and off the positions where these are not the published ones."""
        mels, bands, times = (
            len(state["init_bn.1.weight"]), state["freq_pos_embed"].shape[2], state["time_pos_embed"].shape[3]
        )  # fmt: skip
        stride = mels // bands
        published = cls.defaults["target_length"]
        return {
            **sizes_of(state), "n_mels": mels, "patch_size": tuple(state["patch_embed.proj.weight"].shape[2:]),
            "patch_stride": stride, "target_length": published if times == published // stride else times * stride,
            "pooling": "token" if "cls_token" in state else "mean",
        }  # fmt: skip
