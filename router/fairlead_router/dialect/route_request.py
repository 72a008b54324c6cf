"""The ``/route`` request of the classification document: a prompt, a mode, and what the answer may cost and take.

It becomes a chat completion for ``auto``, so everything after the reading of it is as for any other request.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

from fairlead_router.dialect.openai_chat import parse_chat_request
from fairlead_router.dialect.openai_request import ModelRequest, decode
from fairlead_router.dialect.operations import CHAT
from fairlead_router.errors import invalid_request

Mode = Literal["recommend", "generate"]
Capability = Literal["TextGeneration", "Tools", "Vision", "JSONMode", "Streaming", "Reasoning", "Embeddings"]
"""Those that a model may declare. No other word gets into a record."""

_MICRO = 1_000_000
_ABSENT = msgspec.Raw(b"null")


class Constraints(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Hard, like those of a policy, to which they are added."""

    max_tokens: Annotated[int, msgspec.Meta(ge=1, le=2**31 - 1)] | None = None
    """Of the answer."""
    max_cost_usd: Annotated[float, msgspec.Meta(ge=0, le=1_000_000)] | None = None
    """Of the request, by its upper bound."""
    max_latency_ms: Annotated[int, msgspec.Meta(ge=1, le=86_400_000)] | None = None
    """To the end of the answer, as models take on average."""
    required_capabilities: Annotated[tuple[Capability, ...], msgspec.Meta(max_length=16)] = ()


class _Route(msgspec.Struct, forbid_unknown_fields=True):
    prompt: str | None = None
    messages: msgspec.Raw = _ABSENT  # Not ``Raw | None``: msgspec would accept nothing but null there.
    mode: Mode = "recommend"
    constraints: Constraints | None = None
    stream: bool | None = None


_ROUTE = msgspec.json.Decoder(_Route)


def mode_of(body: bytes) -> Mode:
    """Whether to recommend a model or to call one. Raises ``RouterError`` 400 in words that name the field."""
    return _decode(body).mode


def parse_route_request(body: bytes) -> ModelRequest:
    """The chat completion that is meant. Raises ``RouterError`` 400 in words that name the field."""
    route = _decode(body)
    wanted = route.constraints or Constraints()
    chat: dict[str, Any] = {"model": "auto", "messages": _messages(route)}
    if wanted.max_tokens is not None:
        chat["max_tokens"] = wanted.max_tokens
    request = parse_chat_request(msgspec.json.encode(chat))
    return msgspec.structs.replace(
        request,
        required_capabilities=tuple(sorted({*request.required_capabilities, *wanted.required_capabilities})),
        max_cost_micro_usd=None if wanted.max_cost_usd is None else round(wanted.max_cost_usd * _MICRO),
        max_latency_milliseconds=wanted.max_latency_ms,
    )


ROUTE = msgspec.structs.replace(CHAT, parse=parse_route_request)
"""A chat completion that comes as a ``/route`` request."""


def _decode(body: bytes) -> _Route:
    route = decode(_ROUTE, body)
    if route.stream:
        message = '/route answers whole; stream from /v1/chat/completions with "model": "auto"'
        raise invalid_request(message, param="stream")
    return route


def _messages(route: _Route) -> Any:
    given = bytes(route.messages) != bytes(_ABSENT)
    if (route.prompt is None) != given:
        raise invalid_request("send a 'prompt', or 'messages' as for a chat completion, and not both", param="prompt")
    return route.messages if given else [{"role": "user", "content": route.prompt}]
