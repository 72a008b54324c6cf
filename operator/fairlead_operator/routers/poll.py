"""Asks every ready router which snapshot it runs."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import msgspec

from fairlead_kube.client import KubeClient
from fairlead_operator.routers.discovery import SERVICE_LABEL, ready_addresses
from fairlead_operator.status.rollout import Refusal, RouterReport

_ASK_SECONDS = 2.0
_AT_ONCE = 32
_FAILURES = (aiohttp.ClientError, OSError, TimeoutError, msgspec.MsgspecError)


class _Rejected(msgspec.Struct, rename="camel"):
    epoch: int
    revision: int
    reason: str
    message: str


class _Pending(msgspec.Struct):
    provider: str


class _Answer(msgspec.Struct, rename="camel"):
    """The part of ``/-/config?brief=true`` that matters here."""

    epoch: int
    revision: int
    source: str | None = None
    pending: tuple[_Pending, ...] = ()
    last_rejected: _Rejected | None = None
    last_offer_runs: bool = False
    """Whether ``last_rejected`` is history."""


_DECODER = msgspec.json.Decoder(_Answer)


class RouterPoller:
    """Asks routers. ``fixed`` addresses take the place of discovery; there, one that does not answer is not ready."""

    def __init__(
        self, client: KubeClient, namespace: str, service: str, port_name: str, fixed: tuple[str, ...]
    ) -> None:
        self._client = client
        self._path = f"/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices"
        self._service = service
        self._port_name = port_name
        self._fixed = tuple(address.rstrip("/") for address in fixed)
        self._asking = asyncio.Semaphore(_AT_ONCE)

    async def ask_all(self, http: aiohttp.ClientSession) -> tuple[RouterReport, ...]:
        """One report for each ready router. Raises what the API server's client raises if they cannot be found out."""
        addresses = self._fixed or await self._discover()
        reports = await asyncio.gather(*(self._ask(http, address) for address in addresses))
        return tuple(report for report in reports if report.reachable or not self._fixed)

    async def _discover(self) -> tuple[str, ...]:
        slices, _ = await self._client.list_all(self._path, {"labelSelector": f"{SERVICE_LABEL}={self._service}"})
        return ready_addresses(slices, self._port_name)

    async def _ask(self, http: aiohttp.ClientSession, address: str) -> RouterReport:
        try:
            async with (
                self._asking,
                http.get(
                    f"{address}/-/config", params={"brief": "true"}, timeout=aiohttp.ClientTimeout(total=_ASK_SECONDS)
                ) as response,
            ):
                response.raise_for_status()
                return report_of(address, await response.read())
        except _FAILURES:
            return RouterReport(address, None, reachable=False)


def report_of(address: str, answer: bytes) -> RouterReport:
    """Raises ``msgspec.MsgspecError`` for what no router says."""
    said: Any = _DECODER.decode(answer)
    rejected = None if said.last_offer_runs else said.last_rejected
    return RouterReport(
        address,
        None if said.source is None else (said.epoch, said.revision),
        frozenset(item.provider for item in said.pending),
        None if rejected is None else Refusal((rejected.epoch, rejected.revision), rejected.reason, rejected.message),
    )
