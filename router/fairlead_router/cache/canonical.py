"""The part of a request's body that makes its answer what it is.

Only fields at the top are put in order, and white space goes. Everything below stays as it came, number formats and the
order of a schema's properties among them: a model may answer differently, and a miss costs less than a wrong answer.
"""

from __future__ import annotations

import msgspec

_RAW = msgspec.json.Decoder(dict[str, msgspec.Raw])
_LABELS = frozenset({"metadata", "prompt_cache_key", "prompt_cache_retention"})
"""Read by the provider's bookkeeping, not by the model. ``user`` and ``safety_identifier`` are no model's business either, but
they stay: who names an end user in the body shares answers with that user alone."""
_SHAPE = frozenset({"stream", "stream_options"})
_NULL = b"null"


def canonical(body: bytes, *, stream: bool) -> bytes | None:
    """What two requests must have in common to get one answer; ``None`` for a request whose answer must be its own.

    A streamed and a whole answer are never made from one another, and neither are streams with different
    ``stream_options``: so every answer can be given again byte for byte. A field that is null counts as absent.
    """
    try:
        fields = _RAW.decode(body)
        parts: dict[str, msgspec.Raw] = {}
        for name in sorted(fields):
            if name in _LABELS or (name in _SHAPE and not stream):
                continue
            value = msgspec.json.format(bytes(fields[name]), indent=-1)
            if value == _NULL or name == "stream":
                continue
            if name == "store" and value == b"true":
                return None  # The provider is asked to keep the answer of this very request.
            parts[name] = msgspec.Raw(value)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return None
    return (b"stream " if stream else b"whole ") + msgspec.json.encode(parts)
