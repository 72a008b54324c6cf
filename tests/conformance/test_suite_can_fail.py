"""A suite that cannot fail proves nothing: every case fails on some gateway, every vice is found by the cases made for it."""

from __future__ import annotations

import asyncio

import pytest

from fairlead_conformance.cases import CASES
from fairlead_conformance.lab import Declared
from fairlead_conformance.provider import PRIMARY, fake_provider
from fairlead_conformance.report import conforms
from fairlead_conformance.run import Outcome, Verdict, run_cases
from tests.conformance.bad_gateways import (
    Handler,
    answering_again,
    bad_gateway,
    buffering,
    passing,
    rewriting,
    stuttering,
)

CUTS = {"cut-close", "cut-reset", "cut-until-close", "cut-clean-end", "cut-one-choice", "cut-in-event"}
HANG_UPS = {
    "hangup-before-head",
    "hangup-before-event",
    "hangup-quiet",
    "hangup-reset",
    "hangup-whole",
    "hangup-in-whole",
}
LIMITS = {"idle", "idle-frees", "first-byte"}
BEFORE = {"cut-before", "reset-before", "cut-after-head", "fallback"}
DISGUISES = {"empty-stream", "error-event-first", "garbage-first", "whole-garbage", "whole-html", "whole-error-in-200"}
BROKEN_WHOLES = {"whole-cut", "whole-reset"}
CONTENT = {"tool-calls", "two-choices", "unknown-chunk-fields", "logprobs"}
REQUESTS = {"request-unknown-fields", "request-byte-exact", "request-known-fields"}
GOOD_STREAMS = {"plain", "slow-drip", "split-utf8", "crlf", "giant-event", "comments", "tool-calls", "usage-passed"}

VICES: dict[Handler, tuple[set[str], set[str]]] = {
    # gateway: cases that must find it, cases that must not
    buffering: (
        CUTS
        | HANG_UPS
        | LIMITS
        | BEFORE
        | DISGUISES
        | BROKEN_WHOLES
        | {"no-buffering", "back-pressure", "headers", "status"},
        GOOD_STREAMS | REQUESTS | {"isolated", "whole"},
    ),
    passing: (
        CUTS | HANG_UPS | LIMITS | BEFORE | DISGUISES | BROKEN_WHOLES | {"retry", "done-twice", "usage-asked-for"},
        GOOD_STREAMS | REQUESTS | {"no-buffering", "once", "one-answer", "headers", "hangup-talking", "status-kept"},
    ),
    answering_again: (
        CUTS | HANG_UPS | LIMITS | {"once", "one-answer", "refused-once", "status"},
        {"plain", "no-buffering", "split-utf8", "isolated"},
    ),
    rewriting: (
        CUTS
        | HANG_UPS
        | DISGUISES
        | CONTENT
        | REQUESTS
        | {
            "byte-exact",
            "slow-drip",
            "split-utf8",
            "crlf",
            "giant-event",
            "usage-stripped",
            "usage-passed",
            "two-data-lines",
        },
        {"plain", "no-buffering", "once"},
    ),
    stuttering: (
        (GOOD_STREAMS - {"usage-passed"})
        | {"isolated", "role-once", "request-nothing-added", "empty-choices", "usage-null"},
        {"headers", "once"},
    ),
}


async def _judge(gateway: Handler) -> dict[str, Verdict]:
    async with (
        fake_provider("127.0.0.1", 0, 0) as provider,
        bad_gateway(gateway, f"http://127.0.0.1:{provider.ports[PRIMARY]}/v1") as address,
    ):
        declared = Declared(idle_seconds=1, first_byte_seconds=1, fallback=True, hang_up_seconds=1)
        verdicts = await run_cases(CASES, address, provider, declared, at_once=20)
    return {each.id: each for each in verdicts}


@pytest.mark.timeout(150)
def test_every_vice_is_found_and_every_case_fails_on_some_gateway() -> None:
    async def judge_all() -> list[dict[str, Verdict]]:
        return await asyncio.gather(*map(_judge, VICES))

    failed_anywhere: set[str] = set()
    for (gateway, (vices, virtues)), verdicts in zip(VICES.items(), asyncio.run(judge_all()), strict=True):
        failed = {name for name, each in verdicts.items() if each.outcome is Outcome.FAIL}
        missed, maligned = vices - failed, {name: verdicts[name].evidence for name in virtues & failed}
        assert (missed, maligned) == (set(), {}), gateway.__name__
        assert not conforms(list(verdicts.values()))
        failed_anywhere |= failed
    assert {each.id for each in CASES} - failed_anywhere == set()
