"""The trace that a request belongs to: W3C Trace Context in and out, and whether the request is sampled.

Sources: W3C Trace Context (Recommendation, level 1); OpenTelemetry's TraceIdRatioBased sampler, with which the ratio here
agrees: all services that sample by trace id at the same ratio keep the same traces.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

import msgspec

_TRACEPARENT = re.compile(r"(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_TRACESTATE = re.compile(r"[\x20-\x7e\t]{1,512}")
"""A longer one may be dropped, and one that is not printable is none."""

_SAMPLED = 0x01
_IDS = 1 << 64
_TRACE_BYTES, _SPAN_BYTES, _AT_ONCE = 16, 8, 4096


class Parent(msgspec.Struct, frozen=True):
    """What a client's ``traceparent`` says."""

    trace_id: str
    span_id: str
    sampled: bool
    tracestate: str | None


class TraceContext(msgspec.Struct, frozen=True):
    """The trace of one request."""

    trace_id: str
    """32 hexadecimal digits."""
    span_id: str
    """Of the request itself, 16 hexadecimal digits."""
    sampled: bool
    """What those that are called are told; the client's word if it is believed."""
    recorded: bool
    """Whether spans of the request are exported."""
    probability: float | None = None
    """With which it was sampled here; ``None``: somebody else decided."""
    parent_span_id: str | None = None
    tracestate: str | None = None

    def attempt_span_id(self, number: int) -> str:
        """Of the attempt with that number, counted from 1: ids need not be kept to be found again for the spans."""
        return f"{(int(self.span_id, 16) + number) % _IDS or _IDS - 1:016x}"

    def upstream_headers(self, attempt: int) -> dict[str, str]:
        """What is sent to the provider. Where no span is exported, its parent is whoever called us."""
        ours = self.recorded or self.parent_span_id is None
        parent = self.attempt_span_id(attempt) if ours else self.parent_span_id
        headers = {"traceparent": f"00-{self.trace_id}-{parent}-{'01' if self.sampled else '00'}"}
        if self.tracestate is not None:
            headers["tracestate"] = self.tracestate
        return headers


class Sampling(msgspec.Struct, frozen=True):
    """Which requests are sampled."""

    exporting: bool
    """Whether spans go anywhere."""
    ratio: float = 0.01
    """Of traces that begin here, in [0, 1]."""
    trust_clients: bool = True
    """Whether a client's trace is gone on with."""
    parent_based: bool = True
    """Whether a client that is trusted also says if its trace is sampled."""


class Tracing:
    """Gives each request its trace. ``random_bytes`` is asked for many at once: each call is a system call."""

    def __init__(self, sampling: Sampling, random_bytes: Callable[[int], bytes]) -> None:
        self._sampling = sampling
        self._bound = round(sampling.ratio * _IDS)
        self._random_bytes = random_bytes
        self._random = ""
        self._used = 0

    def begin(self, headers: Mapping[str, str]) -> TraceContext | None:
        """The trace of a request; ``None`` if none came with it and none is exported."""
        sampling = self._sampling
        given = headers.get("traceparent") if sampling.trust_clients else None
        parent = None if given is None else parse_parent(given, _tracestate(headers))
        if parent is None:
            if not sampling.exporting:
                return None
            trace_id = self._hex(_TRACE_BYTES)
            sampled = self._sampled(trace_id)
            return TraceContext(trace_id, self._hex(_SPAN_BYTES), sampled, sampled, sampling.ratio)
        sampled, probability = parent.sampled, None
        if sampling.exporting and not sampling.parent_based:
            sampled, probability = self._sampled(parent.trace_id), sampling.ratio
        return TraceContext(
            parent.trace_id,
            self._hex(_SPAN_BYTES),
            sampled,
            sampled and sampling.exporting,
            probability,
            parent.span_id,
            parent.tracestate,
        )

    def _sampled(self, trace_id: str) -> bool:
        return int(trace_id[16:], 16) < self._bound

    def _hex(self, size: int) -> str:
        start, end = self._used, self._used + 2 * size
        if end > len(self._random):
            self._random = self._random_bytes(_AT_ONCE).hex()
            start, end = 0, 2 * size
        self._used = end
        text = self._random[start:end]
        return text if text.strip("0") else "f" * (2 * size)  # all zeros is no id


def _tracestate(headers: Mapping[str, str]) -> str | None:
    """All headers of that name are one list (Trace Context, 3.3.1)."""
    if "tracestate" not in headers:
        return None
    return ",".join(value for name, value in headers.items() if value and name.lower() == "tracestate")


def parse_parent(traceparent: str, tracestate: str | None) -> Parent | None:
    """``None`` for what is no ``traceparent``; its ``tracestate`` then means nothing either."""
    found = _TRACEPARENT.fullmatch(traceparent.strip())
    if found is None:
        return None
    version, trace_id, span_id, flags, more = found.groups()
    if version == "00" and more is not None:
        return None
    if tracestate is not None and _TRACESTATE.fullmatch(tracestate) is None:
        tracestate = None
    return Parent(trace_id, span_id, bool(int(flags, 16) & _SAMPLED), tracestate)
