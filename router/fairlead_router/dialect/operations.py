"""What clients may ask of a model: one entry for each operation of the dialect."""

from __future__ import annotations

from typing import Protocol

import msgspec

from fairlead_contract.decision import Usage
from fairlead_router.dialect.openai_chat import chat_text, parse_chat_request
from fairlead_router.dialect.openai_completion import completion_text, parse_completion_request
from fairlead_router.dialect.openai_embedding import embedding_text, parse_embedding_request
from fairlead_router.dialect.openai_request import ModelRequest, RequestType
from fairlead_router.dialect.openai_response import read_answer, read_embeddings


class Parse(Protocol):
    """Reads a request."""

    def __call__(self, body: bytes) -> ModelRequest:
        """Raises ``RouterError`` 400 in words that name the field."""
        ...


class Text(Protocol):
    """Finds in the body of a request the text by which it is classified; only asked where it matters."""

    def __call__(self, body: bytes) -> str:
        """Bounded, and empty where there is none; ``body`` was parsed before."""
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
    text: Text
    read: Read


CHAT = Operation("Chat", "chat/completions", parse_chat_request, chat_text, read_answer)
COMPLETION = Operation("Completion", "completions", parse_completion_request, completion_text, read_answer)
EMBEDDING = Operation("Embedding", "embeddings", parse_embedding_request, embedding_text, read_embeddings)

OPERATIONS: dict[RequestType, Operation] = {each.type: each for each in (CHAT, COMPLETION, EMBEDDING)}
