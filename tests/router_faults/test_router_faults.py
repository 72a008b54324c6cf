"""A provider breaks while clients ask: nobody notices who need not.

A router process, real connections, fakes that speak bytes. Each fault begins under load, lasts for at least 150 requests,
ends, and the main provider serves again as before.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from tests.router_e2e.fake_upstream import CLOSE, HANG, RESET, Script
from tests.router_e2e.scripts import answers, fails, http, streams, whole_stream
from tests.router_e2e.world import endpoint
from tests.router_faults.load import Measured, Switched, main_endpoint, scene, switched

Record = Callable[[Measured], None]
HALF = http(200, b'{"id":"chatcmpl-1","choices":[]}' + b" " * 100)[:-50]
CUT_FIRST = [*streams(b": wait\n\n", ends=False), RESET]
CUT_LATER = [*streams(*whole_stream()[:2], ends=False), CLOSE]
RECOVERY_SECONDS = 20.0


@pytest.fixture
async def main() -> AsyncIterator[Switched]:
    """The provider that breaks."""
    async with switched() as made:
        made.upstream.default = answers()
        yield made


@pytest.fixture
async def spare() -> AsyncIterator[Switched]:
    """The provider of the fallback."""
    async with switched() as made:
        made.upstream.default = answers("from the spare")
        yield made


def saved(measured: Measured) -> Measured:
    """Nothing was lost."""
    assert measured.failed == 0, measured
    assert measured.recovery_seconds <= RECOVERY_SECONDS
    return measured


@pytest.mark.router_fault("provider down", "connections are refused: retry, fallback, then the breaker opens")
async def test_a_provider_that_is_down_costs_no_request(
    tmp_path: Path, main: Switched, spare: Switched, record: Record
) -> None:
    async with scene(tmp_path, spare, main_endpoint(main)) as made:
        measured = saved(await made.measure(main.down, main.up))
        assert measured.fallback_percent > 90
        record(measured)


def playing(switch: Switched, script: Script, calm: Script) -> tuple[Callable[..., object], Callable[..., object]]:
    """Begin and end a fault that is a script."""

    async def begin() -> None:
        switch.upstream.default = script

    async def end() -> None:
        switch.upstream.default = calm

    return begin, end


SCRIPTS = [
    pytest.param(
        *(script, stream, least),
        marks=pytest.mark.router_fault(name, meanwhile),
        id=name,
    )
    for name, meanwhile, script, stream, least in (
        ("provider hangs", "the time limit of 1 s ends each try; after five the breaker opens", [HANG], False, 80),
        (
            "429 with Retry-After",
            "the provider is left alone for the second that it asks for, again and again",
            fails(429, retry_after="1"),
            False,
            90,
        ),
        ("burst of 503", "retry, fallback, then the breaker opens", fails(503), False, 90),
        (
            "reset in the middle of an answer",
            "nothing was passed on yet: retry, then fallback",
            [HALF, RESET],
            False,
            90,
        ),
        ("stream cut before its first event", "nothing was passed on yet: retry, then fallback", CUT_FIRST, True, 90),
    )
]


@pytest.mark.parametrize(("script", "stream", "least_percent"), SCRIPTS)
async def test_a_provider_that_answers_badly_costs_no_request(
    tmp_path: Path, main: Switched, spare: Switched, record: Record, script: Script, stream: bool, least_percent: int
) -> None:
    calm = streams() if stream else answers()
    main.upstream.default = spare.upstream.default = calm
    begin, end = playing(main, script, calm)
    async with scene(tmp_path, spare, main_endpoint(main)) as made:
        measured = saved(await made.measure(begin, end, stream=stream))  # type: ignore[arg-type]
        assert measured.fallback_percent > least_percent
        record(measured)


@pytest.mark.router_fault(
    "half the endpoints dead", "a retry goes to the other endpoint; the breaker of the dead one opens"
)
async def test_with_half_the_endpoints_dead_the_other_half_serves(
    tmp_path: Path, main: Switched, spare: Switched, record: Record
) -> None:
    async with switched() as second:
        second.upstream.default = answers()
        async with scene(tmp_path, spare, main_endpoint(main), main_endpoint(second, "b")) as made:
            measured = saved(await made.measure(second.down, second.up))
            assert measured.fallback_percent == 0
            assert measured.retried >= 1
            record(measured)


@pytest.mark.parametrize(
    "address",
    [
        pytest.param(
            "http://nobody.invalid/v1",
            marks=pytest.mark.router_fault(
                "name not resolved", "as for a provider that is down, until the address is mended"
            ),
            id="DNS",
        ),
        pytest.param(
            "https://127.0.0.1:{port}/v1",
            marks=pytest.mark.router_fault(
                "TLS handshake fails", "as for a provider that is down, until the address is mended"
            ),
            id="TLS",
        ),
    ],
)
async def test_an_address_that_leads_nowhere_costs_no_request(
    tmp_path: Path, main: Switched, spare: Switched, record: Record, address: str
) -> None:
    async with scene(tmp_path, spare, main_endpoint(main)) as made:

        async def begin() -> None:
            made.publish(endpoint(address.format(port=main.upstream.port), "a"))

        async def end() -> None:
            made.publish(main_endpoint(main))

        measured = saved(await made.measure(begin, end))
        assert measured.fallback_percent > 0
        record(measured)


@pytest.mark.router_fault(
    "stream cut after its first event",
    "what was passed on is never generated again: a typed error event ends the stream",
)
async def test_a_stream_that_is_cut_later_ends_in_an_error_and_never_in_silence(
    tmp_path: Path, main: Switched, spare: Switched, record: Record
) -> None:
    main.upstream.default = spare.upstream.default = streams()
    begin, end = playing(main, CUT_LATER, streams())
    async with scene(tmp_path, spare, main_endpoint(main)) as made:
        measured = await made.measure(begin, end, stream=True)  # type: ignore[arg-type]
        assert 0 < measured.failed < measured.requests / 2, "the breaker opens, and the fallback serves"
        assert measured.silently == 0
        assert measured.recovery_seconds <= RECOVERY_SECONDS
        record(measured)
