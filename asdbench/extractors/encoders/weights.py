"""Published weights files: read without running code in them, and told apart."""

import re
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from asdbench.core.errors import UsageError
from asdbench.extractors.encoders.network import EncoderNetwork

State = dict[str, Tensor]
NAMED = 4  # keys that a message names

# What keys of a file contain, and whose file it then is; the first that holds decides.
LOOKS = (
    (r"^(.*\.)?feature_extractor\.conv_layers\.", "a speech network (wav2vec 2.0, HuBERT, WavLM, data2vec)"),
    (r"^quantize\.", "a tokenizer of BEATs"),
    (r"^encoder\.layers\.\d+\.self_attn\.(grep_|relative_)|^encoder\.pos_conv\.", "BEATs"),
    (r"^(.*\.)?modality_encoders\.", "EAT or data2vec 2.0"),
    (r"^audio_spectrogram_transformer\.|^(module\.)?v\.blocks\.", "AST"),
    (r"^outputlayer\.", "CED"),
    (r"^time_pos_embed$|^(encoder\.)?init_bn\.", "Dasheng"),
    (r"^(module\.)?conv_block1\.", "PANNs"),
    (r"^(.*\.)?audio_branch\.", "CLAP"),
    (r"^(.*\.)?cls_token$", "a vision transformer"),
    (r"^(.*\.)?layer1\.0\.conv1\.", "a ResNet"),
)


def looks_like(state: Mapping[str, Any]) -> str:
    """Whose weights the keys are; "" where nobody's that is known here."""
    return next((whose for mark, whose in LOOKS if any(re.search(mark, key) for key in state)), "")


def load_network(name: str, path: str, kind: type[EncoderNetwork]) -> EncoderNetwork:
    """The network of a published file with its weights, in evaluation mode.

    Args:
        name: of the extractor, for messages.
        path: of the file.
        kind: the network that it has to hold.

    Raises:
        UsageError: the file holds something else, is damaged, holds code, or lacks weights.
    """
    content = _read(name, path)
    state = _state(content)
    whose = looks_like(state)
    if whose != kind.architecture:
        raise _refused(name, path, f"looks like {whose or 'no network known here'}", kind)
    if not isinstance(content.get(kind.config_key), Mapping):
        raise _refused(name, path, f"holds weights, but no configuration '{kind.config_key}' beside them", kind)
    state = {key: value for key, value in state.items() if not key.startswith(kind.left_out)}
    try:
        with torch.random.fork_rng(devices=[]):  # the weights that it begins with are drawn, and replaced
            network = kind(dict(content[kind.config_key]))
    except Exception as error:  # of numbers that do not go together, in any layer
        raise _refused(name, path, f"has a configuration that makes no network ({_line(error)})", kind) from error
    state = network.adapted(state)
    wanted = network.state_dict()
    lacking = [key for key in wanted if key not in state]
    beyond = [key for key in state if key not in wanted]
    odd = [key for key in wanted if key in state and state[key].shape != wanted[key].shape]
    for keys, what in ((lacking, "lacks"), (beyond, "has more than its configuration says:"), (odd, "has odd shapes:")):
        if keys:
            more = f" and {len(keys) - NAMED} more" if len(keys) > NAMED else ""
            raise _refused(name, path, f"{what} {', '.join(keys[:NAMED])}{more}", kind)
    network.load_state_dict(state)
    return network.eval().requires_grad_(False)


def _read(name: str, path: str) -> dict[str, Any]:
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # what torch raises for files of another kind has no common name
        code = re.search(r"GLOBAL (\S+)", str(error))
        reason = (
            f"holds code ({code[1]}), which is never run"
            if code
            else f"is cut off, or no file of torch.save ({_line(error)})"
        )
        raise UsageError(
            f"{name}.weights: {path} {reason}.\nAccepted: the published file, tensors alone. See: asdbench show {name}"
        ) from error
    return content if isinstance(content, dict) else {}


def _state(content: Mapping[str, Any]) -> State:
    """The weights by key, wherever files of other networks have them, without what is no tensor."""
    for key in ("model", "state_dict", "model_state_dict"):
        if isinstance(content.get(key), Mapping):
            content = content[key]
            break
    return {str(key): value for key, value in content.items() if isinstance(value, Tensor)}


def _refused(name: str, path: str, found: str, kind: type[EncoderNetwork]) -> UsageError:
    return UsageError(
        f"{name}.weights: {path} {found}.\n"
        f"Accepted: a published file of {kind.architecture}, with '{kind.config_key}' and 'model' in it. "
        f"See: asdbench show {name}"
    )


def _line(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__).rstrip(".")
