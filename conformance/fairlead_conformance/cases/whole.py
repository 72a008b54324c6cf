"""Answers that are not streamed: whole or an error."""

from __future__ import annotations

import json

from fairlead_conformance.case import SHOULD, case
from fairlead_conformance.client import Ended
from fairlead_conformance.judge import refused, short
from fairlead_conformance.lab import Failed, Lab, Seen
from fairlead_conformance.script import (
    CLOSE,
    HELLO_TEXT,
    RESET,
    USAGE,
    Pause,
    Step,
    answer,
    completion,
    error_body,
    fails,
)


def _good(seen: Seen) -> dict[str, object]:
    try:
        value = json.loads(seen.body)
        text = value["choices"][0]["message"]["content"]
    except (ValueError, LookupError, TypeError) as error:
        raise Failed(f"HTTP {seen.status}: {short(seen.body)}") from error
    if seen.status != 200 or seen.reply.ended is not Ended.COMPLETE or text != HELLO_TEXT:
        raise Failed(f"HTTP {seen.status}, body {seen.reply.ended.value}, text {text!r:.40}")
    return dict(value)


@case("whole", "S15")
async def whole(lab: Lab) -> str:
    """A good answer arrives with its text and its usage"""
    found = _good(await lab.ask(answer(completion()), stream=False))
    usage = found.get("usage")
    if not isinstance(usage, dict) or {name: usage.get(name) for name in USAGE} != USAGE:
        raise Failed(f"usage became {usage!r:.80}")
    return "text and usage intact"


@case("whole-unknown-fields", "S13")
async def whole_unknown_fields(lab: Lab) -> str:
    """Fields that no specification knows reach the client"""
    vendor = {"kept": [1, 2.5, None]}
    found = _good(await lab.ask(answer(completion(x_vendor=vendor)), stream=False))
    if found.get("x_vendor") != vendor:
        raise Failed("x_vendor was lost")
    return "x_vendor is there"


@case("whole-byte-exact", "S13", SHOULD)
async def whole_byte_exact(lab: Lab) -> str:
    """The body is what the provider sent, byte for byte"""
    body = completion().replace(b"{", b"{  ", 1)
    if (await lab.ask(answer(body), stream=False)).body != body:
        raise Failed("written anew")
    return f"{len(body)} bytes unchanged"


def _half() -> bytes:
    (whole_answer,) = answer(completion())
    assert isinstance(whole_answer, bytes), "an answer is one piece"
    return whole_answer[:-60]


@case("whole-cut", "S15")
async def whole_cut(lab: Lab) -> str:
    """An answer that closes before its length is no answer"""
    steps: list[Step] = [_half(), Pause(), CLOSE]
    return refused(await lab.ask(steps, stream=False))


@case("whole-reset", "S15")
async def whole_reset(lab: Lab) -> str:
    """An answer that is torn down in the middle is no answer"""
    steps: list[Step] = [_half(), Pause(0.1), RESET]
    return refused(await lab.ask(steps, stream=False))


@case("whole-garbage", "S3")
async def whole_garbage(lab: Lab) -> str:
    """A 200 whose body is no JSON is an error"""
    return refused(await lab.ask(answer(b'{"id": "chatcmpl-1", "choices": [{'), stream=False))


@case("whole-html", "S3")
async def whole_html(lab: Lab) -> str:
    """A 200 with a page of HTML is an error"""
    return refused(await lab.ask(answer(b"<html>Welcome</html>", kind="text/html"), stream=False))


@case("whole-error-in-200", "S3")
async def whole_error_in_200(lab: Lab) -> str:
    """A 200 with a JSON error is an error"""
    return refused(await lab.ask(answer(error_body()), stream=False))


@case("whole-retry", "S1", SHOULD)
async def whole_retry(lab: Lab) -> str:
    """A first try that fails is made again without the client's noticing"""
    seen = await lab.ask(fails(503), answer(completion()), stream=False)
    _good(seen)
    return f"text intact, after {len(seen.calls)} calls"
