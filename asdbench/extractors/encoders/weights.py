"""Published weights: files and folders, read without running code in them, and recognised."""

import json
import re
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor

from asdbench.core.errors import UsageError
from asdbench.extractors.encoders.network import EncoderNetwork

State = dict[str, Tensor]
NUMBERS: list[Any] = [  # of NumPy, which files hold beside their tensors, are passed over
    *((lambda *_: None, f"numpy.{core}.multiarray.scalar") for core in ("core", "_core")),
    (np.dtype, "numpy.dtype"),
    *((type(np.dtype(name)), f"numpy.dtypes.{type(np.dtype(name)).__name__}") for name in ("int64", "float64")),
]
NAMED = 4  # keys that a message names

# A folder as Hugging Face publishes models; the cards of encoders name the same files.
CONFIG, OF_FRONT_END = "config.json", "preprocessor_config.json"
TENSORS = ("model.safetensors", "pytorch_model.bin")  # the first that is there

# What "key shape" of a tensor looks like, and whose file it then is; the first that holds decides.
LOOKS = (
    (r"^(.*\.)?feature_extractor\.conv_layers\.", "a speech network (wav2vec 2.0, HuBERT, WavLM, data2vec)"),
    (r"^quantize\.", "a tokenizer of BEATs"),
    (r"^encoder\.layers\.\d+\.self_attn\.(grep_|relative_)|^encoder\.pos_conv\.", "BEATs"),
    (r"^(.*\.)?local_encoder\.proj\.weight \d+x1x|^(model\.)?extra_tokens ", "EAT"),  # one channel
    (r"^(.*\.)?modality_encoders\.", "data2vec 2.0"),
    (r"^(.*\.)?embeddings\.distillation_token |^(module\.)?v\.(blocks|dist_token)", "AST"),
    (r"^(encoder\.)?freq_pos_embed 1x\d+x1x1$", "Dasheng"),  # one band
    (r"^(encoder\.)?freq_pos_embed |^outputlayer\.", "CED"),
    (r"^(encoder\.)?(time_pos_embed |init_bn\.)", "Dasheng"),
    (r"^embedding_net\.conv_block1\.", "aiSFX"),
    (r"^(module\.)?conv_block1\.", "PANNs"),
    (r"^(.*\.)?audio_branch\.", "CLAP"),
    (r"^(.*\.)?cls_token ", "a vision transformer"),
    (r"^(.*\.)?layer1\.0\.conv1\.", "a ResNet"),
)


def looks_like(state: State) -> str:
    """Whose weights the keys and shapes are; "" where nobody's that is known here."""
    seen = [f"{key} {'x'.join(map(str, value.shape))}" for key, value in state.items()]
    return next((whose for mark, whose in LOOKS if any(re.search(mark, one) for one in seen)), "")


def load_network(name: str, path: str, kind: type[EncoderNetwork]) -> EncoderNetwork:
    """The network of published weights, in evaluation mode.

    Args:
        name: of the extractor, for messages.
        path: of a file of torch.save or safetensors, or of a folder as Hugging Face publishes models.
        kind: the network that it has to hold.

    Raises:
        UsageError: it holds something else, is damaged, holds code, or lacks weights or its configuration.
    """
    try:
        content = _folder(Path(path)) if Path(path).is_dir() else _tensors(Path(path))
        network = _network(content, kind)
    except _RefusedError as error:
        raise UsageError(
            f"{name}.weights: {path} {error}.\nAccepted: {kind.accepted}. See: asdbench show {name}"
        ) from error
    return network.eval().requires_grad_(False)


class _RefusedError(Exception):
    """What is wrong with the weights, as the end of a sentence that begins with their path."""


def _network(content: Mapping[str, Any], kind: type[EncoderNetwork]) -> EncoderNetwork:
    state = _state(content)
    whose = looks_like(state)
    if whose != kind.architecture:
        raise _RefusedError(f"looks like {whose or 'no network known here'}")
    state = {key: value for key, value in kind.adapted(state).items() if not key.startswith(kind.left_out)}
    config = content.get(kind.config_key)
    if not isinstance(config, Mapping):
        config = _sizes(state, kind)
    try:
        with torch.random.fork_rng(devices=[]):  # the weights that it begins with are drawn, and replaced
            network = kind(config)
    except Exception as error:  # of numbers that do not go together, in any layer
        raise _RefusedError(f"has a configuration that makes no network ({_line(error)})") from error
    wanted = {key: value for key, value in network.state_dict().items() if not key.startswith(kind.left_out)}
    lacking = [key for key in wanted if key not in state]
    beyond = [key for key in state if key not in wanted]
    odd = [key for key in wanted if key in state and state[key].shape != wanted[key].shape]
    for keys, what in ((lacking, "lacks"), (beyond, "has more than its configuration says:"), (odd, "has odd shapes:")):
        if keys:
            more = f" and {len(keys) - NAMED} more" if len(keys) > NAMED else ""
            raise _RefusedError(f"{what} {', '.join(keys[:NAMED])}{more}")
    network.load_state_dict(state, strict=False)
    return network


def _sizes(state: State, kind: type[EncoderNetwork]) -> Mapping[str, Any]:
    """The configuration of weights that come without one."""
    try:
        config = kind.sizes(state)
    except KeyError as error:
        raise _RefusedError(f"lacks {error.args[0]}") from error
    except ValueError as error:
        raise _RefusedError(f"has no configuration beside its weights, and {error}") from error
    if config is None:
        raise _RefusedError(f"holds weights, but no configuration '{kind.config_key}' beside them")
    return config


def _folder(path: Path) -> dict[str, Any]:
    """What is read of a folder of Hugging Face, as a file would hold it."""
    tensors = next((path / name for name in TENSORS if (path / name).is_file()), None)
    if tensors is None:
        raise _RefusedError(f"has no {' or '.join(TENSORS)}")
    config = {}
    for name in (OF_FRONT_END, CONFIG):
        try:
            config.update(json.loads((path / name).read_text()))
        except FileNotFoundError as error:
            if name == CONFIG:
                raise _RefusedError(f"has no {CONFIG}") from error
        except (OSError, TypeError, ValueError) as error:
            raise _RefusedError(f"has no {name} that can be read ({_line(error)})") from error
    return {"config": config, "model": _tensors(tensors)}


def _tensors(path: Path) -> dict[str, Any]:
    safe = path.suffix == ".safetensors"
    try:
        content = load_file(path) if safe else _unpickled(path)
    except Exception as error:  # what torch raises for files of another kind has no common name
        code = re.search(r"GLOBAL (\S+)", str(error))
        raise _RefusedError(
            f"holds code ({code[1]}), which is never run"
            if code
            else f"is cut off, or no file of {'safetensors' if safe else 'torch.save'} ({_line(error)})"
        ) from error
    content = content[0] if isinstance(content, tuple) and content else content
    return content if isinstance(content, dict) else {}


def _unpickled(path: Path) -> Any:
    """What torch.save wrote, tensors and plain numbers alone; of a wheel its one file of that kind."""
    with torch.serialization.safe_globals(NUMBERS):
        if path.suffix != ".whl":
            return torch.load(path, map_location="cpu", weights_only=True)
        with ZipFile(path) as wheel:
            (member,) = [name for name in wheel.namelist() if name.endswith(".pth")]
            return torch.load(BytesIO(wheel.read(member)), map_location="cpu", weights_only=True)


def _state(content: Mapping[str, Any]) -> State:
    """The weights by key, wherever files of other networks have them, without what is no tensor."""
    for key in ("model", "state_dict", "model_state_dict"):
        if isinstance(content.get(key), Mapping):
            content = content[key]
            break
    return {str(key): value for key, value in content.items() if isinstance(value, Tensor)}


def _line(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__).rstrip(".")
