"""Recognises the plainest requests of inference in the bytes of a connection, and writes whole answers. Pure.

Plain is a POST to one of the operations with nothing in its head that another parser could understand differently, a length,
and a body that has arrived with it. Whatever is not plain is for aiohttp to read, from its first byte on: so there is only
one place that decides about odd HTTP, and this one may be narrow.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import formatdate
from enum import Enum, auto
from functools import lru_cache
from http.client import responses

from multidict import CIMultiDict

from fairlead_router.dialect.operations import OPERATIONS, Operation
from fairlead_router.http.client import Reply

MAX_BYTES = 256 * 1024
_MAX_HEAD_BYTES, _MAX_HEADERS = 8 * 1024, 64
_HEAD = re.compile(rb"(?:[!#$%&'*+\-.^_`|~0-9A-Za-z]+:[\x20-\x7e\x80-\xff]*\r\n)*")
"""Names and values of RFC 9110, one a line: no folding, no control characters (tabs neither), no bare line feeds."""
_LENGTH = re.compile(r"[0-9]{1,7}")
_NOT_PLAIN = frozenset(
    {
        "transfer-encoding",
        "expect",
        "upgrade",
        "content-encoding",
        "te",
        "trailer",
        "proxy-connection",
        "sec-websocket-key1",
    }
)
_KEPT = frozenset({"keep-alive", ""})

_OPERATIONS: dict[bytes, Operation] = {
    f"POST /v1/{operation.path} HTTP/1.1".encode(): operation for operation in OPERATIONS.values()
}


@dataclass(frozen=True, slots=True)
class HeadLimits:
    """What any head is held to; a plain one is smaller still."""

    max_line_bytes: int
    max_headers: int

    def plain(self) -> HeadLimits:
        """A head that is no longer than a line may be has no line that is too long."""
        return HeadLimits(min(self.max_line_bytes, _MAX_HEAD_BYTES), min(self.max_headers, _MAX_HEADERS))


class Not(Enum):
    """Why there is no plain request."""

    WHOLE = auto()
    """What has arrived may become one."""
    PLAIN = auto()
    """It will never be one."""


@dataclass(frozen=True, slots=True)
class PlainRequest:
    """See the module."""

    operation: Operation
    headers: CIMultiDict[str]
    body: bytes
    size: int
    """Bytes of the connection that it took."""


def recognise(data: bytes, limits: HeadLimits) -> PlainRequest | Not:
    """The plain request that ``data`` begins with."""
    end = data.find(b"\r\n\r\n", 0, limits.max_line_bytes)
    if end < 0:
        return Not.PLAIN if len(data) >= limits.max_line_bytes or not _may_become_plain(data) else Not.WHOLE
    start = data.find(b"\r\n")
    operation = _OPERATIONS.get(data[:start])
    if operation is None or _HEAD.fullmatch(data, start + 2, end + 2) is None:
        return Not.PLAIN
    lines = data[start + 2 : end].decode("utf-8", "surrogateescape").split("\r\n")
    if len(lines) > limits.max_headers:
        return Not.PLAIN
    headers: CIMultiDict[str] = CIMultiDict()
    names = set()
    for line in lines:
        name, _, value = line.partition(":")
        headers.add(name, value.strip(" "))
        names.add(name.lower())
    # What is there twice may be one of those that may not be.
    if len(names) < len(lines) or not names.isdisjoint(_NOT_PLAIN):
        return Not.PLAIN
    length = _plain_length(headers)
    if length is None or end + 4 + length > MAX_BYTES:
        return Not.PLAIN
    size = end + 4 + length
    if len(data) < size:
        return Not.WHOLE
    return PlainRequest(operation, headers, data[end + 4 : size], size)


def _may_become_plain(data: bytes) -> bool:
    line, feed, _ = data.partition(b"\r\n")
    return line in _OPERATIONS if feed else any(known.startswith(line.removesuffix(b"\r")) for known in _OPERATIONS)


def _plain_length(headers: CIMultiDict[str]) -> int | None:
    """The length of the body, if nothing in ``headers`` needs more than reading so many bytes."""
    length = headers.get("content-length", "")
    if _LENGTH.fullmatch(length) is None or "host" not in headers:
        return None
    return int(length) if headers.get("connection", "").lower() in _KEPT else None


def head_of(status: int, headers: Mapping[str, str], unix_seconds: int, *, close: bool, length: int | None) -> bytes:
    """The head of an answer; ``length`` ``None``: it comes in chunks. ``headers`` are ours and hold no line breaks."""
    lines = [_status_line(status), "Date: ", _date(unix_seconds), "\r\n"]
    for name, value in headers.items():
        lines += (name, ": ", value, "\r\n")
    if close:
        lines.append("Connection: close\r\n")
    lines.append("Transfer-Encoding: chunked\r\n\r\n" if length is None else f"Content-Length: {length}\r\n\r\n")
    return "".join(lines).encode()


def whole_of(reply: Reply, unix_seconds: int, *, close: bool) -> bytes:
    """Head and body."""
    head = head_of(reply.status, reply.headers, unix_seconds, close=close, length=len(reply.body))
    return head + reply.body


@lru_cache(maxsize=64)
def _status_line(status: int) -> str:
    # A provider's refusal may have a status that nobody has named.
    return f"HTTP/1.1 {status} {responses.get(status, 'Refused')}\r\n"


@lru_cache(maxsize=2)
def _date(unix_seconds: int) -> str:
    return formatdate(unix_seconds, usegmt=True)
