"""Reads the body of a request: whole, within bounds of size, time and rate, and unpacked."""

from __future__ import annotations

import asyncio
import zlib

from aiohttp import hdrs, web
from aiohttp.streams import StreamReader

from fairlead_router.admit.limits import Admission
from fairlead_router.errors import RouterError, body_too_slow, invalid_request, too_large, unsupported_encoding

GRACE_SECONDS = 5.0
MIN_BYTES_PER_SECOND = 1024
"""After the grace a body must have come at this rate from its beginning: a whole body a byte at a time holds memory and a
connection for as long as its sender likes. Apache's ``RequestReadTimeout`` and Kestrel's ``MinRequestBodyDataRate`` do
the same with 500 and 240 bytes a second."""

MAX_RATIO = 100
ALWAYS_UNPACKED_BYTES = 1 << 20
"""A packed body may grow a hundredfold, and always to one mebibyte. Conversations in JSON shrink to a tenth at most; deflate
itself can reach one in a thousand."""

_WINDOWS = {"gzip": 31, "x-gzip": 31, "deflate": 15}
_RAW_DEFLATE = -15


async def read_body(request: web.Request, admission: Admission, *, seconds: float) -> bytes:
    """The body, counted as held by ``admission.buffers``: whoever gets it gives its length back.

    Raises ``RouterError``: 413 too large, 408 too slow, 415 packed in a way not known, 503 no memory left for it, or 400 for
    one that is cut short or cannot be unpacked.
    """
    admission.check_length(request.content_length)
    encoding = request.headers.get(hdrs.CONTENT_ENCODING)
    if encoding is not None and (encoding := encoding.strip().lower()) not in _WINDOWS:
        if encoding not in {"", "identity"}:
            raise unsupported_encoding()
        encoding = None
    content = request.content
    try:
        if content.is_eof():  # All of it came with the head.
            body = content.read_nowait()
            if len(body) > admission.max_body_bytes:
                raise too_large(admission.max_body_bytes)
            admission.hold(len(body))
        else:
            body = await _arriving(content, admission, seconds)
    except web.RequestPayloadError as error:
        raise _unreadable() from error
    return body if encoding is None else await _unpacked(body, encoding, admission)


async def _arriving(content: StreamReader, admission: Admission, seconds: float) -> bytes:
    start = asyncio.get_running_loop().time()
    parts: list[bytes] = []
    size = 0
    complete = False
    try:
        async with asyncio.timeout_at(start + min(seconds, GRACE_SECONDS)) as limit:
            while part := await content.readany():
                if size + len(part) > admission.max_body_bytes:
                    raise too_large(admission.max_body_bytes)
                admission.hold(len(part))
                size += len(part)
                parts.append(part)
                limit.reschedule(start + min(seconds, GRACE_SECONDS + size / MIN_BYTES_PER_SECOND))
        complete = True
    except TimeoutError as error:
        raise body_too_slow(seconds, MIN_BYTES_PER_SECOND) from error
    finally:
        if not complete:
            admission.buffers.give_back(size)
    return parts[0] if len(parts) == 1 else b"".join(parts)


async def _unpacked(body: bytes, encoding: str, admission: Admission) -> bytes:
    """Replaces what is held by the unpacked size."""
    limit = min(admission.max_body_bytes, max(ALWAYS_UNPACKED_BYTES, MAX_RATIO * len(body)))
    held = len(body)
    size = 0
    try:
        admission.hold(limit)
        held += limit
        unpacked = await asyncio.to_thread(unpack, body, encoding, limit)
        if unpacked is None:
            raise too_large(limit)
        size = len(unpacked)
    except (zlib.error, EOFError) as error:
        raise _unreadable() from error
    finally:
        admission.buffers.give_back(held - size)
    return unpacked


def unpack(body: bytes, encoding: str, limit: int) -> bytes | None:
    """At most ``limit`` bytes, ``None`` where there are more. Raises ``zlib.error`` or ``EOFError`` for broken data.

    ``deflate`` means the zlib format (RFC 9110, 8.4.1.2); what some clients send for it, without zlib's head, is read too.
    """
    window = _WINDOWS[encoding]
    if encoding == "deflate" and body[:1] and body[0] & 0x0F != zlib.DEFLATED:
        window = _RAW_DEFLATE
    parts: list[bytes] = []
    room, rest = limit + 1, body
    while rest:  # gzip may have several members
        inflate = zlib.decompressobj(window)
        part = inflate.decompress(rest, room)
        parts.append(part)
        room -= len(part)
        if room <= 0:
            return None
        if not inflate.eof:
            raise EOFError
        rest = inflate.unused_data
    return b"".join(parts)


def _unreadable() -> RouterError:
    return invalid_request("the request body could not be read", code="invalid_body")
