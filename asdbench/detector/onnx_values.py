"""Arithmetic that is written down as an ONNX graph while it is carried out on values that have only names.

graph = Graph()
rows = graph.input("rows")
distance = ((rows - mean) ** 2.0).sum(-1).sqrt()  # mean: an array, which becomes a constant of the graph
content = graph.model(distance, "distance", {"unit": "dB"})
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Union

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, compose, helper, load_from_string, numpy_helper

OPSET = 20
IR_VERSION = 9
SMALL = 64  # numbers of a constant that is not worth a conversion
Operand = Union["Value", NDArray[Any], Sequence[int], float]


class Graph:
    """Nodes and constants as they come; ``op`` adds a node."""

    def __init__(self) -> None:
        self._nodes: list[NodeProto] = []
        self._constants: dict[str, TensorProto] = {}
        self._inputs: list[str] = []

    def input(self, name: str) -> "Value":
        """The graph's input: float32, of any rank."""
        self._inputs.append(name)
        return Value(self, name)

    def op(self, kind: str, *operands: Operand | None, **attributes: Any) -> "Value":
        """The value of an ONNX operator; numbers and arrays become constants, None is an operand left out."""
        return self.ops(kind, 1, *operands, **attributes)[0]

    def ops(self, kind: str, outputs: int, *operands: Operand | None, **attributes: Any) -> list["Value"]:
        """The values of an operator with several outputs."""
        names = [self._name(one) for one in operands]
        results = [f"{kind}_{len(self._nodes)}_{place}" for place in range(outputs)]
        self._nodes.append(helper.make_node(kind, names, results, **attributes))
        return [Value(self, name) for name in results]

    def constant(self, array: NDArray[Any] | Sequence[int] | float) -> "Value":
        """A constant: whole numbers as int64, others in double precision, stored as single where that loses nothing."""
        array = np.asarray(array)
        array = array.astype(np.int64 if array.dtype.kind in "iu" else np.float64, order="C")
        single = array.astype(np.float32)
        narrow = array.dtype.kind == "f" and array.size > SMALL and bool((single == array).all())
        name = f"constant_{len(self._constants)}"
        self._constants[name] = numpy_helper.from_array(single if narrow else array, name)
        value = Value(self, name)
        return value.double() if narrow else value

    def inline(self, content: bytes, value: "Value") -> "Value":
        """What another model, of one input and one output, makes of a value."""
        prefix = f"part_{len(self._nodes)}_"
        inner = compose.add_prefix(load_from_string(content), prefix).graph
        self._nodes.append(helper.make_node("Identity", [value.name], [inner.input[0].name]))
        self._nodes += inner.node
        self._constants |= {one.name: one for one in inner.initializer}
        return Value(self, inner.output[0].name)

    def model(self, output: "Value", name: str, metadata: Mapping[str, str]) -> bytes:
        """The whole graph as the content of an .onnx file.

        Args:
            output: float64, (batch,).
            name: of the output.
            metadata: texts by name that the file shall hold.
        """
        nodes = [*self._nodes, helper.make_node("Identity", [output.name], [name])]
        inputs = [helper.make_tensor_value_info(one, TensorProto.FLOAT, None) for one in self._inputs]
        graph = helper.make_graph(
            nodes,
            "asdbench",
            inputs,
            [helper.make_tensor_value_info(name, TensorProto.DOUBLE, ["batch"])],
            list(self._constants.values()),
        )
        model: ModelProto = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION, producer_name="asdbench"
        )
        helper.set_model_props(model, dict(metadata))
        content: bytes = model.SerializeToString()
        return content

    def _name(self, operand: Operand | None) -> str:
        if operand is None:
            return ""
        return operand.name if isinstance(operand, Value) else self.constant(operand).name


def _binary(kind: str) -> Callable[["Value", Operand], "Value"]:
    return lambda value, other: value.op(kind, other)


def _swapped(kind: str) -> Callable[["Value", Operand], "Value"]:
    return lambda value, other: value.graph.op(kind, other, value)


def _unary(kind: str, **attributes: Any) -> Callable[["Value"], "Value"]:
    return lambda value: value.op(kind, **attributes)


def _reduction(kind: str) -> Callable[..., "Value"]:
    """Over one axis, which goes, or stays with length one."""

    def reduced(value: "Value", axis: int = -1, keep: bool = False) -> "Value":
        return value.op(kind, [axis], keepdims=int(keep))

    return reduced


class Value:
    """An array that a graph will compute, with the arithmetic of numpy's as far as it is needed.

    Python floats count as double precision, whole numbers as int64; the two do not mix.
    """

    __array_ufunc__ = None  # numpy leaves ``array - value`` to this class

    def __init__(self, graph: Graph, name: str) -> None:
        self.graph = graph
        self.name = name

    def op(self, kind: str, *operands: Operand | None, **attributes: Any) -> "Value":
        """An operator with this value as its first operand."""
        return self.graph.op(kind, self, *operands, **attributes)

    __add__, __radd__ = _binary("Add"), _swapped("Add")
    __sub__, __rsub__ = _binary("Sub"), _swapped("Sub")
    __mul__, __rmul__ = _binary("Mul"), _swapped("Mul")
    __truediv__, __rtruediv__ = _binary("Div"), _swapped("Div")
    __matmul__, __rmatmul__ = _binary("MatMul"), _swapped("MatMul")
    __pow__, __rpow__ = _binary("Pow"), _swapped("Pow")
    __floordiv__ = _binary("Div")  # of whole numbers that are not negative
    maximum, minimum = _binary("Max"), _binary("Min")
    sqrt, log, exp, abs, round = (
        _unary("Sqrt"), _unary("Log"), _unary("Exp"), _unary("Abs"), _unary("Round"),
    )  # fmt: skip
    single, double, whole = (_unary("Cast", to=to) for to in (TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.INT64))
    flat = _unary("Flatten", axis=1)  # all axes behind the first in one
    sum, mean, max, min = (_reduction(f"Reduce{kind}") for kind in ("Sum", "Mean", "Max", "Min"))
    length = _reduction("ReduceL2")
    power = _reduction("ReduceSumSquare")  # of complex numbers, whose two parts are the last axis

    def size(self, axis: int) -> "Value":
        """Length of an axis, int64 scalar."""
        end = {} if axis == -1 else {"end": axis + 1}
        return self.op("Shape", start=axis, **end).op("Squeeze", [0])

    def reshape(self, *shape: int) -> "Value":
        """Another shape; -1 is what is left, 0 an axis that stays."""
        return self.op("Reshape", list(shape))

    def transpose(self, *axes: int) -> "Value":
        """Axes in another order."""
        return self.op("Transpose", perm=list(axes))

    def expand(self, axis: int) -> "Value":
        """One more axis, of length one."""
        return self.op("Unsqueeze", [axis])

    def take(self, places: Operand, axis: int) -> "Value":
        """Entries at some places of an axis; a scalar place takes the axis away."""
        return self.op("Gather", places, axis=axis)

    def slice(self, axis: int, start: "Value | int", end: "Value | int") -> "Value":
        """Entries from ``start`` to ``end``, int64 scalars."""
        first, last = (one.reshape(1) if isinstance(one, Value) else np.array([one]) for one in (start, end))
        return self.op("Slice", first, last, [axis])

    def sorted(self, largest_first: bool = False, count: int | None = None) -> tuple["Value", "Value"]:
        """The last axis in order, all of it or the first ``count``, and the places where these were."""
        wanted = self.size(-1).reshape(1) if count is None else [count]
        values, places = self.graph.ops("TopK", 2, self, wanted, largest=int(largest_first))
        return values, places


def joined(values: Sequence[Value], axis: int) -> Value:
    """Values one after the other along an axis."""
    return values[0].graph.op("Concat", *values, axis=axis)


def counted(count: Value) -> Value:
    """0, 1, ... count - 1, int64."""
    return count.graph.op("Range", 0, count, 1)


def windows(samples: Value, length: Value | int, hop: Value | int, axis: int = 1) -> Value:
    """Overlapping pieces of an axis, whole ones only: (batch, n, ...) -> (batch, windows, length, ...)."""
    graph = samples.graph
    length, hop = (one if isinstance(one, Value) else graph.constant(one) for one in (length, hop))
    count = (samples.size(axis) - length) // hop + 1
    return samples.take((counted(count) * hop).expand(1) + counted(length).expand(0), axis)
