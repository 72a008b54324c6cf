"""Clients that never stop asking."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Mapping
from contextlib import suppress

import aiohttp

from devcluster.installation import Router

_PER_SECOND = 20.0
_LONGEST = aiohttp.ClientTimeout(total=5)
_QUESTION = {"model": "auto", "messages": [{"role": "user", "content": "Good morning"}]}


class Traffic:
    """Twenty requests a second, to each router in its turn.

    A router that is not there is passed over for the next one, as a Service and a client that tries twice would do; any
    other answer than 200 is a failure.
    """

    def __init__(self, http: aiohttp.ClientSession, routers: list[Router]) -> None:
        self._http = http
        self._routers = routers
        self.answered = 0
        self.failures: list[str] = []
        self._asking: set[asyncio.Task[None]] = set()
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """After the last answer."""
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task
        await asyncio.gather(*self._asking)

    async def _run(self) -> None:
        for turn in itertools.count():
            task = asyncio.create_task(self._ask(turn))
            self._asking.add(task)
            task.add_done_callback(self._asking.discard)
            await asyncio.sleep(1 / _PER_SECOND)

    async def _ask(self, turn: int) -> None:
        first = turn % len(self._routers)
        said: list[str] = []
        for router in (*self._routers[first:], *self._routers[:first]):
            try:
                await ask(self._http, router)
            except (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError) as error:
                said.append(f"{router.url}: {error!r}")
            except (WrongAnswer, TimeoutError) as error:
                said.append(f"{router.url}: {error!r}")
                break
            else:
                self.answered += 1
                return
        self.failures.append("; ".join(said))


class WrongAnswer(Exception):
    """An answer that is not 200."""


async def ask(http: aiohttp.ClientSession, router: Router, headers: Mapping[str, str] | None = None) -> str:
    """Which model answered: ``namespace/provider/model``. Raises :class:`WrongAnswer` and what aiohttp raises."""
    url = f"{router.url}/v1/chat/completions"
    async with http.post(url, json=_QUESTION, headers=headers, timeout=_LONGEST) as answer:
        text = await answer.text()
        if answer.status != 200:
            raise WrongAnswer(f"{answer.status}: {text[:300]}")
        return answer.headers["x-fairlead-model"]
