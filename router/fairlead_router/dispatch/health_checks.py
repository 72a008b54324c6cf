"""Asks endpoints whether they are there: one task for each that wants to be asked, following the running table."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass

from yarl import URL

from fairlead_contract.fragments import HealthCheck, ProviderFragment
from fairlead_router.config.table import EndpointEntry, Table
from fairlead_router.dispatch.health import HealthRegistry
from fairlead_router.dispatch.providers.azure_openai import azure_root_url
from fairlead_router.dispatch.transport.base import CallFailed, CallTimedOut, Transport

logger = logging.getLogger("fairlead.health")

_FOLLOW_SECONDS = 0.5
_JITTER = 0.2
"""A period is this much longer or shorter, so that many routers do not ask in step."""

_MAX_BYTES = 256 * 1024
"""What is read of an answer, to use its connection again. Its status alone is looked at."""


@dataclass(frozen=True, slots=True)
class _Asked:
    """What a check does."""

    endpoint: EndpointEntry
    check: HealthCheck
    url: URL


@dataclass(frozen=True, slots=True)
class _Watched:
    asked: _Asked
    task: asyncio.Task[None]


def _asked(provider: ProviderFragment, endpoint: EndpointEntry, check: HealthCheck) -> _Asked:
    if provider.type == "AzureOpenAI":
        return _Asked(endpoint, check, azure_root_url(endpoint.url, check.path, provider.azure_api_version))
    return _Asked(endpoint, check, URL(str(endpoint.url).rstrip("/") + check.path, encoded=True))


class HealthChecks:
    """Runs the checks. They use the connections, the credentials and the guarded addresses of ordinary calls."""

    def __init__(
        self,
        transport: Transport,
        health: HealthRegistry,
        *,
        draw: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        self._transport = transport
        self._health = health
        self._draw = draw
        self._sleep = sleep
        self._watched: dict[tuple[str, str], _Watched] = {}

    async def run(self, table: Callable[[], Table]) -> None:
        """Follow the table that runs until cancelled; then no check runs any more."""
        followed: Table | None = None
        try:
            while True:
                if (running := table()) is not followed:
                    followed = running
                    await self.follow(running)
                await self._sleep(_FOLLOW_SECONDS)
        finally:
            await self._stop(list(self._watched))

    async def follow(self, table: Table) -> None:
        """Begin and end checks so that exactly the endpoints of ``table`` that want it are checked.

        An endpoint that is the same keeps its rhythm, or a provider that is edited often would never be checked; one that
        is the same but for its headers, weight and the like keeps what was found of it.
        """
        wanted = {
            (key, endpoint.name): _asked(provider.fragment, endpoint, endpoint.health_check)
            for key, provider in table.providers.items()
            if provider.fragment.type != "Simulated"
            for endpoint in provider.endpoints
            if endpoint.health_check is not None
        }
        changed = [key for key, each in self._watched.items() if wanted.get(key) != each.asked]
        for key in changed:
            watched, now = self._watched[key], wanted.get(key)
            if now is None or (now.url, now.check) != (watched.asked.url, watched.asked.check):
                self._health.forget(*key)
        await self._stop(changed)
        for key, asked in wanted.items():
            if key not in self._watched:
                task = asyncio.create_task(self._watch(key, asked), name=f"health {key}")
                self._watched[key] = _Watched(asked, task)

    async def _stop(self, keys: list[tuple[str, str]]) -> None:
        tasks = [self._watched.pop(key).task for key in keys]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _watch(self, key: tuple[str, str], asked: _Asked) -> None:
        check = asked.check
        await self._sleep(self._draw() * check.period_seconds)
        while True:
            try:
                error = await self._ask(asked)
                if self._health.report(*key, error, check):
                    state = "healthy again" if error is None else f"unhealthy: {error}"
                    logger.warning("endpoint %s of ModelProvider %s is %s", key[1], key[0], state)
            except Exception:
                logger.exception("checking endpoint %s of ModelProvider %s failed; it goes on", key[1], key[0])
            await self._sleep(check.period_seconds * (1 - _JITTER + 2 * _JITTER * self._draw()))

    async def _ask(self, asked: _Asked) -> str | None:
        """``None`` if the endpoint answers with success, else why not."""
        seconds = asked.check.timeout_seconds
        try:
            async with asyncio.timeout(seconds):
                answer = await self._transport.request(
                    "GET", asked.url, asked.endpoint.headers, b"", connect_seconds=seconds
                )
                try:
                    with suppress(CallFailed):
                        await answer.read(_MAX_BYTES)
                    return None if 200 <= answer.status < 300 else f"status {answer.status}"
                finally:
                    answer.close()
        except CallFailed as failed:
            return failed.error
        except (CallTimedOut, TimeoutError):
            return "timeout"
