"""The router's classifier service without a server: ``python -m bench.classify.inside BUNDLE TEXTS latency|rates``.

Prints one JSON object. ``TEXTS`` is what ``bench.classify`` wrote: lists of texts by name.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from collections.abc import Callable, Coroutine, Sequence
from itertools import cycle
from pathlib import Path
from time import monotonic, perf_counter, time

import uvloop

from bench.report import percentile
from fairlead_contract.decision import ClassificationFallback
from fairlead_learning.learned import LearnedClassifier
from fairlead_learning.rules import judge
from fairlead_learning.text.surface import surface
from fairlead_learning.verdict import Learned
from fairlead_router.classify.counts import ClassifierCounts
from fairlead_router.classify.kept import Kept
from fairlead_router.classify.rules import open_rules
from fairlead_router.classify.service import ClassifierService, Limits

_AT_ONCE = 32
_PATIENCE_SECONDS = 10.0
"""Longer than any classification takes here, so that none falls back to the rules and looks fast."""
_WARM_UP = 30


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("texts", type=Path)
    parser.add_argument("what", choices=tuple(_PARTS))
    parser.add_argument("--seconds", type=float, default=5.0)
    given = parser.parse_args()
    texts: dict[str, list[str]] = json.loads(given.texts.read_text())
    learned = LearnedClassifier.open(given.bundle)
    print(json.dumps(uvloop.run(_PARTS[given.what](learned, texts, given.seconds))))


async def _latency(learned: LearnedClassifier, texts: dict[str, list[str]], seconds: float) -> dict[str, float]:
    """Medians in milliseconds, one text after another."""
    service = make_service(learned, ttl_seconds=0)
    book = service.rules.book
    seconds_of: dict[str, list[float]] = {"rules": []}
    for text in texts["24"]:
        began = perf_counter()
        judge(book, text, surface(text))
        seconds_of["rules"].append(perf_counter() - began)
    for name, some in texts.items():
        for text in some[:_WARM_UP]:
            await classified(service, text)
        until = monotonic() + seconds
        taken = seconds_of[name] = []
        for text in cycle(some):
            if monotonic() > until:
                break
            began = perf_counter()
            await classified(service, text)
            taken.append(perf_counter() - began)
    await service.close()
    return {name: percentile(taken, 50) * 1000 for name, taken in seconds_of.items()}


async def _rates(learned: LearnedClassifier, texts: dict[str, list[str]], seconds: float) -> dict[str, float]:
    """Classifications a second of texts of 24 tokens, 32 at once."""
    found = {}
    for name, ttl_seconds in (("uncached", 0.0), ("cached", 3600.0)):
        service = make_service(learned, ttl_seconds=ttl_seconds)
        for text in texts["24"] if ttl_seconds else texts["24"][:_WARM_UP]:
            await classified(service, text)
        found[name] = await _rate(service, texts["24"], seconds)
        await service.close()
    return found


_PARTS: dict[
    str, Callable[[LearnedClassifier, dict[str, list[str]], float], Coroutine[None, None, dict[str, float]]]
] = {
    "latency": _latency,
    "rates": _rates,
}


async def _rate(service: ClassifierService, texts: Sequence[str], seconds: float) -> float:
    left, done = cycle(texts), 0
    began = monotonic()

    async def client() -> None:
        nonlocal done
        while monotonic() - began < seconds:
            await classified(service, next(left))
            done += 1
            # What is found at once does not wait, and would let nobody else run.
            await asyncio.sleep(0)

    await asyncio.gather(*(client() for _ in range(_AT_ONCE)))
    return done / (monotonic() - began)


def make_service(learned: Learned, *, ttl_seconds: float) -> ClassifierService:
    """As a router makes it, without a store; ``ttl_seconds`` 0: nothing is remembered."""
    kept = Kept(b"k" * 32, None, ttl_seconds=ttl_seconds, clock=monotonic, wall=time)
    service = ClassifierService(open_rules(None), kept, ClassifierCounts(), limits=Limits(), clock=monotonic)
    service.use_learned(learned)
    return service


async def classified(service: ClassifierService, text: str) -> None:
    """Classify. Raises ``RuntimeError`` if the learned classifier was wanted and did not answer."""
    said = await service.classify(text, deadline_seconds=_PATIENCE_SECONDS)
    if isinstance(said.fallback, ClassificationFallback):
        raise RuntimeError(f"the learned classifier did not answer: {said.fallback.value}")


if __name__ == "__main__":
    main()
