"""What a request asks of the room, and what it is told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

import msgspec

from fairlead_contract.decision import RemovedBy
from fairlead_router.cache.keyring import Part
from fairlead_router.config.table import ModelEntry, PolicyEntry
from fairlead_router.dialect.openai_request import ModelRequest
from fairlead_router.select.selection import Selection

_HASHED_AT_ONCE = 128 * 1024
"""Bytes of a body that are read and hashed in well under a millisecond."""

_AWAY = frozenset({RemovedBy.CIRCUIT_BREAKER, RemovedBy.HEALTH})

_ENCODER = msgspec.msgpack.Encoder()

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Question:
    """A request that has been decided and not sent yet."""

    workspace: str
    subject: str | None
    headers: Mapping[str, str]
    request: ModelRequest
    policy: PolicyEntry | None
    selection: Selection

    def may_be_answered_by(self, model: str) -> bool:
        """Whether an answer that ``model`` gave earlier may be given now: it is still a candidate, and no hard constraint
        took it out. Neither an open circuit breaker nor failing health checks do: nobody is called."""
        return any(
            candidate.model == model and (candidate.removed is None or candidate.removed.by in _AWAY)
            for candidate in self.selection.candidates
        )

    async def hashed(self, compute: Callable[[], T]) -> T:
        """``compute`` over the body: off the loop if that is large."""
        if len(self.request.body) <= _HASHED_AT_ONCE:
            return compute()
        return await asyncio.to_thread(compute)

    def versions(self) -> Part:
        """Every model that the policy may choose, in the version that its provider declares now."""
        if self.policy is None:
            return ()
        targets = [*self.policy.targets, *(fallback.target for fallback in self.policy.fallbacks)]
        if self.policy.canary is not None:
            targets.append(self.policy.canary)
        return tuple(
            sorted(
                {
                    (entry.key, entry.provider.fragment.uid, entry.provider.fragment.generation, _called(entry))
                    for entry in (target.entry for target in targets)
                    if entry is not None
                }
            )
        )


def _called(entry: ModelEntry) -> bytes:
    """What is called under the name of ``entry``. Generations do not tell by themselves: those of files begin at 1 with each
    start of a router, and a shared store outlives it. Secrets may rotate: they change no answer."""
    provider = entry.provider.fragment
    endpoints = [(each.url, [(header.name, header.value) for header in each.headers]) for each in provider.endpoints]
    model = entry.model
    return _ENCODER.encode(
        (
            provider.type,
            endpoints,
            provider.simulated,
            provider.azure_api_version,
            model.upstream_name,
            model.default_temperature,
            model.default_max_output_tokens,
        )
    )


class CacheQuestion(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """Whether the response cache would be asked, for an explanation."""

    asked: bool
    ttl_seconds: int
    why: str | None = None
    """It would not be."""


class Directives(msgspec.Struct, frozen=True):
    """What ``Cache-Control`` of a request says (RFC 9111, 5.2.1) of the answers kept here; all else in it is no matter."""

    fresh: bool = False
    """Give no answer kept earlier (``no-cache``)."""
    unkept: bool = False
    """Keep nothing of this request (``no-store``)."""

    @classmethod
    def of(cls, headers: Mapping[str, str]) -> Directives:
        """Read from a request's headers."""
        if "cache-control" not in headers:
            return _NONE
        # There may be several: RFC 9110, 5.3.
        text = ",".join(value for name, value in headers.items() if name.lower() == "cache-control")
        words = {word.strip().partition("=")[0].lower() for word in text.split(",")}
        unkept = "no-store" in words
        return cls(unkept or "no-cache" in words, unkept)


_NONE = Directives()
