"""Reads an OpenAI chat-completion request, and writes it anew with the few edits that are ours to make.

The body is decoded twice: once into the little that decisions need, once into a map of raw values whose bytes go upstream
as they came (number formats, unknown fields, order), so that an edit touches one top-level value and nothing else.
"""

from __future__ import annotations

from typing import Any

import msgspec

from fairlead_router.errors import RouterError, invalid_request


class _Part(msgspec.Struct):
    type: str = ""
    text: str | None = None


class _Message(msgspec.Struct):
    role: str = ""
    content: str | list[_Part | str] | None = None


class _StreamOptions(msgspec.Struct):
    include_usage: bool | None = None


class _ResponseFormat(msgspec.Struct):
    type: str = "text"


class _Chat(msgspec.Struct):
    model: str
    messages: list[_Message]
    stream: bool | None = None
    stream_options: _StreamOptions | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    n: int | None = None
    tools: list[msgspec.Raw] | None = None
    functions: list[msgspec.Raw] | None = None
    response_format: _ResponseFormat | None = None


_CHAT = msgspec.json.Decoder(_Chat)
_RAW = msgspec.json.Decoder(dict[str, msgspec.Raw])
_TRUE = msgspec.Raw(b"true")
_OURS = frozenset(_Chat.__struct_fields__)
_MAX_MODEL_CHARACTERS = 512
"""More than ``namespace/provider/model`` can have; the name is kept in the record of a request that names no model."""
_MAX_TOKENS = 2**31 - 1
"""More than any model writes; JSON itself knows no bound, but money and metrics have one."""


class ChatRequest(msgspec.Struct, frozen=True):
    """What a chat request asks for, and its bytes."""

    model: str
    stream: bool
    client_wants_usage: bool
    max_output_tokens: int | None
    choices: int
    content_length_characters: int
    message_count: int
    required_capabilities: tuple[str, ...]
    body: bytes

    @property
    def estimated_input_tokens(self) -> int:
        """Four characters a token, the usual rule of thumb for English; used to estimate, never to bill a known usage."""
        return (self.content_length_characters + 3) // 4 + 4 * self.message_count

    def upstream_body(
        self, model: str, *, default_temperature: float | None = None, default_max_output_tokens: int | None = None
    ) -> bytes:
        """The body for a provider: the model's upstream name, usage asked for, a model's defaults where nothing was said."""
        fields: dict[str, Any] = self._raw(self.body)
        _refuse_other_spellings(fields)
        fields["model"] = model
        if self.stream and not self.client_wants_usage:
            options: dict[str, Any] = {}
            if not _absent(fields, "stream_options"):
                options = self._raw(fields["stream_options"])
            options["include_usage"] = _TRUE
            fields["stream_options"] = options
        if default_temperature is not None and _absent(fields, "temperature"):
            fields["temperature"] = default_temperature
        if (
            default_max_output_tokens is not None
            and _absent(fields, "max_tokens")
            and _absent(fields, "max_completion_tokens")
        ):
            fields["max_tokens"] = default_max_output_tokens
        return msgspec.json.encode(fields)

    @staticmethod
    def _raw(data: bytes | msgspec.Raw) -> dict[str, Any]:
        try:
            return _RAW.decode(data)
        except RecursionError as error:  # The stack is deeper here than where the request was first read.
            raise _complaint(error) from error


def _refuse_other_spellings(fields: dict[str, Any]) -> None:
    """Some providers' parsers ignore case (Go's does): ``Model`` would undo what was decided about ``model``."""
    for name in fields:
        if name not in _OURS and (folded := name.casefold()) in _OURS:
            raise invalid_request(f"{name!r} is spelt {folded!r}; send it once, in lower case", param=name)


def _absent(fields: dict[str, Any], name: str) -> bool:
    value = fields.get(name)
    return value is None or (isinstance(value, msgspec.Raw) and bytes(value) == b"null")


def parse_chat_request(body: bytes) -> ChatRequest:
    """Raises ``RouterError`` 400 in words that name the field."""
    try:
        chat = _CHAT.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise _complaint(error) from error
    if not chat.model:
        raise invalid_request("'model' is empty; name a model or 'auto'", param="model")
    if len(chat.model) > _MAX_MODEL_CHARACTERS:
        raise invalid_request(f"'model' takes at most {_MAX_MODEL_CHARACTERS} characters", param="model")
    if not chat.messages:
        raise invalid_request("'messages' is empty; send at least one", param="messages")
    limit, param = chat.max_completion_tokens, "max_completion_tokens"
    if limit is None:
        limit, param = chat.max_tokens, "max_tokens"
    if limit is not None and limit < 1:
        raise invalid_request(f"'{param}' must be at least 1", param=param)
    if limit is not None and limit > _MAX_TOKENS:
        raise invalid_request(f"'{param}' must be at most {_MAX_TOKENS}", param=param)
    if chat.n is not None and not 1 <= chat.n <= 128:
        raise invalid_request("'n' must lie between 1 and 128", param="n")
    characters, images = _measure(chat.messages)
    return ChatRequest(
        model=chat.model,
        stream=bool(chat.stream),
        client_wants_usage=bool(chat.stream_options and chat.stream_options.include_usage),
        max_output_tokens=limit,
        choices=chat.n or 1,
        content_length_characters=characters,
        message_count=len(chat.messages),
        required_capabilities=_needs(chat, images),
        body=body,
    )


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


def _complaint(error: Exception) -> RouterError:
    if isinstance(error, RecursionError):
        return invalid_request("the request body is nested too deeply to be read", code="invalid_json")
    if not isinstance(error, msgspec.ValidationError):
        return invalid_request(f"the request body is not valid JSON: {error}", code="invalid_json")
    message, _, place = str(error).partition(" - at `")
    param = place.rstrip("`").removeprefix("$").lstrip(".") or None
    if param is None and message.startswith("Object missing"):
        param = message.split("`")[1]
    where = f"'{param}': " if param else ""
    return invalid_request(f"{where}{message[:1].lower()}{message[1:]}", param=param)
