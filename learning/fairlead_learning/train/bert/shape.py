"""The dimensions of a BERT model, out of its configuration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


class UnsupportedModelError(ValueError):
    """A model that cannot be exported. The message says what it has and what is supported."""


@dataclass(frozen=True, slots=True)
class BertShape:
    """What the graph must know besides the weights."""

    layers: int
    heads: int
    hidden: int
    epsilon: float
    """Of the layer normalisations."""
    first_position: int = 0
    """Row of the position embeddings that the first token has: 0 for BERT, 2 for RoBERTa, whose first rows are for padding."""

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> BertShape:
        """From a ``config.json``. Raises :class:`UnsupportedModelError`."""
        kind = config.get("model_type")
        if kind not in {"bert", "roberta", "xlm-roberta"}:
            raise UnsupportedModelError(
                f"the model is of type {kind!r}; those of type bert, roberta and xlm-roberta can be exported"
            )
        if config.get("hidden_act") != "gelu":
            raise UnsupportedModelError(f"the activation is {config.get('hidden_act')!r}; only gelu can be exported")
        if config.get("position_embedding_type", "absolute") != "absolute":
            raise UnsupportedModelError("only absolute position embeddings can be exported")
        return cls(
            layers=int(config["num_hidden_layers"]),
            heads=int(config["num_attention_heads"]),
            hidden=int(config["hidden_size"]),
            epsilon=float(config["layer_norm_eps"]),
            first_position=0 if kind == "bert" else int(config["pad_token_id"]) + 1,
        )
