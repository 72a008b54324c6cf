"""How calls of a state store cross a Unix socket: four bytes of length, big-endian, then msgpack.

A call is ``[number, method, arguments]``, its answer ``[number, result, error]``; answers may come in any order. What a
method takes and returns is read from :class:`~fairlead_router.state.store.StateStore`, so the two sides cannot differ.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, get_type_hints

import msgspec

MAX_FRAME_BYTES = 64 * 1024 * 1024
"""More than any value that is kept; a longer announcement comes from something that is no store."""

_PREFIX_BYTES = 4


class BadFrame(Exception):
    """The other side speaks something else, or another version."""


class CallFrame(msgspec.Struct, array_like=True, frozen=True):
    """One call."""

    number: int
    method: str
    arguments: msgspec.Raw


class AnswerFrame(msgspec.Struct, array_like=True, frozen=True):
    """Its answer. ``error`` is set when the store could not do it."""

    number: int
    result: msgspec.Raw
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Method:
    """One method of the interface, and how what goes in and out of it is written."""

    name: str
    arguments: type[msgspec.Struct]
    """Made with the method's own parameters."""
    arguments_decoder: msgspec.msgpack.Decoder[Any]
    result_decoder: msgspec.msgpack.Decoder[Any]


_encoder = msgspec.msgpack.Encoder()
encode = _encoder.encode
decode_call = msgspec.msgpack.Decoder(CallFrame).decode
decode_answer = msgspec.msgpack.Decoder(AnswerFrame).decode


def method_of(function: Callable[..., Any]) -> Method:
    """The wire form of one method of the interface."""
    hints = get_type_hints(function)
    fields: list[Any] = []
    for name, parameter in inspect.signature(function).parameters.items():
        if name == "self":
            continue
        default = () if parameter.default is parameter.empty else (parameter.default,)
        fields.append((name, hints[name], *default))
    arguments = msgspec.defstruct(function.__name__, fields, array_like=True)
    return Method(
        function.__name__,
        arguments,
        msgspec.msgpack.Decoder(arguments),
        msgspec.msgpack.Decoder(hints["return"]),
    )


def framed(message: CallFrame | AnswerFrame) -> bytes:
    """``message`` as it goes into the socket. Raises :class:`BadFrame` if it is too large to be taken."""
    body = encode(message)
    if len(body) > MAX_FRAME_BYTES:
        raise BadFrame(f"{len(body)} bytes are too many for one value; at most {MAX_FRAME_BYTES} are carried")
    return len(body).to_bytes(_PREFIX_BYTES, "big") + body


class FrameReader:
    """Cuts a stream of bytes into frames."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The frames that are complete with ``data``. Raises :class:`BadFrame`."""
        buffer = self._buffer
        buffer += data
        start = 0
        try:
            while len(buffer) - start >= _PREFIX_BYTES:
                length = int.from_bytes(buffer[start : start + _PREFIX_BYTES], "big")
                if length > MAX_FRAME_BYTES:
                    raise BadFrame(f"a frame of {length} bytes is announced, at most {MAX_FRAME_BYTES} are allowed")
                end = start + _PREFIX_BYTES + length
                if len(buffer) < end:
                    break
                body = bytes(buffer[start + _PREFIX_BYTES : end])
                start = end
                yield body
        finally:
            del buffer[:start]
