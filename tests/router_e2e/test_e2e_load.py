"""Many requests at once, good and bad mixed: each is answered, and nothing is left behind."""

from __future__ import annotations

import asyncio
import random
from collections import Counter

from fairlead_contract.fragments import CircuitBreaker, Retries
from tests.router_e2e.fake_upstream import CLOSE, RESET, FakeUpstream, Received, Script
from tests.router_e2e.harness import serving
from tests.router_e2e.scripts import answers, fails, head, in_pieces, says, streams, whole_stream
from tests.router_e2e.world import policy, provider

SEED = 11
WHOLE: list[Script] = [
    answers(),
    answers(),
    fails(500),
    fails(429),
    fails(400, "bad"),
    says(200, b"?"),
    [RESET],
    [CLOSE],
]
STREAMED: list[Script] = [
    streams(),
    streams(*in_pieces(b"".join(whole_stream()), 50)),
    streams(*whole_stream()[:2]),
    [*streams(*whole_stream()[:2], ends=False), RESET],
    [head(), RESET],
    fails(503),
]


async def test_hundreds_of_mixed_requests_at_once_are_all_answered_and_leave_nothing(
    upstream: FakeUpstream, other: FakeUpstream
) -> None:
    dice = random.Random(SEED)

    def anything(received: Received) -> Script:
        return dice.choice(STREAMED if b'"stream"' in received.body else WHOLE)

    upstream.default = anything
    other.default = lambda received: streams() if b'"stream"' in received.body else answers()
    rules = CircuitBreaker(consecutive_failures=20, min_requests=1000)
    one, two = provider(upstream.url, circuit_breaker=rules), provider(other.url, "zenith")
    chosen = policy("acme/small", "zenith/small", retries=Retries(attempts=1))
    async with serving(one, two, chosen) as router:
        before = asyncio.all_tasks()

        async def ask(number: int) -> str:
            match number % 10:
                case 0:
                    return f"bad {(await router.post(b'{')).status}"
                case 1:
                    return f"unknown {(await router.chat('none')).status}"
                case 2 | 3 | 4:
                    reply = await router.chat(stream=True)
                    last = reply.events[-1] if reply.status == 200 else b""
                    ended = b"[DONE]" if last == b"[DONE]" else b"error" if b'"error"' in last else last
                    return f"stream {reply.status} {ended.decode()}"
                case 5:
                    try:
                        async with asyncio.timeout(0.02):
                            await router.chat(stream=bool(number % 20 == 5))
                    except TimeoutError:
                        pass
                    return "left"
                case _:
                    return f"whole {(await router.chat()).status}"

        seen = Counter(await asyncio.gather(*(ask(number) for number in range(400))))
        await router.idle()
        assert sum(seen.values()) == 400, f"seed {SEED}: {seen}"
        assert (seen["bad 400"], seen["unknown 404"], seen["left"]) == (40, 40, 40), f"seed {SEED}: {seen}"
        assert seen.keys() <= {
            *("bad 400", "unknown 404", "left", "whole 200", "whole 400"),
            *("stream 200 [DONE]", "stream 200 error"),
        }, f"seed {SEED}: {seen}"

        requests = {
            labels: value
            for (name, labels), value in (await router.metrics()).items()
            if name == "model_router_requests_total"
        }
        # Who left may have left before the router saw the request.
        assert 360 <= sum(requests.values()) <= 400
        assert await router.metric("fairlead_requests_in_flight") == 0
        reply = await router.chat("zenith/small")
        assert reply.status == 200
        named = {task.get_coro().__qualname__ for task in asyncio.all_tasks() - before}  # type: ignore[union-attr]
        assert not {name for name in named if "chat" in name or "relay" in name}
