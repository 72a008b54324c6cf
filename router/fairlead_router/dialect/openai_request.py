"""A request in OpenAI's dialect, and its body written anew with the few edits that are ours to make.

Each operation (chat, completions, embeddings) has a parser of its own; all give the same :class:`ModelRequest`. The body is
decoded twice: once into the little that decisions need, once into a map of raw values whose bytes go upstream as they came
(number formats, unknown fields, order), so that an edit touches one top-level value and nothing else.
"""

from __future__ import annotations

from typing import Any, Literal, TypeVar

import msgspec

from fairlead_router.errors import RouterError, invalid_request

RequestType = Literal["Chat", "Completion", "Embedding"]

_RAW = msgspec.json.Decoder(dict[str, msgspec.Raw])
_TRUE = msgspec.Raw(b"true")
_MAX_MODEL_CHARACTERS = 512
"""More than ``namespace/provider/model`` can have; the name is kept in the record of a request that names no model."""
_MAX_TOKENS = 2**31 - 1
"""More than any model writes; JSON itself knows no bound, but money and metrics have one."""
_MAX_CHOICES = 128

T = TypeVar("T")


class StreamOptions(msgspec.Struct):
    """``stream_options`` of chat and completions."""

    include_usage: bool | None = None


class ModelRequest(msgspec.Struct, frozen=True):
    """What a request asks of a model, and its bytes."""

    type: RequestType
    model: str
    body: bytes
    fields: frozenset[str]
    """Names of the fields that were understood: no other spelling of them may go upstream."""
    estimated_input_tokens: int
    """For estimates, never to bill a known usage."""
    content_length_characters: int
    message_count: int = 1
    stream: bool = False
    client_wants_usage: bool = False
    max_output_tokens: int | None = None
    choices: int = 1
    """How many answers the client gets."""
    generations: int = 1
    """How many answers are billed: more than ``choices`` with ``best_of``, none for embeddings."""
    required_capabilities: tuple[str, ...] = ()
    max_cost_micro_usd: int | None = None
    """What it may cost, if it says so."""
    max_latency_milliseconds: int | None = None
    """How long its answer may take, if it says so."""

    def upstream_body(
        self, model: str, *, default_temperature: float | None = None, default_max_output_tokens: int | None = None
    ) -> bytes:
        """The body for a provider: the model's upstream name, usage asked for, a model's defaults where nothing was said."""
        fields: dict[str, Any] = _raw(self.body)
        self._refuse_other_spellings(fields)
        fields["model"] = model
        if self.stream and not self.client_wants_usage:
            options: dict[str, Any] = {}
            if not _absent(fields, "stream_options"):
                options = _raw(fields["stream_options"])
            options["include_usage"] = _TRUE
            fields["stream_options"] = options
        if self.type != "Embedding":
            if default_temperature is not None and _absent(fields, "temperature"):
                fields["temperature"] = default_temperature
            if (
                default_max_output_tokens is not None
                and _absent(fields, "max_tokens")
                and _absent(fields, "max_completion_tokens")
            ):
                fields["max_tokens"] = default_max_output_tokens
        return msgspec.json.encode(fields)

    def _refuse_other_spellings(self, fields: dict[str, Any]) -> None:
        """Some providers' parsers ignore case (Go's does): ``Model`` would undo what was decided about ``model``."""
        for name in fields:
            if name not in self.fields and (folded := name.casefold()) in self.fields:
                raise invalid_request(f"{name!r} is spelt {folded!r}; send it once, in lower case", param=name)


def _raw(data: bytes | msgspec.Raw) -> dict[str, Any]:
    try:
        return _RAW.decode(data)
    except RecursionError as error:  # The stack is deeper here than where the request was first read.
        raise _complaint(error) from error


def _absent(fields: dict[str, Any], name: str) -> bool:
    value = fields.get(name)
    return value is None or (isinstance(value, msgspec.Raw) and bytes(value) == b"null")


def decode(decoder: msgspec.json.Decoder[T], body: bytes) -> T:
    """Raises ``RouterError`` 400 in words that name the field."""
    try:
        return decoder.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise _complaint(error) from error


def check_model(model: str) -> None:
    """Raises ``RouterError`` 400 for a name that no model can have."""
    if not model:
        raise invalid_request("'model' is empty; name a model or 'auto'", param="model")
    if len(model) > _MAX_MODEL_CHARACTERS:
        raise invalid_request(f"'model' takes at most {_MAX_MODEL_CHARACTERS} characters", param="model")


def check_tokens(limit: int | None, param: str, *, least: int = 1) -> None:
    """Raises ``RouterError`` 400 for a limit on output tokens that is none."""
    if limit is not None and limit < least:
        raise invalid_request(f"'{param}' must be at least {least}", param=param)
    if limit is not None and limit > _MAX_TOKENS:
        raise invalid_request(f"'{param}' must be at most {_MAX_TOKENS}", param=param)


def check_choices(count: int | None, param: str) -> int:
    """``count``, by default 1. Raises ``RouterError`` 400 for more than any provider gives."""
    if count is not None and not 1 <= count <= _MAX_CHOICES:
        raise invalid_request(f"'{param}' must lie between 1 and {_MAX_CHOICES}", param=param)
    return 1 if count is None else count


def tokens_of(characters: int) -> int:
    """Four characters a token, the usual rule of thumb for English."""
    return (characters + 3) // 4


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
