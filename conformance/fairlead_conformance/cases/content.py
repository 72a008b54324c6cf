"""What is in the events is not the gateway's business."""

from __future__ import annotations

import json
from typing import Any

from fairlead_conformance.case import SHOULD, case
from fairlead_conformance.judge import good_words, whole_stream
from fairlead_conformance.lab import Failed, Lab
from fairlead_conformance.script import DONE, FINISH, HELLO, START, chunk, event, stream, word

_TOOLS = [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}}]


@case("tool-calls", "S4")
async def tool_calls(lab: Lab) -> str:
    """The pieces of two tool calls keep their index, their order and every byte of their arguments"""
    wanted = ['{"city":"Łódź"}', '{"city": "Ulm",\n "days":[1,2]}']
    opening = [
        {"index": place, "id": f"call_{place}", "type": "function", "function": {"name": "weather", "arguments": ""}}
        for place in range(2)
    ]
    pieces = [
        event(chunk({"tool_calls": [{"index": place, "function": {"arguments": text[start : start + 5]}}]}))
        for place, text in enumerate(wanted)
        for start in range(0, len(text), 5)
    ]
    events = [START, *(event(chunk({"tool_calls": [each]})) for each in opening), *pieces]
    seen = await lab.ask(stream(*events, event(chunk({}, "tool_calls")), DONE), tools=_TOOLS)
    good_words(seen, "")
    got: list[dict[str, Any]] = [{"id": None, "arguments": ""}, {"id": None, "arguments": ""}]
    for choice in seen.answer.choices:
        for call in (choice.get("delta") or {}).get("tool_calls") or []:
            place = got[call["index"]]
            place["id"] = call.get("id") or place["id"]
            place["arguments"] += (call.get("function") or {}).get("arguments") or ""
    if [each["arguments"] for each in got] != wanted or [each["id"] for each in got] != ["call_0", "call_1"]:
        raise Failed(f"became {got!r:.90}")
    if seen.answer.finishes != [(0, "tool_calls")]:
        raise Failed(f"finished as {seen.answer.finishes}")
    return "two calls, arguments intact"


@case("two-choices", "S4")
async def two_choices(lab: Lab) -> str:
    """Two choices that take turns stay apart, and both finish"""
    words = [("Hello", 0), ("Good", 1), (", ", 0), (" day", 1), ("world", 0)]
    events = [word(text, index=index) for text, index in words]
    ends = [event(chunk({}, "stop", index=1)), event(chunk({}, "length", index=0))]
    seen = await lab.ask(stream(START, *events, *ends, DONE), n=2)
    whole_stream(seen)
    if seen.answer.texts != {0: "Hello, world", 1: "Good day"}:
        raise Failed(f"became {seen.answer.texts}")
    if sorted(seen.answer.finishes) != [(0, "length"), (1, "stop")]:
        raise Failed(f"finished as {seen.answer.finishes}")
    return "both texts and both finish reasons intact"


@case("unknown-chunk-fields", "S13")
async def unknown_chunk_fields(lab: Lab) -> str:
    """Fields that no specification knows reach the client"""
    vendor = {"kept": [1, 2.5, None], "deep": {"er": "yes"}}
    odd = chunk({"content": "!", "x_delta": vendor, "reasoning_content": "because"}, x_vendor=vendor)
    seen = await lab.ask(stream(*HELLO, event(odd), FINISH, DONE))
    good_words(seen, "Hello, world!")
    found = [each for each in seen.answer.chunks if each.get("x_vendor") == vendor]
    deltas = [choice.get("delta") or {} for choice in seen.answer.choices]
    missing = [
        name
        for name, there in (
            ("x_vendor of the chunk", bool(found)),
            ("x_delta of the delta", any(each.get("x_delta") == vendor for each in deltas)),
            ("reasoning_content", any(each.get("reasoning_content") == "because" for each in deltas)),
        )
        if not there
    ]
    if missing:
        raise Failed(f"lost {', '.join(missing)}")
    return "all there"


@case("logprobs", "S13")
async def logprobs(lab: Lab) -> str:
    """Log-probabilities arrive as they were"""
    given = {"content": [{"token": "!", "logprob": -0.25, "bytes": [33], "top_logprobs": []}], "refusal": None}
    odd = chunk({"content": "!"})
    odd["choices"][0]["logprobs"] = given
    seen = await lab.ask(stream(*HELLO, event(odd), FINISH, DONE), logprobs=True)
    good_words(seen, "Hello, world!")
    got = [choice["logprobs"].get("content") for choice in seen.answer.choices if choice.get("logprobs")]
    if got != [given["content"]]:
        raise Failed(f"became {json.dumps(got):.90}")
    return "intact"


@case("empty-choices", "S4")
async def empty_choices(lab: Lab) -> str:
    """A first chunk without choices, as Azure sends, harms nothing"""
    first = event(chunk(None, prompt_filter_results=[{"prompt_index": 0, "content_filter_results": {}}]))
    return whole_stream(await lab.ask(stream(first, *HELLO, FINISH, DONE)))


@case("usage-null", "S11")
async def usage_null(lab: Lab) -> str:
    """Chunks that say usage: null are chunks"""
    return whole_stream(await lab.ask(stream(*(word(text, usage=None) for text in ("Hello, ", "world")), FINISH, DONE)))


@case("role-once", "S4", SHOULD)
async def role_once(lab: Lab) -> str:
    """No chunk is added and none is dropped"""
    seen = await lab.ask(stream(*HELLO, FINISH, DONE))
    good_words(seen)
    sent, got = len(HELLO) + 1, len(seen.answer.chunks)
    if sent != got:
        raise Failed(f"{sent} chunks were sent and {got} arrived")
    return f"{got} chunks"
