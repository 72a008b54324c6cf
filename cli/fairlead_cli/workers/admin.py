"""The admin port of several workers: asks them all, and answers as one router would."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import msgspec

from fairlead_cli.workers.merge_answers import Said, first_found, merged_config, newest_decisions, worst
from fairlead_cli.workers.merge_metrics import Exposition, merged, parse, render, what_grows
from fairlead_cli.workers.plain_http import Request, Response, ask

logger = logging.getLogger("fairlead.supervisor.admin")

_ASK_SECONDS = 1.5
"""Less than the operator waits for an answer, so that it hears which worker is silent."""

_DECISIONS = "/-/decisions"
_TEXT = "text/plain; version=0.0.4; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Member:
    """A worker that can be asked."""

    number: int
    slot: int
    admin_socket: str
    leaving: bool
    """It may be gone any moment, and what it does not say is not missed."""


class Ledger:
    """What workers have counted, those that are gone included: a sum must never go down."""

    def __init__(self) -> None:
        self._gone: Exposition = {}
        self._seen: dict[int, Exposition] = {}

    def saw(self, number: int, metrics: bytes) -> None:
        """What a worker counts by now. An answer that comes after its last word is no news."""
        if number in self._seen:
            self._seen[number] = parse(metrics.decode())

    def began(self, number: int) -> None:
        """A worker is there."""
        self._seen[number] = {}

    def gone(self, number: int) -> None:
        """A worker is gone: what was seen of it last stays."""
        self._gone = merged([self._gone, what_grows(self._seen.pop(number, {}))])

    def total(self, own: Exposition) -> str:
        """Everything, in text form."""
        return render(merged([*self._seen.values(), self._gone, own]))


class Admin:
    """Answers requests on the admin port. ``own``: what the supervisor itself counts."""

    def __init__(self, members: Callable[[], Iterable[Member]], ledger: Ledger, own: Callable[[], Exposition]) -> None:
        self._members = members
        self._ledger = ledger
        self._own = own
        self.settled: dict[str, Request] = {}
        """What was changed at run time, by path: a worker that starts later is told too."""

    async def answer(self, request: Request) -> Response:
        """See the table of paths in ``docs/running.md``."""
        said = await self._answer(request)
        return Response(said.status, said.content_type, said.body)

    async def settle(self, member: Member) -> None:
        """Tell a worker what was changed before it was there."""
        for request in list(self.settled.values()):
            await self._ask(member, request)

    async def _answer(self, request: Request) -> Said:
        members = list(self._members())
        if request.path == "/metrics" and request.method == "GET":
            return await self._metrics(members)
        if not members:
            return _silent("no worker runs")
        answers = await self._ask_all(members, request)
        heard = [said for said in answers.values() if said is not None]
        missing = sorted(member.slot for member, said in answers.items() if said is None and not member.leaving)
        if request.method not in {"GET", "HEAD"}:
            if missing:
                return _silent(f"worker {missing[0]} does not answer, so it may not have been done there")
            if not heard:
                return _silent("no worker answers")
            done = worst(heard)
            if done.status < 300:
                self.settled[request.path] = request
            return done
        if not heard:
            return _silent("no worker answers")
        if request.path == "/-/config":
            # Whoever is silent may run anything: nothing is said of a generation then.
            if missing:
                return _silent(f"worker {missing[0]} does not answer")
            return merged_config([(member.slot, said) for member, said in answers.items() if said is not None])
        if request.path == _DECISIONS:
            return newest_decisions(heard)
        return first_found(heard) if request.path.startswith(_DECISIONS) else heard[0]

    async def _metrics(self, members: list[Member]) -> Said:
        for member, said in (await self._ask_all(members, Request("GET", "/metrics"))).items():
            if said is not None and said.status == 200:
                self._ledger.saw(member.number, said.body)
        return Said(200, _TEXT, self._ledger.total(self._own()).encode())

    async def _ask_all(self, members: list[Member], request: Request) -> Mapping[Member, Said | None]:
        answers = await asyncio.gather(*(self._ask(member, request) for member in members))
        return dict(zip(members, answers, strict=True))

    async def _ask(self, member: Member, request: Request) -> Said | None:
        try:
            async with asyncio.timeout(_ASK_SECONDS):
                response = await ask(member.admin_socket, request)
        except (OSError, TimeoutError, ValueError, asyncio.LimitOverrunError) as error:
            logger.warning("worker %d does not answer on its admin API: %r", member.slot, error)
            return None
        return Said(response.status, response.content_type, response.body)


def _silent(message: str) -> Said:
    error = {"message": message, "type": "service_unavailable_error", "param": None, "code": "worker_silent"}
    return Said(503, "application/json", msgspec.json.encode({"error": error}))
