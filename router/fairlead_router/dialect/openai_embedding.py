"""Reads an OpenAI embedding request."""

from __future__ import annotations

import msgspec

from fairlead_router.dialect.openai_request import ModelRequest, check_model, decode
from fairlead_router.dialect.openai_texts import Texts, first_text, measure


class _Embedding(msgspec.Struct):
    model: str
    input: Texts


_EMBEDDING = msgspec.json.Decoder(_Embedding)
_FIELDS = frozenset(_Embedding.__struct_fields__)


def embedding_text(body: bytes) -> str:
    """What a request that was read before is about: its first text."""
    return first_text(decode(_EMBEDDING, body).input)


def parse_embedding_request(body: bytes) -> ModelRequest:
    """Raises ``RouterError`` 400 in words that name the field."""
    embedding = decode(_EMBEDDING, body)
    check_model(embedding.model)
    texts = measure(embedding.input, "input")
    return ModelRequest(
        type="Embedding",
        model=embedding.model,
        body=body,
        fields=_FIELDS,
        estimated_input_tokens=texts.tokens,
        content_length_characters=texts.characters,
        message_count=texts.count,
        choices=texts.count,
        generations=0,
    )
