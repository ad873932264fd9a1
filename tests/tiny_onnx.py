"""Writes ONNX models of one operation, byte by byte, so that tests need no more than onnxruntime to run them."""

from collections.abc import Sequence
from pathlib import Path


def _number(value: int) -> bytes:
    """A protobuf varint."""
    more = b""
    while value > 127:
        more += bytes([value & 127 | 128])
        value >>= 7
    return more + bytes([value])


def _field(key: int, value: int | str | bytes) -> bytes:
    if isinstance(value, int):
        return _number(key << 3) + _number(value)
    content = value.encode() if isinstance(value, str) else value
    return _number(key << 3 | 2) + _number(len(content)) + content


def _tensor(name: str, shape: Sequence[int | str], kind: int) -> bytes:
    """ValueInfoProto; ``kind`` is TensorProto's (1 is float, 7 int64, 11 double)."""
    sizes = b"".join(_field(1, _field(1, size) if isinstance(size, int) else _field(2, size)) for size in shape)
    return _field(1, name) + _field(2, _field(1, _field(1, kind) + _field(2, sizes)))


def write_onnx(
    path: Path,
    shape: Sequence[int | str],
    operation: str = "Identity",
    *,
    inputs: Sequence[str] = ("x",),
    outputs: Sequence[str] = ("y",),
    output_rank: int | None = None,
    kind: int = 1,
) -> Path:
    """A model of ``operation`` on an input of that shape (texts are free sizes); each output is the same."""
    free = [f"out{axis}" for axis in range(output_rank or len(shape))]
    nodes = [_field(1, _field(1, inputs[0]) + _field(2, name) + _field(4, operation)) for name in outputs]
    nodes = [b"".join(nodes)]
    graph = (
        nodes[0]
        + _field(2, "tiny")
        + b"".join(_field(11, _tensor(name, shape, kind)) for name in inputs)
        + b"".join(_field(12, _tensor(name, free, kind)) for name in outputs)
    )
    path.write_bytes(_field(1, 8) + _field(7, graph) + _field(8, _field(2, 13)))
    return path
