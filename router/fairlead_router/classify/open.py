"""Puts the room together from the settings."""

from __future__ import annotations

import asyncio
import ipaddress
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path

from yarl import URL

from fairlead_learning.verdict import Learned
from fairlead_router.classify.counts import ClassifierCounts
from fairlead_router.classify.info import ClassifierState
from fairlead_router.classify.kept import Kept
from fairlead_router.classify.loading import ENCODER_ABSENT, Loader, Part, Seen, stamp_of
from fairlead_router.classify.remote import RemoteClassifier
from fairlead_router.classify.rules import Rules, RulesRefused, open_rules
from fairlead_router.classify.service import ClassifierService, Limits
from fairlead_router.dispatch.transport.http1 import Http1Transport
from fairlead_router.settings import Settings
from fairlead_router.state.store import StateStore

COMPONENT, RULES_COMPONENT = "classifier", "classifierRules"
"""Their names among what may be degraded."""

_EVERYWHERE = (ipaddress.ip_network("0.0.0.0/0"), ipaddress.ip_network("::/0"))
"""The classifier's address is the operator's own setting, not a tenant's: loopback is the most likely one."""

_Opened = tuple[Learned, bytes]
"""Who learned, and what it was opened with: the digest of the rules whose examples it has, and the error rate of its sets."""

Tell = Callable[[str, str | None], None]


async def open_classifier(
    settings: Settings, store: StateStore | None, key: bytes, stack: AsyncExitStack, *, tell: Tell
) -> tuple[ClassifierService, ClassifierCounts]:
    """The service and what it counts; it ends with ``stack``.

    ``store``: where routers find each other's answers, ``None`` if nobody shares it. Nothing that is wrong with a bundle, a
    file of rules or another process keeps a router from starting: ``tell`` hears of it by name.
    """
    counts = ClassifierCounts()
    rules, seen = await asyncio.to_thread(_first_rules, settings.classifier_rules, tell)
    kept = Kept(key, store, ttl_seconds=settings.classifier_cache_ttl_seconds, clock=time.monotonic, wall=time.time)
    service = ClassifierService(
        rules,
        kept,
        counts,
        limits=Limits(settings.classifier_deadline_seconds, settings.classifier_queue, settings.classifier_batch),
        clock=time.monotonic,
    )
    stack.push_async_callback(service.close)
    if settings.classifier_rules is not None:
        _run(stack, _rules_loader(settings.classifier_rules, service, counts, tell, seen), now=True)
    if settings.classifier == "off":
        return service, counts
    if settings.classifier_url is not None:
        service.remote = _remote(settings, settings.classifier_url, stack, tell)
        service.state = lambda: ClassifierState.REMOTE
        return service, counts
    loader = _bundle_loader(settings, service, counts, tell)
    service.want, service.state = loader.want, loader.state
    _run(stack, loader, now=settings.classifier == "always")
    return service, counts


def _remote(settings: Settings, url: str, stack: AsyncExitStack, tell: Tell) -> RemoteClassifier:
    transport = Http1Transport(replace(settings, allow_networks=_EVERYWHERE))
    stack.push_async_callback(transport.close)
    return RemoteClassifier(
        transport,
        URL(url),
        max_under_way=settings.classifier_queue,
        clock=time.monotonic,
        tell=partial(tell, COMPONENT),
    )


def _bundle_loader(
    settings: Settings, service: ClassifierService, counts: ClassifierCounts, tell: Tell
) -> Loader[_Opened]:
    part = Part(
        name="bundle",
        place=partial(_bundle_place, settings),
        open=partial(_open_bundle, settings, service),
        install=lambda opened: service.use_learned(*opened),
        tell=partial(tell, COMPONENT),
        absent=f"{ENCODER_ABSENT}: {_where(settings)}",
        refused="BundleRefused",
        otherwise="the rules decide alone",
        beside=lambda: service.rules.digest,
    )
    return Loader(part, counts, sleep=asyncio.sleep)


def _rules_loader(
    file: Path, service: ClassifierService, counts: ClassifierCounts, tell: Tell, seen: Seen
) -> Loader[Rules]:
    part = Part(
        name="rules",
        place=lambda: file,
        open=open_rules,
        install=service.use_rules,
        tell=partial(tell, RULES_COMPONENT),
        absent=f"RulesAbsent: FAIRLEAD_CLASSIFIER_RULES={str(file)!r} is not there",
        refused="RulesRefused",
        otherwise="what was in force before stays",
    )
    return Loader(part, counts, sleep=asyncio.sleep, seen=seen)


def _first_rules(file: Path | None, tell: Tell) -> tuple[Rules, Seen]:
    """The rules to begin with; the default ones, if ``file`` cannot be used. Blocks."""
    seen = () if file is None else stamp_of(file), b""
    try:
        return open_rules(file), seen
    except RulesRefused as error:
        tell(RULES_COMPONENT, f"RulesRefused: {error}; the default rules judge")
        return open_rules(None), seen


def _bundle_place(settings: Settings) -> Path | None:
    """The folder of the bundle that is to be in force. Blocks."""
    if settings.classifier_bundle is not None:
        return settings.classifier_bundle
    if settings.classifier_bundles_dir is not None:
        from fairlead_learning.bundles.store import BundleStore

        return BundleStore(settings.classifier_bundles_dir).current()
    from fairlead_learning.learned import DEFAULT_CLASSIFIER

    return DEFAULT_CLASSIFIER


def _where(settings: Settings) -> str:
    """Where there is no bundle, and what to do."""
    if settings.classifier_bundle is not None:
        return f"FAIRLEAD_CLASSIFIER_BUNDLE={str(settings.classifier_bundle)!r} is no folder with a bundle"
    if settings.classifier_bundles_dir is not None:
        folder = settings.classifier_bundles_dir
        return f"no bundle is active in {folder}; `fairlead bundle activate` makes one so"
    return "the package was installed without its default bundle; set FAIRLEAD_CLASSIFIER_BUNDLE"


def _open_bundle(settings: Settings, service: ClassifierService, place: Path) -> _Opened:
    """Blocks for about a second. What it imports weighs 40 MB, which only who classifies pays."""
    from fairlead_learning.learned import LearnedClassifier

    rules = service.rules
    learned = LearnedClassifier.open(
        place,
        threads=settings.classifier_threads,
        error_percent=settings.classifier_error_percent,
        examples=rules.book.examples,
    )
    return learned, rules.digest + f"{settings.classifier_error_percent:g}".encode()


def _run(stack: AsyncExitStack, loader: Loader[Rules] | Loader[_Opened], *, now: bool) -> None:
    if now:
        loader.want()
    stack.push_async_callback(_cancelled, asyncio.create_task(loader.run(), name="classifier's loader"))


async def _cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
