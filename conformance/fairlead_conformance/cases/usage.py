"""What was used is asked for always, and shown to those who asked."""

from __future__ import annotations

from fairlead_conformance.case import SHOULD, case
from fairlead_conformance.judge import good_words, whole_stream
from fairlead_conformance.lab import Failed, Lab, Seen
from fairlead_conformance.provider import Call
from fairlead_conformance.script import DONE, FINISH, HELLO, USAGE, USAGE_EVENT, Script, stream, word

_ASKS = {"include_usage": True}


def _obeying(call: Call) -> Script:
    """As OpenAI does: the usage chunk comes only if it was asked for."""
    return stream(*HELLO, FINISH, *([USAGE_EVENT] if call.asks_for_usage else []), DONE)


@case("usage-asked-for", "S11", SHOULD)
async def usage_asked_for(lab: Lab) -> str:
    """The provider is asked for usage even if the client did not ask"""
    seen = await lab.ask(_obeying)
    if not seen.calls or not seen.calls[0].asks_for_usage:
        raise Failed("no stream_options.include_usage reached the provider")
    return "stream_options.include_usage reached the provider"


@case("usage-stripped", "S11")
async def usage_stripped(lab: Lab) -> str:
    """A client that did not ask for usage gets no chunk of it"""
    seen = await lab.ask(_obeying)
    whole_stream(seen)
    if seen.answer.without_choices:
        raise Failed("a chunk with empty choices, which the client had not asked for")
    return "no chunk without choices"


@case("usage-passed", "S11")
async def usage_passed(lab: Lab) -> str:
    """A client that asked for usage gets it, last before [DONE]"""
    return _has_usage(await lab.ask(_obeying, stream_options=_ASKS))


def _has_usage(seen: Seen) -> str:
    whole_stream(seen)
    found = seen.answer
    reported = [{name: usage.get(name) for name in USAGE} for usage in found.usages]
    if reported != [USAGE]:
        raise Failed(f"usage became {reported!r:.80}")
    if not found.chunks[-1].get("usage"):
        raise Failed("the usage chunk is not the last one")
    return "one usage chunk, the numbers intact"


@case("usage-other-options", "S11", SHOULD)
async def usage_other_options(lab: Lab) -> str:
    """Other members of stream_options survive"""
    seen = await lab.ask(_obeying, stream_options={"include_obfuscation": False})
    good_words(seen)
    options = seen.calls[0].json.get("stream_options") or {}
    if options.get("include_obfuscation") is not False:
        raise Failed(f"the provider got stream_options {options}")
    return f"the provider got {options}"


@case("usage-everywhere", "S11")
async def usage_everywhere(lab: Lab) -> str:
    """Usage on chunks that carry text, as some servers send it, costs no text"""
    events = [word(text, usage=USAGE) for text in ("Hello, ", "world")]
    return whole_stream(await lab.ask(stream(*events, FINISH, DONE)))


@case("usage-never", "S11")
async def usage_never(lab: Lab) -> str:
    """An answer without usage is an answer, even if usage was asked for"""
    return whole_stream(await lab.ask(stream(*HELLO, FINISH, DONE), stream_options=_ASKS))


@case("usage-before-done-missing", "S11", SHOULD)
async def usage_before_done_missing(lab: Lab) -> str:
    """Usage as the last word of a provider that forgets [DONE]"""
    return _has_usage(await lab.ask(stream(*HELLO, FINISH, USAGE_EVENT), stream_options=_ASKS))
