"""What a case works with: it asks through the gateway, tells the provider what to play, and sees both ends."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from fairlead_conformance.answer import StreamedAnswer, read_stream
from fairlead_conformance.client import Connection, Gateway, Reply, connection
from fairlead_conformance.provider import Call, Part, Play, Provider

_ARRIVAL_SECONDS = 6.0
"""For what needs no more than to be passed on."""


class Failed(Exception):
    """The gateway breaks the contract; the message says what was seen."""


class NotApplicable(Exception):
    """The gateway was not said to be set up for this; the message says what is missing."""


@dataclass(frozen=True, slots=True)
class Declared:
    """What whoever runs the suite says of the gateway's configuration. Times in seconds; ``None``: it has none such."""

    idle_seconds: float | None = None
    """How long a stream may be silent."""
    first_byte_seconds: float | None = None
    """How long the first event may take."""
    fallback: bool = False
    """It tries the second port when the first one fails."""
    hang_up_seconds: float = 2.0
    """How long it may take to pass a hang-up on."""


@dataclass(slots=True)
class Seen:
    """One request, from both ends."""

    reply: Reply
    part: Part

    @property
    def status(self) -> int:
        """The status that the client got."""
        return self.reply.status

    @property
    def body(self) -> bytes:
        """What the client has got of the body."""
        return bytes(self.reply.body)

    @property
    def answer(self) -> StreamedAnswer:
        """The body as a stream."""
        return read_stream(self.body)

    @property
    def calls(self) -> list[Call]:
        """What reached the provider."""
        return self.part.calls


@dataclass(slots=True)
class Talk:
    """A connection on which one request was sent."""

    connection: Connection
    part: Part

    async def reply(self) -> Seen:
        """The head of the answer, however long it takes."""
        return Seen(await self.connection.reply(), self.part)

    async def words(self, marker: bytes) -> Seen:
        """The answer, read up to ``marker``. Raises :class:`Failed` if the client does not get to see it in time."""
        seen: Seen | None = None
        try:
            async with asyncio.timeout(_ARRIVAL_SECONDS):
                seen = await self.reply()
                if await seen.reply.until(marker):
                    return seen
        except TimeoutError:
            raise Failed(f"the first words did not reach the client within {_ARRIVAL_SECONDS:g} s") from None
        raise Failed(f"HTTP {seen.status}, and the end before the first words")

    async def arrived(self) -> Call:
        """The first call, once it has reached the provider. Raises :class:`Failed` if it never does."""
        if not await within(_ARRIVAL_SECONDS, self.part.arrived.wait):
            raise Failed("the request never reached the provider")
        return self.part.calls[0]


@dataclass(slots=True)
class Lab:
    """One for each case: its name is in the text of the requests."""

    name: str
    gateway: Gateway
    provider: Provider
    declared: Declared
    _nonces: list[str] = field(default_factory=list)

    def part(self, *plays: Play) -> tuple[str, Part]:
        """A new nonce for which the provider plays these."""
        nonce = secrets.token_hex(8)
        self._nonces.append(nonce)
        return nonce, self.provider.expect(nonce, plays)

    def body(self, nonce: str, *, stream: bool = True, raw: bytes = b"", **fields: Any) -> bytes:
        """A chat request; ``raw`` is members of the JSON object, byte for byte."""
        said = {"role": "user", "content": f"scenario:{self.name}:{nonce}"}
        request = {"model": self.gateway.model, "messages": [said]} | ({"stream": True} if stream else {}) | fields
        data = json.dumps(request).encode()
        return data[:-1] + b"," + raw + b"}" if raw else data

    @asynccontextmanager
    async def talk(self, *plays: Play, stream: bool = True, raw: bytes = b"", **fields: Any) -> AsyncIterator[Talk]:
        """Send a request on a connection of its own, and do with it what the block says."""
        nonce, part = self.part(*plays)
        async with connection(self.gateway) as link:
            await link.send(self.body(nonce, stream=stream, raw=raw, **fields))
            yield Talk(link, part)

    async def ask(self, *plays: Play, stream: bool = True, raw: bytes = b"", **fields: Any) -> Seen:
        """Send a request and read its answer to the end."""
        async with self.talk(*plays, stream=stream, raw=raw, **fields) as talk:
            seen = await talk.reply()
            await seen.reply.rest()
            return seen

    def clean_up(self) -> None:
        """Forget what was played."""
        for nonce in self._nonces:
            self.provider.forget(nonce)


async def within(seconds: float, condition: Callable[[], Awaitable[object]]) -> bool:
    """Whether it comes about in that time."""
    try:
        async with asyncio.timeout(seconds):
            await condition()
    except TimeoutError:
        return False
    return True
