"""The whole graph: embeddings, layers, pooling, heads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np
from onnx import TensorProto, helper

from fairlead_learning.train.bert.builder import MICROSOFT, GraphBuilder
from fairlead_learning.train.bert.quantise import TABLE_LIMIT, Floats, quantise_rows
from fairlead_learning.train.bert.shape import BertShape, UnsupportedModelError

State = Mapping[str, Floats]
"""Weights by the names that ``transformers`` gives those of a ``BertModel``."""


class Pooling(StrEnum):
    """How the tokens' vectors become one."""

    MEAN = "mean"
    CLS = "cls"


class HeadInput(StrEnum):
    """What a head reads."""

    POOLED = "pooled"
    EMBEDDING = "embedding"
    """Pooled and scaled to length 1."""


@dataclass(frozen=True, slots=True)
class LinearHead:
    """A further output of the graph: ``input @ weight.T + bias``, kept in 32 bits."""

    name: str
    weight: Floats
    """Outputs x hidden."""
    bias: Floats
    reads: HeadInput = HeadInput.POOLED


def export_bert(
    state: State,
    config: Mapping[str, Any],
    out_file: Path,
    *,
    max_tokens: int,
    pooling: Pooling = Pooling.MEAN,
    heads: Sequence[LinearHead] = (),
) -> None:
    """Write the model to ``out_file``. See :func:`bert_graph`."""
    out_file.write_bytes(bert_graph(state, config, max_tokens=max_tokens, pooling=pooling, heads=heads))


def bert_graph(
    state: State,
    config: Mapping[str, Any],
    *,
    max_tokens: int,
    pooling: Pooling = Pooling.MEAN,
    heads: Sequence[LinearHead] = (),
) -> bytes:
    """The model as an ONNX file: ``input_ids`` (int64, texts x tokens, unpadded) to ``embedding`` (unit vectors) and one
    output for each head.

    ``config`` is that of ``config.json``. Texts are one segment. The graph takes up to ``max_tokens`` tokens. Names in
    ``state`` may begin with ``bert.`` or ``roberta.``. Raises :class:`UnsupportedModelError`.
    """
    shape = BertShape.of(config)
    weights = _Weights(state)
    graph = GraphBuilder()
    hidden = _embeddings(graph, weights, shape, max_tokens)
    for layer in range(shape.layers):
        hidden = _layer(graph, weights, shape, f"encoder.layer.{layer}", hidden)
    if pooling is Pooling.MEAN:
        pooled = graph.op("ReduceMean", hidden, graph.weight("tokens_axis", np.array([1], np.int64)), keepdims=0)
    else:
        pooled = graph.op("Gather", hidden, graph.weight("first", np.int64(0)), axis=1)
    embedding = graph.op("LpNormalization", pooled, axis=-1, p=2)
    graph.name_output(embedding, "embedding")
    outputs = [_output("embedding", shape.hidden)]
    for head in heads:
        read = pooled if head.reads is HeadInput.POOLED else embedding
        matrix = graph.weight(f"{head.name}.weight", head.weight.astype(np.float32))
        bias = graph.weight(f"{head.name}.bias", head.bias.astype(np.float32))
        graph.name_output(graph.op("Gemm", read, matrix, bias, transB=1), head.name)
        outputs.append(_output(head.name, len(head.bias)))
    return graph.model([helper.make_tensor_value_info("input_ids", TensorProto.INT64, ["texts", "tokens"])], outputs)


def _output(name: str, width: int) -> Any:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["texts", width])


class _Weights:
    """The state by short names, with an error for a missing one."""

    def __init__(self, state: State) -> None:
        self._state = {name.removeprefix("bert.").removeprefix("roberta."): value for name, value in state.items()}

    def __getitem__(self, name: str) -> Floats:
        try:
            return np.asarray(self._state[name], np.float32)
        except KeyError:
            raise UnsupportedModelError(
                f"the weights have no {name!r}: give the state of a BertModel, by the names of transformers"
            ) from None


def _embeddings(graph: GraphBuilder, weights: _Weights, shape: BertShape, max_tokens: int) -> str:
    words = quantise_rows(weights["embeddings.word_embeddings.weight"], TABLE_LIMIT)
    values = graph.op("Gather", graph.weight("words.values", words.values), "input_ids")
    scales = graph.op("Gather", graph.weight("words.scales", words.scales[:, None]), "input_ids")
    looked_up = graph.op("Mul", graph.op("Cast", values, to=TensorProto.FLOAT), scales)
    table = weights["embeddings.position_embeddings.weight"][shape.first_position :]
    if max_tokens > len(table):
        raise UnsupportedModelError(f"the model has {len(table)} positions, fewer than {max_tokens}")
    # The one segment that there is shifts all positions by the same.
    table = table[:max_tokens] + weights["embeddings.token_type_embeddings.weight"][0]
    zero, axis = graph.weight("zero", np.array([0], np.int64)), graph.weight("rows_axis", np.array([0], np.int64))
    tokens = graph.op("Shape", "input_ids", start=1, end=2)
    positions = graph.op("Slice", graph.weight("positions", table), zero, tokens, axis)
    return _normalise(graph, weights, shape, "embeddings.LayerNorm", graph.op("Add", looked_up, positions))


def _layer(graph: GraphBuilder, weights: _Weights, shape: BertShape, layer: str, hidden: str) -> str:
    attention = f"{layer}.attention"
    three = [f"{attention}.self.{name}" for name in ("query", "key", "value")]
    # One product instead of three; the bias is added by the operator of attention.
    matrix = np.concatenate([weights[f"{name}.weight"] for name in three])
    bias = graph.weight(f"{attention}.bias", np.concatenate([weights[f"{name}.bias"] for name in three]))
    query, key, value = graph.ops(
        "Split", 3, graph.multiply(hidden, matrix, f"{attention}.matrix"), axis=-1, num_outputs=3
    )
    context = graph.op("MultiHeadAttention", query, key, value, bias, domain=MICROSOFT, num_heads=shape.heads)
    mixed = _dense(graph, weights, f"{attention}.output.dense", context)
    hidden = _normalise(graph, weights, shape, f"{attention}.output.LayerNorm", graph.op("Add", mixed, hidden))
    inner = f"{layer}.intermediate.dense"
    wide = graph.multiply(hidden, weights[f"{inner}.weight"], inner)
    wide = graph.op("BiasGelu", wide, graph.weight(f"{inner}.bias", weights[f"{inner}.bias"]), domain=MICROSOFT)
    narrow = _dense(graph, weights, f"{layer}.output.dense", wide)
    return _normalise(graph, weights, shape, f"{layer}.output.LayerNorm", graph.op("Add", narrow, hidden))


def _dense(graph: GraphBuilder, weights: _Weights, name: str, rows: str) -> str:
    product = graph.multiply(rows, weights[f"{name}.weight"], name)
    return graph.op("Add", product, graph.weight(f"{name}.bias", weights[f"{name}.bias"]))


def _normalise(graph: GraphBuilder, weights: _Weights, shape: BertShape, name: str, rows: str) -> str:
    scale = graph.weight(f"{name}.weight", weights[f"{name}.weight"])
    shift = graph.weight(f"{name}.bias", weights[f"{name}.bias"])
    return graph.op("LayerNormalization", rows, scale, shift, epsilon=shape.epsilon)
