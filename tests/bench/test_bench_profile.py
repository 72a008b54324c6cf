"""Which room a sample belongs to."""

from __future__ import annotations

import pytest

from bench.profile.rooms import LOOP, ROOMS, THREADS, room_of, shares

MAIN = "run (uvloop/__init__.py);Runner.run (asyncio/runners.py)"
THREAD = "Thread.run (threading.py)"


@pytest.mark.parametrize(
    ("stack", "room"),
    [
        (MAIN, LOOP),
        (f"{MAIN};select (/x/fairlead_router/select/selection.py)", ROOMS["select/"]),
        (f"{MAIN};select (/x/fairlead_router/select/selection.py);parse (json/decoder.py)", ROOMS["select/"]),
        (f"{MAIN};f (fairlead_router/dispatch/transport/pool.py:31)", ROOMS["dispatch/transport/"]),
        (f"{MAIN};f (fairlead_router/dispatch/breaker.py)", ROOMS["dispatch/"]),
        (f"{MAIN};f (/site-packages/aiohttp/web_protocol.py)", ROOMS["aiohttp"]),
        (f"{MAIN};g (fairlead_router/record/sink.py);f (fairlead_contract/decision.py)", ROOMS["decision.py"]),
        (f"{THREAD};_run (fairlead_router/record/lines.py)", THREADS),
        (f"{THREAD};Condition.wait (threading.py)", None),
        (f"{THREAD};_worker (concurrent/futures/thread.py)", None),
    ],
)
def test_a_sample_belongs_to_the_innermost_room(stack: str, room: str | None) -> None:
    assert room_of(stack) == room


def test_shares_add_up_and_leave_idle_threads_out() -> None:
    found = shares([f"{MAIN} 1", f"{MAIN};f (fairlead_router/match/index.py) 3", f"{THREAD};wait (threading.py) 96"])
    assert found == {ROOMS["match/"]: 0.75, LOOP: 0.25}
