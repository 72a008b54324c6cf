"""Runs the suite against one gateway that is started for it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import replace

from bench.conformance.gateways import Judged, running_gateway
from fairlead_conformance.case import Case
from fairlead_conformance.cases import CASES
from fairlead_conformance.provider import FALLBACK, PRIMARY, fake_provider
from fairlead_conformance.run import Verdict, run_cases


async def judge(name: str, cases: Sequence[Case] = CASES, *, hang_up_seconds: float = 2.0) -> tuple[str, list[Verdict]]:
    """Start the gateway called ``name`` in front of a provider, judge it, end it. Its title, and what was found.

    Raises ``PeerUnavailable``. ``hang_up_seconds``: how soon a hang-up must have been passed on.
    """
    async with fake_provider("127.0.0.1", 0, 0) as provider:
        primary, fallback = (f"http://127.0.0.1:{provider.ports[port]}/v1" for port in (PRIMARY, FALLBACK))
        starting: AbstractContextManager[Judged] = running_gateway(name, primary, fallback)
        with ExitStack() as stack:
            # In a thread: some gateways look at their provider before they are ready, and it is served by this loop.
            judged = await asyncio.to_thread(stack.enter_context, starting)
            declared = replace(judged.declared, hang_up_seconds=hang_up_seconds)
            verdicts = await run_cases(cases, judged.gateway, provider, declared)
            await asyncio.to_thread(stack.close)
    return judged.title, verdicts
