"""However an answer arrives, its events leave whole, in order, and at once."""

from __future__ import annotations

import asyncio

from fairlead_conformance.answer import event_data
from fairlead_conformance.case import MUST, SHOULD, case
from fairlead_conformance.judge import good_words, told_of_cut, whole_stream
from fairlead_conformance.lab import Failed, Lab
from fairlead_conformance.script import (
    CLOSE,
    DONE,
    FINISH,
    HANG,
    HELLO,
    LAST,
    START,
    WHOLE,
    Gate,
    Step,
    chunk,
    event,
    framed,
    head,
    in_pieces,
    stream,
    word,
)

_UTF8 = "naïve – Ελληνικά – 日本語 – 👩‍🚀"
_GIANT = 1 << 20
_PIECES = 256
"""64 MiB together: several times what the kernel buffers of two connections on one machine."""

_STANDSTILL_SECONDS = 0.7
"""Without a byte more taken: nothing is moving any longer."""


@case("plain", "S4")
async def plain(lab: Lab) -> str:
    """A plain stream arrives whole and in order"""
    return whole_stream(await lab.ask(stream(*WHOLE)))


@case("byte-exact", "S4", SHOULD)
async def byte_exact(lab: Lab) -> str:
    """The data of every event is what the provider sent, byte for byte"""
    odd = (
        b'data: {"id": "c",  "choices":[{"delta":{"content":"\\u00e9"},"index":0,"finish_reason":null}], "n":1.50}\n\n'
    )
    sent = (START, odd, *WHOLE[1:])
    seen = await lab.ask(stream(*sent))
    wanted, got = event_data(b"".join(sent))[0], seen.answer.data
    if got != wanted:
        changed = sum(one != other for one, other in zip(got, wanted, strict=False)) + abs(len(got) - len(wanted))
        raise Failed(f"{changed} of {len(wanted)} events changed on the way")
    return f"{len(wanted)} events unchanged"


@case("headers", "S14")
async def headers(lab: Lab) -> str:
    """A stream is text/event-stream and is not compressed"""
    seen = await lab.ask(stream(*WHOLE))
    kind = seen.reply.head.get("content-type")
    coding = seen.reply.head.get("content-encoding")
    if not kind.startswith("text/event-stream") or coding not in ("", "identity"):
        raise Failed(f"Content-Type {kind!r}, Content-Encoding {coding!r}")
    return kind


@case("no-buffering-headers", "S14", SHOULD)
async def no_buffering_headers(lab: Lab) -> str:
    """Proxies in between are told neither to cache nor to buffer"""
    found = (await lab.ask(stream(*WHOLE))).reply.head
    cache, buffering = found.get("cache-control"), found.get("x-accel-buffering")
    if "no-cache" not in cache and "no-store" not in cache:
        raise Failed(f"Cache-Control {cache!r}")
    if buffering.lower() != "no":
        raise Failed(f"X-Accel-Buffering {buffering!r}")
    return f"Cache-Control {cache}, X-Accel-Buffering {buffering}"


@case("no-buffering", "S5")
async def no_buffering(lab: Lab) -> str:
    """Each event reaches the client before the provider sends the next"""
    gates = [asyncio.Event() for _ in range(4)]
    words = [f"word-{number} " for number in range(4)]
    steps: list[Step] = [START]
    for text, gate in zip(words, gates, strict=True):
        steps += [word(text), Gate(gate)]
    async with lab.talk(stream(*steps, FINISH, DONE)) as talk:
        seen = await talk.reply()
        for text, gate in zip(words, gates, strict=True):
            await seen.reply.until(text.strip().encode())
            gate.set()
        await seen.reply.rest()
    missed = seen.calls[0].gates_missed
    if missed:
        raise Failed(f"{missed} of {len(gates)} events were held back until the provider went on")
    return whole_stream(seen, "".join(words))


@case("back-pressure", "S5", SHOULD)
async def back_pressure(lab: Lab) -> str:
    """A client that does not read slows the provider down, instead of filling the gateway's memory"""
    piece = framed(word("x" * (1 << 18)))
    async with lab.talk([*stream(START, ends=False), *[piece] * _PIECES, HANG]) as talk:
        call = await talk.arrived()
        await talk.words(b"choices")
        before = -1
        while call.sent > before and call.sent < _PIECES * len(piece):
            before = call.sent
            await asyncio.sleep(_STANDSTILL_SECONDS)
        sent = call.sent
    if sent >= _PIECES * len(piece):
        raise Failed(f"{sent >> 20} MiB were taken from the provider for a client that read nothing")
    return f"the provider was held up after {sent >> 20} MiB, in buffers of both connections"


@case("slow-drip", "S4")
async def slow_drip(lab: Lab) -> str:
    """A stream that drips a byte at a time is put together again"""
    raw = b"".join([*HELLO[:2], FINISH, DONE])
    drip = in_pieces(framed(raw), 1, 0.001)
    return whole_stream(await lab.ask([head(), *drip, LAST]), "Hello")


@case("coalesced", "S4")
async def coalesced(lab: Lab) -> str:
    """Many events in one segment come apart again"""
    return whole_stream(await lab.ask(stream(b"".join(WHOLE))))


@case("split-utf8", "S4")
async def split_utf8(lab: Lab) -> str:
    """Characters cut in two by the network are put together again"""
    raw = b"".join([START, word(_UTF8), FINISH, DONE])
    steps = [framed(step) if isinstance(step, bytes) else step for step in in_pieces(raw, 3, 0.001)]
    return whole_stream(await lab.ask([head(), *steps, LAST]), _UTF8)


@case("crlf", "S4")
async def crlf(lab: Lab) -> str:
    """Lines that end in CRLF are lines"""
    raw = b"".join(WHOLE).replace(b"\n", b"\r\n")
    steps = [framed(step) if isinstance(step, bytes) else step for step in in_pieces(raw, 41, 0.001)]
    return whole_stream(await lab.ask([head(), *steps, LAST]))


@case("comments", "S4")
async def comments(lab: Lab) -> str:
    """Comments and keep-alives are no events and harm none"""
    alive = b": OPENROUTER PROCESSING\n\n"
    return whole_stream(await lab.ask(stream(alive, START, alive, b":\n\n", *HELLO[1:], alive, FINISH, DONE)))


@case("event-fields", "S4")
async def event_fields(lab: Lab) -> str:
    """Events with names, ids and retry hints are events"""
    named = b"event: message\nid: 7\nretry: 1000\n"
    return whole_stream(await lab.ask(stream(named + START, *(named + each for each in HELLO[1:]), FINISH, DONE)))


@case("no-space", "S4")
async def no_space(lab: Lab) -> str:
    """The space after the colon is optional"""
    return whole_stream(await lab.ask(stream(*(each.replace(b"data: ", b"data:", 1) for each in WHOLE))))


@case("two-data-lines", "S4", SHOULD)
async def two_data_lines(lab: Lab) -> str:
    """An event whose data takes two lines is one event"""
    wide = b'data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m",\n'
    wide += b'data: "choices":[{"index":0,"delta":{"content":"!"},"finish_reason":null}]}\n\n'
    return whole_stream(await lab.ask(stream(*HELLO, wide, FINISH, DONE)), "Hello, world!")


@case("until-close", "S4")
async def until_close(lab: Lab) -> str:
    """An answer whose end is the end of the connection is an answer"""
    return whole_stream(await lab.ask([head(chunked=False), *WHOLE, CLOSE]))


@case("giant-event", "S10")
async def giant_event(lab: Lab) -> str:
    """An event of 1 MiB passes whole or ends in a typed error, never in pieces"""
    text = "x" * _GIANT
    seen = await lab.ask(stream(START, word(text), FINISH, DONE))
    if seen.answer.errors:
        return told_of_cut(seen, "")
    return whole_stream(seen, text)


@case("many-events", "S4")
async def many_events(lab: Lab) -> str:
    """Two thousand events keep their order"""
    words = [f"{number} " for number in range(2000)]
    return whole_stream(await lab.ask(stream(START, b"".join(map(word, words)), FINISH, DONE)), "".join(words))


@case("isolated", "S4", MUST)
async def isolated(lab: Lab) -> str:
    """Twelve streams at the same time never get one another's words"""
    texts = [f"only for number {number}; " * 5 for number in range(12)]

    async def one(text: str) -> None:
        pieces = [word(text[place : place + 7]) for place in range(0, len(text), 7)]
        good_words(await lab.ask(stream(START, *pieces, event(chunk({}, "stop")), DONE)), text)

    await asyncio.gather(*map(one, texts))
    return f"{len(texts)} streams, each with its own text"
