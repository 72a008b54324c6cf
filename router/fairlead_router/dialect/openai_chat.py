"""Reads an OpenAI chat-completion request."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from fairlead_router.dialect.openai_request import (
    ModelRequest,
    StreamOptions,
    check_choices,
    check_model,
    check_tokens,
    decode,
    tokens_of,
)
from fairlead_router.dialect.openai_texts import excerpt
from fairlead_router.errors import invalid_request

_TOKENS_PER_MESSAGE = 4
"""What providers add around each message."""


class _Part(msgspec.Struct):
    type: str = ""
    text: str | None = None


class _Message(msgspec.Struct):
    role: str = ""
    content: str | list[_Part | str] | None = None


class _ResponseFormat(msgspec.Struct):
    type: str = "text"


class _Chat(msgspec.Struct):
    model: str
    messages: list[_Message]
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    n: int | None = None
    tools: list[msgspec.Raw] | None = None
    functions: list[msgspec.Raw] | None = None
    response_format: _ResponseFormat | None = None


class _Messages(msgspec.Struct):
    messages: list[msgspec.Raw]


_CHAT = msgspec.json.Decoder(_Chat)
_MESSAGES = msgspec.json.Decoder(_Messages)
_MESSAGE = msgspec.json.Decoder(_Message)
_FIELDS = frozenset(_Chat.__struct_fields__)


def parse_chat_request(body: bytes) -> ModelRequest:
    """Raises ``RouterError`` 400 in words that name the field."""
    chat = decode(_CHAT, body)
    check_model(chat.model)
    if not chat.messages:
        raise invalid_request("'messages' is empty; send at least one", param="messages")
    check_tokens(chat.max_completion_tokens, "max_completion_tokens")
    check_tokens(chat.max_tokens, "max_tokens")
    # Both are passed on, and providers differ in which they heed.
    limit = max([each for each in (chat.max_completion_tokens, chat.max_tokens) if each is not None], default=None)
    choices = check_choices(chat.n, "n")
    characters, images = _measure(chat.messages)
    return ModelRequest(
        type="Chat",
        model=chat.model,
        body=body,
        fields=_FIELDS,
        estimated_input_tokens=tokens_of(characters) + _TOKENS_PER_MESSAGE * len(chat.messages),
        content_length_characters=characters,
        message_count=len(chat.messages),
        stream=bool(chat.stream),
        client_wants_usage=bool(chat.stream_options and chat.stream_options.include_usage),
        max_output_tokens=limit,
        choices=choices,
        generations=choices,
        required_capabilities=_needs(chat, images),
    )


def chat_text(body: bytes) -> str:
    """What a request that was read before asks: the text of its user's last message, or else of the last that has any."""
    otherwise = ""
    for raw in reversed(decode(_MESSAGES, body).messages):
        message = decode(_MESSAGE, bytes(raw))
        text = excerpt(list(_pieces(message)))
        if text and message.role == "user":
            return text
        otherwise = otherwise or text
    return otherwise


def _pieces(message: _Message) -> Iterator[str]:
    if isinstance(message.content, str):
        yield message.content
        return
    for part in message.content or ():
        text = part if isinstance(part, str) else part.text
        if text:
            yield text


def _measure(messages: list[_Message]) -> tuple[int, bool]:
    characters, images = 0, False
    for message in messages:
        content = message.content
        if isinstance(content, str):
            characters += len(content)
        elif content is not None:
            for part in content:
                if isinstance(part, str):
                    characters += len(part)
                    continue
                characters += len(part.text or "")
                images = images or part.type == "image_url"
    return characters, images


def _needs(chat: _Chat, images: bool) -> tuple[str, ...]:
    needs = []
    if chat.response_format is not None and chat.response_format.type in {"json_object", "json_schema"}:
        needs.append("JSONMode")
    if chat.tools or chat.functions:
        needs.append("Tools")
    if images:
        needs.append("Vision")
    return tuple(needs)
