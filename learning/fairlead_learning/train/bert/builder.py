"""Writing an ONNX graph: named weights, nodes in order, one call for each operator."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from fairlead_learning.train.bert.quantise import ROW_LIMIT, WEIGHT_LIMIT, Floats, quantise_rows

MICROSOFT = "com.microsoft"
_OPSET, _IR_VERSION = 18, 9
_TINY = np.float32(1e-9)
"""Stands for the largest number of a row of zeros, which has no scale."""


class GraphBuilder:
    """Collects nodes and weights. Names are counted, so the same calls give the same bytes."""

    def __init__(self) -> None:
        """An empty graph."""
        self._nodes: list[onnx.NodeProto] = []
        self._weights: dict[str, onnx.TensorProto] = {}

    def weight(self, name: str, value: NDArray[Any] | np.generic) -> str:
        """A constant; returns its name. Naming it again is the same constant."""
        if name not in self._weights:
            self._weights[name] = numpy_helper.from_array(np.array(value, order="C"), name)
        return name

    def op(self, kind: str, *inputs: str, domain: str = "", **attributes: Any) -> str:
        """An operator with one output; returns its name."""
        return self.ops(kind, 1, *inputs, domain=domain, **attributes)[0]

    def ops(self, kind: str, outputs: int, *inputs: str, domain: str = "", **attributes: Any) -> list[str]:
        """An operator with several outputs."""
        stem = f"{len(self._nodes)}_{kind}"
        names = [f"{stem}_{number}" for number in range(outputs)] if outputs > 1 else [stem]
        self._nodes.append(helper.make_node(kind, list(inputs), names, name=stem, domain=domain, **attributes))
        return names

    def name_output(self, given: str, wanted: str) -> None:
        """Let ``given`` leave the graph as ``wanted``."""
        self._nodes.append(helper.make_node("Identity", [given], [wanted], name=f"out_{wanted}"))

    def multiply(self, rows: str, matrix: Floats, name: str) -> str:
        """``rows @ matrix.T`` in bytes; ``matrix`` is outputs x inputs, as PyTorch keeps it. See ``quantise`` for why so."""
        weights = quantise_rows(matrix, WEIGHT_LIMIT)
        last = self.weight("last_axis", np.array([-1], np.int64))
        # Opset 18's ReduceMax takes its axes as an input. Row by row: largest magnitude, then bytes around 128.
        largest = self.op("ReduceMax", self.op("Abs", rows), last, keepdims=1)
        largest = self.op("Max", largest, self.weight("tiny", _TINY))
        inverse = self.op("Div", self.weight("row_limit", np.float32(ROW_LIMIT)), largest)
        # Casting cuts the fraction off, so the half rounds.
        shifted = self.op("Add", self.op("Mul", rows, inverse), self.weight("round_128", np.float32(128.5)))
        product = self.op(
            "MatMulIntegerToFloat",
            self.op("Cast", shifted, to=TensorProto.UINT8),
            self.weight(f"{name}.values", weights.values.T),
            self.weight("one", np.float32(1)),
            self.weight(f"{name}.scales", weights.scales / np.float32(ROW_LIMIT)),
            self.weight("zero_128", np.uint8(128)),
            domain=MICROSOFT,
        )
        return self.op("Mul", product, largest)

    def model(self, inputs: list[onnx.ValueInfoProto], outputs: list[onnx.ValueInfoProto]) -> bytes:
        """The graph as the bytes of an ``.onnx`` file, checked."""
        graph = helper.make_graph(self._nodes, "encoder", inputs, outputs, list(self._weights.values()))
        opsets = [helper.make_opsetid("", _OPSET), helper.make_opsetid(MICROSOFT, 1)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=_IR_VERSION)
        onnx.checker.check_model(model)
        serialised: bytes = model.SerializeToString()
        return serialised
