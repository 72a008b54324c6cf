"""Asks routers how the endpoints of providers fare.

Apart from asking what they run: no answer, late or huge, to this question may hold up a rollout.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import aiohttp
import msgspec

from fairlead_crds.kinds.model_provider import BreakerState, EndpointState
from fairlead_operator.metrics import Metrics
from fairlead_operator.status.endpoints import EndpointHealth, Endpoints, Sighting, combine
from fairlead_operator.status.wording import cut

_ASK_SECONDS = 2.0
_AT_ONCE = 8
_LARGEST_BYTES = 4 * 1024 * 1024
"""Some 15,000 endpoints."""

_CHUNK_BYTES = 64 * 1024
_ERROR_CHARACTERS = 100


class TooLarge(Exception):
    """No router of ours says so much."""


_FAILURES = (aiohttp.ClientError, OSError, TimeoutError, msgspec.MsgspecError, TooLarge)


class _Check(msgspec.Struct):
    healthy: bool = True
    error: str | None = None


class _Endpoint(msgspec.Struct, rename="camel"):
    provider: str
    name: str
    state: EndpointState
    breaker: BreakerState
    score_percent: int
    calls: int | None = None
    latency_p50_milliseconds: int | None = None
    error_percent: float | None = None
    check: _Check | None = None


class _Answer(msgspec.Struct):
    """The part of ``/-/health`` that matters here."""

    endpoints: tuple[_Endpoint, ...]


_DECODER = msgspec.json.Decoder(_Answer)


@dataclass(frozen=True, slots=True)
class EndpointReport:
    """What one router said: by provider and endpoint."""

    address: str
    sightings: Mapping[tuple[str, str], Sighting] = field(default_factory=dict)
    reachable: bool = True
    """Whether it gave an answer that this version understands."""


class EndpointPoller:
    """Asks a few at once, briefly."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._asking = asyncio.Semaphore(_AT_ONCE)

    async def ask_all(self, http: aiohttp.ClientSession, addresses: Iterable[str]) -> tuple[EndpointReport, ...]:
        """One report for each address; never raises."""
        return tuple(await asyncio.gather(*(self._ask(http, address) for address in addresses)))

    async def _ask(self, http: aiohttp.ClientSession, address: str) -> EndpointReport:
        try:
            async with (
                self._asking,
                http.get(f"{address}/-/health", timeout=aiohttp.ClientTimeout(total=_ASK_SECONDS)) as response,
            ):
                response.raise_for_status()
                report = endpoint_report_of(address, await _bounded(response))
        except _FAILURES:
            self._metrics.health_answers.labels("failed").inc()
            return EndpointReport(address, reachable=False)
        self._metrics.health_answers.labels("answered").inc()
        return report


def endpoint_report_of(address: str, answer: bytes) -> EndpointReport:
    """Raises ``msgspec.MsgspecError`` for what no router of this version says."""
    said = _DECODER.decode(answer)
    return EndpointReport(address, {(each.provider, each.name): _sighting(each) for each in said.endpoints})


def by_provider(reports: Iterable[EndpointReport]) -> Mapping[str, Endpoints] | None:
    """All routers together; ``None`` if none of them answered."""
    answered = [report for report in reports if report.reachable]
    if not answered:
        return None
    seen: defaultdict[tuple[str, str], list[Sighting]] = defaultdict(list)
    for report in answered:
        for place, sighting in report.sightings.items():
            seen[place].append(sighting)
    result: defaultdict[str, dict[str, EndpointHealth]] = defaultdict(dict)
    for (provider, name), sightings in seen.items():
        result[provider][name] = combine(sightings)
    return result


def _sighting(said: _Endpoint) -> Sighting:
    failing = said.check if said.check is not None and not said.check.healthy else None
    return Sighting(
        state=said.state,
        breaker=said.breaker,
        score_percent=said.score_percent,
        calls=None if said.calls is None else max(0, said.calls),
        latency_p50_milliseconds=said.latency_p50_milliseconds,
        error_percent=said.error_percent,
        check_error=None if failing is None else cut(failing.error or "failed", _ERROR_CHARACTERS),
    )


async def _bounded(response: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    async for chunk in response.content.iter_chunked(_CHUNK_BYTES):
        body += chunk
        if len(body) > _LARGEST_BYTES:
            raise TooLarge
    return bytes(body)
