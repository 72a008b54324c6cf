"""Reads an OpenAI completion request: a prompt, or several at once, to be continued."""

from __future__ import annotations

import msgspec

from fairlead_router.dialect.openai_request import (
    ModelRequest,
    StreamOptions,
    check_choices,
    check_model,
    check_tokens,
    decode,
)
from fairlead_router.dialect.openai_texts import Texts, first_text, measure
from fairlead_router.errors import invalid_request

_MAX_ANSWERS = 2048
"""Prompts times ``n``: what one request may ask for."""


class _Completion(msgspec.Struct):
    model: str
    prompt: Texts = "<|endoftext|>"
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    max_tokens: int | None = None
    n: int | None = None
    best_of: int | None = None


_COMPLETION = msgspec.json.Decoder(_Completion)
_FIELDS = frozenset(_Completion.__struct_fields__)


def completion_text(body: bytes) -> str:
    """What a request that was read before asks: its first prompt."""
    return first_text(decode(_COMPLETION, body).prompt)


def parse_completion_request(body: bytes) -> ModelRequest:
    """Raises ``RouterError`` 400 in words that name the field."""
    completion = decode(_COMPLETION, body)
    check_model(completion.model)
    check_tokens(completion.max_tokens, "max_tokens", least=0)  # 0 with ``echo``: only to see the prompt's logprobs
    choices = check_choices(completion.n, "n")
    candidates = max(choices, check_choices(completion.best_of, "best_of"))
    prompts = measure(completion.prompt, "prompt")
    if prompts.count * candidates > _MAX_ANSWERS:
        message = (
            f"{prompts.count} prompts times {candidates} answers are more than {_MAX_ANSWERS}; send several requests"
        )
        raise invalid_request(message, param="prompt")
    return ModelRequest(
        type="Completion",
        model=completion.model,
        body=body,
        fields=_FIELDS,
        estimated_input_tokens=prompts.tokens,
        content_length_characters=prompts.characters,
        message_count=prompts.count,
        stream=bool(completion.stream),
        client_wants_usage=bool(completion.stream_options and completion.stream_options.include_usage),
        max_output_tokens=completion.max_tokens,
        choices=prompts.count * choices,
        generations=prompts.count * candidates,
    )
