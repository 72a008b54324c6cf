"""The graph against transformers, on small models with weights out of a hat."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from onnxruntime.capi.onnxruntime_pybind11_state import Fail
from transformers import BertConfig, BertModel, RobertaConfig, RobertaModel

from fairlead_learning.encoder.session import open_session
from fairlead_learning.train.bert.export import HeadInput, LinearHead, Pooling, bert_graph
from fairlead_learning.train.bert.shape import UnsupportedModelError

_SMALL: dict[str, Any] = {
    "vocab_size": 300,
    "hidden_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 128,
    "max_position_embeddings": 40,
}
IDS = np.array([[5, 77, 200, 4, 250, 6], [9, 8, 100, 299, 30, 6]])


def small(kind: str) -> torch.nn.Module:
    torch.manual_seed(11)
    model = (
        RobertaModel(RobertaConfig(**_SMALL, pad_token_id=1), add_pooling_layer=False)
        if kind == "roberta"
        else BertModel(BertConfig(**_SMALL), add_pooling_layer=False)
    )
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    return model.eval()


def state_of(model: torch.nn.Module) -> dict[str, np.ndarray]:
    return {name: value.numpy() for name, value in model.state_dict().items()}


def hidden_of(model: torch.nn.Module) -> np.ndarray:
    with torch.no_grad():
        return model(torch.from_numpy(IDS)).last_hidden_state.numpy()


def run(graph: bytes) -> dict[str, np.ndarray]:
    session = open_session(graph, 1)
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, {"input_ids": IDS}), strict=True))


def cosines(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    return (one * other).sum(axis=1) / np.linalg.norm(one, axis=1) / np.linalg.norm(other, axis=1)


@pytest.mark.parametrize("kind", ["bert", "roberta"])
@pytest.mark.parametrize("pooling", Pooling)
def test_the_graph_says_what_the_model_says(kind: str, pooling: Pooling) -> None:
    model = small(kind)
    hidden = hidden_of(model)
    expected = hidden.mean(axis=1) if pooling is Pooling.MEAN else hidden[:, 0]
    found = run(bert_graph(state_of(model), model.config.to_dict(), max_tokens=30, pooling=pooling))
    assert list(found) == ["embedding"]
    assert cosines(found["embedding"], expected).min() > 0.995


def test_heads_are_further_outputs() -> None:
    model = small("bert")
    draws = np.random.default_rng(3)
    weight, bias = draws.normal(size=(7, 64)).astype(np.float32), draws.normal(size=7).astype(np.float32)
    heads = [LinearHead("logits", weight, bias), LinearHead("near", weight, bias, HeadInput.EMBEDDING)]
    found = run(bert_graph(state_of(model), model.config.to_dict(), max_tokens=30, heads=heads))
    np.testing.assert_allclose(found["near"], found["embedding"] @ weight.T + bias, atol=1e-4)
    pooled = hidden_of(model).mean(axis=1)
    assert np.corrcoef(found["logits"].ravel(), (pooled @ weight.T + bias).ravel())[0, 1] > 0.99


def test_names_of_a_model_inside_another_are_understood() -> None:
    model = small("bert")
    inside = {f"bert.{name}": value for name, value in state_of(model).items()}
    config = model.config.to_dict()
    assert bert_graph(inside, config, max_tokens=30) == bert_graph(state_of(model), config, max_tokens=30)


def test_more_tokens_than_there_are_positions_are_refused_at_the_export() -> None:
    model = small("bert")
    with pytest.raises(UnsupportedModelError, match="has 40 positions, fewer than 41"):
        bert_graph(state_of(model), model.config.to_dict(), max_tokens=41)


def test_more_tokens_than_the_graph_takes_are_refused_when_it_runs() -> None:
    model = small("bert")
    graph = bert_graph(state_of(model), model.config.to_dict(), max_tokens=5)
    with pytest.raises(Fail, match="broadcast an axis"):
        run(graph)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"model_type": "mpnet"}, "of type 'mpnet'"),
        ({"hidden_act": "relu"}, "activation is 'relu'"),
        ({"position_embedding_type": "relative_key"}, "only absolute position embeddings"),
    ],
)
def test_other_architectures_are_refused_by_what_they_have(change: dict[str, str], words: str) -> None:
    model = small("bert")
    with pytest.raises(UnsupportedModelError, match=words):
        bert_graph(state_of(model), model.config.to_dict() | change, max_tokens=30)


def test_a_missing_weight_is_named() -> None:
    model = small("bert")
    state = state_of(model)
    del state["encoder.layer.1.output.dense.bias"]
    with pytest.raises(UnsupportedModelError, match=r"no 'encoder\.layer\.1\.output\.dense\.bias'"):
        bert_graph(state, model.config.to_dict(), max_tokens=30)
