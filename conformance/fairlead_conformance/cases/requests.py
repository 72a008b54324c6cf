"""What the client asks reaches the provider as it was asked."""

from __future__ import annotations

import json
from typing import Any

from fairlead_conformance.case import SHOULD, case
from fairlead_conformance.judge import good_words
from fairlead_conformance.lab import Failed, Lab
from fairlead_conformance.script import WHOLE, stream

_RAW = rb'"x_vendor":{"price":1.50,"big":12345678901234567890,"tiny":1e-07,"text":"\u00e9\/","deep":[[{}]]}'
_KNOWN: dict[str, Any] = {
    "temperature": 0.25,
    "top_p": 0.5,
    "seed": 7,
    "stop": ["\n\n", "END"],
    "logit_bias": {"50256": -100},
    "response_format": {"type": "json_object"},
    "user": "somebody",
}


@case("request-unknown-fields", "S13")
async def request_unknown_fields(lab: Lab) -> str:
    """A field that no specification knows reaches the provider"""
    seen = await lab.ask(stream(*WHOLE), raw=_RAW)
    good_words(seen)
    wanted = json.loads(b"{" + _RAW + b"}")["x_vendor"]
    if seen.calls[0].json.get("x_vendor") != wanted:
        raise Failed(f"became {seen.calls[0].json.get('x_vendor')!r:.80}")
    return "its value is intact"


@case("request-byte-exact", "S13", SHOULD)
async def request_byte_exact(lab: Lab) -> str:
    """The value of such a field keeps its bytes: digits, escapes, spaces"""
    seen = await lab.ask(stream(*WHOLE), raw=_RAW)
    value = _RAW.partition(b":")[2]
    if value not in seen.calls[0].body:
        raise Failed("the value was written anew")
    return f"{len(value)} bytes unchanged"


@case("request-known-fields", "S13")
async def request_known_fields(lab: Lab) -> str:
    """The fields of the specification reach the provider with their values"""
    seen = await lab.ask(stream(*WHOLE), **_KNOWN)
    good_words(seen)
    got = seen.calls[0].json
    lost = [name for name, value in _KNOWN.items() if got.get(name) != value]
    if lost:
        raise Failed(f"lost or changed: {', '.join(lost)}")
    return f"{len(_KNOWN)} fields intact"


@case("request-nothing-added", "S13", SHOULD)
async def request_nothing_added(lab: Lab) -> str:
    """Nothing is added that the client did not say, but stream_options"""
    seen = await lab.ask(stream(*WHOLE))
    good_words(seen)
    extra = seen.calls[0].json.keys() - {"model", "messages", "stream", "stream_options"}
    if extra:
        raise Failed(f"added: {', '.join(sorted(extra))}")
    return "nothing"
