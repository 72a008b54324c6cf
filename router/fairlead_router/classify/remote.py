"""Asks a classifier that runs as a process of its own (``fairlead classifier``), over HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import msgspec
from multidict import CIMultiDict
from yarl import URL

from fairlead_contract.decision import Classification, ClassificationFallback
from fairlead_router.classify.sent import MAX_BYTES, NotUnderstood, read_classification
from fairlead_router.dispatch.transport.base import CallFailed, CallTimedOut, Transport

MEDIA_TYPE = "application/vnd.fairlead.classification+json"
"""What asks for, and names, a ``Classification`` as it is in decision records."""

_PAUSE_SECONDS = 1.0
"""How long a classifier that cannot be reached is left alone, so that not every request waits for it."""

_LATE_AT_MOST = 10
"""So many questions on end without an answer, and it counts as one that cannot be reached."""

_ITS_SHARE = 0.9
"""Of the time that is left, for what it does itself: answering late it would cost the connection, and its work."""

_CONNECT_SHARE, _CONNECT_SECONDS = 0.5, 0.01
"""Of that time, and at least so many seconds, for a connection. What takes longer cannot be reached."""


class RemoteClassifier:
    """Client of one such process."""

    def __init__(
        self,
        transport: Transport,
        url: URL,
        *,
        max_under_way: int,
        clock: Callable[[], float],
        tell: Callable[[str | None], None],
    ) -> None:
        """``url``: that of the process, without ``/classify``; ``tell`` hears why it cannot be used, ``None`` when it can."""
        self._transport = transport
        self._url = url / "classify"
        self._headers = CIMultiDict({"Content-Type": "application/json", "Accept": MEDIA_TYPE})
        self._max_under_way = max_under_way
        self._clock = clock
        self._tell = tell
        self._under_way = 0
        self._paused_until = 0.0
        self._late = 0
        self._problem: str | None = None

    async def classify(self, text: str, seconds: float) -> Classification | ClassificationFallback:
        """What it says within ``seconds``, or why it says nothing of more weight than the rules here."""
        if self._clock() < self._paused_until:
            return ClassificationFallback.FAILED
        if self._under_way >= self._max_under_way:
            return ClassificationFallback.QUEUE_FULL
        if seconds <= 0:
            return ClassificationFallback.DEADLINE_EXCEEDED
        self._under_way += 1
        try:
            async with asyncio.timeout(seconds):
                said = await self._ask(text, seconds)
        except TimeoutError:
            self._late += 1
            if self._late >= _LATE_AT_MOST:
                return self._failed(f"no answer in time, {_LATE_AT_MOST} times on end")
            return ClassificationFallback.DEADLINE_EXCEEDED
        except CallTimedOut:
            return self._failed("no connection in time")
        except CallFailed as failed:
            return self._failed(failed.error)
        except NotUnderstood as error:
            return self._failed(str(error))
        finally:
            self._under_way -= 1
        if isinstance(said, int):
            return self._failed(f"it answers with status {said}")
        self._late, self._paused_until = 0, 0.0
        self._change(None)
        return said if said.fallback is None else said.fallback

    async def _ask(self, text: str, seconds: float) -> Classification | int:
        """A classification, or the status of an answer that has none."""
        # What UTF-8 cannot carry (halves of surrogate pairs) becomes a question mark: it says nothing of a category.
        prompt = text.encode("utf-8", "replace").decode()
        body = msgspec.json.encode({"prompt": prompt, "deadline_ms": min(seconds * _ITS_SHARE, 60.0) * 1000})
        connect_seconds = max(seconds * _CONNECT_SHARE, _CONNECT_SECONDS)
        answer = await self._transport.request("POST", self._url, self._headers, body, connect_seconds=connect_seconds)
        try:
            return read_classification(await answer.read(MAX_BYTES)) if answer.status == 200 else answer.status
        finally:
            answer.close()

    def _failed(self, problem: str) -> ClassificationFallback:
        self._late, self._paused_until = 0, self._clock() + _PAUSE_SECONDS
        self._change(f"ClassifierUnreachable: {self._url.parent}: {problem}; the rules decide alone until it answers")
        return ClassificationFallback.FAILED

    def _change(self, problem: str | None) -> None:
        if problem != self._problem:
            self._problem = problem
            self._tell(problem)
