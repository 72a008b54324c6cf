"""Changes of declared models that somebody asks a standalone router for, and what became of them.

They cross from the router, which checks who asks, to the process that owns the resource files, and back.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=253)]
Dollars = Annotated[str, msgspec.Meta(pattern=r"^[0-9]{1,9}(\.[0-9]{1,9})?$")]
Tokens = Annotated[int, msgspec.Meta(ge=1, le=10_000_000)]
Status = Literal["active", "inactive", "deprecated"]


class ModelChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One model as it shall be. What is ``None`` stays as it is, or as the API has it by default."""

    id: Name
    """Its name at the provider's object."""
    provider: Name
    """Name of a ``ModelProvider``, or ``namespace/name``."""
    display_name: Annotated[str, msgspec.Meta(min_length=1, max_length=128)] | None = None
    status: Status | None = None
    version: Name | None = None
    """What the provider itself calls it."""
    type: Literal["Chat", "Completion", "Embedding"] | None = None
    capabilities: Annotated[tuple[str, ...], msgspec.Meta(max_length=16)] | None = None
    context_window_tokens: Annotated[int, msgspec.Meta(ge=1, le=100_000_000)] | None = None
    max_output_tokens: Tokens | None = None
    input_usd_per_million_tokens: Dollars | None = None
    """Of a model that is new, together with the next."""
    output_usd_per_million_tokens: Dollars | None = None


class Changed(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one :class:`ModelChange`."""

    id: str
    provider: str
    """``namespace/name`` of its object."""
    change: Literal["added", "updated", "unchanged"]
    fields: tuple[str, ...] = ()
    """In the words of the API, those that differ from before."""
    file: str
    """Below the folder of resources."""


class Written(msgspec.Struct, frozen=True, kw_only=True, tag="Written"):
    """All of it is in the files."""

    changed: tuple[Changed, ...]
    warnings: tuple[str, ...] = ()
    """What the compiler says of the result and did not say before."""


class NotWritten(msgspec.Struct, frozen=True, kw_only=True, tag="NotWritten"):
    """Nothing of it is."""

    code: Literal["provider_not_found", "provider_ambiguous", "invalid_resources", "not_editable", "not_writable"]
    message: str
    param: str | None = None
    """The field at fault."""


_REQUEST = msgspec.json.Decoder(tuple[ModelChange, ...])
_RESULT: msgspec.json.Decoder[Written | NotWritten] = msgspec.json.Decoder(Written | NotWritten)


def encode_changes(changes: tuple[ModelChange, ...]) -> bytes:
    """For :func:`decode_changes`."""
    return msgspec.json.encode(changes)


def decode_changes(data: bytes) -> tuple[ModelChange, ...]:
    """Raises ``msgspec.MsgspecError``."""
    return _REQUEST.decode(data)


def encode_result(result: Written | NotWritten) -> bytes:
    """For :func:`decode_result`."""
    return msgspec.json.encode(result)


def decode_result(data: bytes) -> Written | NotWritten:
    """Raises ``msgspec.MsgspecError``."""
    return _RESULT.decode(data)
