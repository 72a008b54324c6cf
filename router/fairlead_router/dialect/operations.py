"""What clients may ask of a model: one entry for each operation of the dialect."""

from __future__ import annotations

from typing import Protocol

import msgspec

from fairlead_contract.decision import Usage
from fairlead_router.dialect.openai_chat import parse_chat_request
from fairlead_router.dialect.openai_completion import parse_completion_request
from fairlead_router.dialect.openai_embedding import parse_embedding_request
from fairlead_router.dialect.openai_request import ModelRequest, RequestType
from fairlead_router.dialect.openai_response import read_answer, read_embeddings


class Parse(Protocol):
    """Reads a request."""

    def __call__(self, body: bytes) -> ModelRequest:
        """Raises ``RouterError`` 400 in words that name the field."""
        ...


class Read(Protocol):
    """Reads a whole answer."""

    def __call__(self, body: bytes, *, estimated_input_tokens: int) -> Usage:
        """Raises ``BadAnswer``."""
        ...


class Operation(msgspec.Struct, frozen=True):
    """One operation."""

    type: RequestType
    path: str
    """Below ``/v1`` here, and below the address of a provider's endpoint there."""
    parse: Parse
    read: Read


CHAT = Operation("Chat", "chat/completions", parse_chat_request, read_answer)
COMPLETION = Operation("Completion", "completions", parse_completion_request, read_answer)
EMBEDDING = Operation("Embedding", "embeddings", parse_embedding_request, read_embeddings)

OPERATIONS: dict[RequestType, Operation] = {each.type: each for each in (CHAT, COMPLETION, EMBEDDING)}
