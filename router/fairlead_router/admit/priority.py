"""How urgent a request is: what its client says, capped by what its credential allows."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum

import msgspec

from fairlead_router.errors import invalid_request

PRIORITY_HEADER = "x-fairlead-priority"
PATIENCE_HEADER = "x-fairlead-queue-timeout-ms"
_SDK_PATIENCE_HEADERS = ("x-stainless-read-timeout", "x-stainless-timeout")
"""Seconds after which OpenAI's SDKs (Python; JavaScript) hang up, as they announce with every request."""
_MAX_DIGITS = 9


class Priority(IntEnum):
    """Higher goes first."""

    LOW = 0
    NORMAL = 1
    HIGH = 2


_NAMES = {priority.name.lower(): priority for priority in Priority}


class _Metadata(msgspec.Struct):
    priority: str | None = None


class _Body(msgspec.Struct):
    metadata: _Metadata | None = None


_BODY = msgspec.json.Decoder(_Body)


def priority_named(text: str) -> Priority | None:
    """``high``, ``normal`` or ``low`` in any case; ``None`` for anything else."""
    return _NAMES.get(text.strip().lower())


def stated_priority(headers: Mapping[str, str]) -> Priority | None:
    """What the header says. Raises ``RouterError`` 400 for a word that is no priority."""
    text = headers.get(PRIORITY_HEADER)
    if text is None:
        return None
    priority = priority_named(text)
    if priority is None:
        raise invalid_request(f"header {PRIORITY_HEADER} is one of high, normal and low", param=PRIORITY_HEADER)
    return priority


def priority_in_body(body: bytes) -> Priority | None:
    """``metadata.priority``; ``None`` where that is anything else, for OpenAI leaves ``metadata`` to its clients."""
    try:
        metadata = _BODY.decode(body).metadata
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        return None
    return None if metadata is None or metadata.priority is None else priority_named(metadata.priority)


def granted(stated: Priority | None, ceiling: Priority) -> Priority:
    """Nobody rises above ``ceiling``; who says nothing is normal, where that is allowed."""
    return min(Priority.NORMAL if stated is None else stated, ceiling)


def stated_patience(headers: Mapping[str, str]) -> float | None:
    """The seconds that the header allows to wait in line. Raises ``RouterError`` 400 for what is no number."""
    text = headers.get(PATIENCE_HEADER)
    if text is None:
        return None
    text = text.strip()
    if not (text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS):
        raise invalid_request(f"header {PATIENCE_HEADER} takes whole milliseconds", param=PATIENCE_HEADER)
    return int(text) / 1000


def sdk_patience(headers: Mapping[str, str], longest: float) -> float:
    """The seconds after which the client's SDK will hang up, at most ``longest``."""
    for name in _SDK_PATIENCE_HEADERS:
        text = headers.get(name)
        if text is not None:
            return min(longest, _seconds(text, longest))
    return longest


def _seconds(text: str, default: float) -> float:
    try:
        seconds = float(text)
    except ValueError:
        return default
    return seconds if seconds > 0 else default
