"""Whether the process does its work: a watch that is dead and was not brought back is a reason to start anew."""

from __future__ import annotations

from collections.abc import Callable

from fairlead_operator.observe.stream import Stream

_MENDING_SECONDS = 90.0
"""How long a watch may be ailing: it is started anew at the next list, so longer means that this does not help."""


class Health:
    """Remembers since when something is wrong."""

    def __init__(self, stream: Stream, clock: Callable[[], float]) -> None:
        self._stream = stream
        self._clock = clock
        self._ailing_since: float | None = None

    async def alive(self) -> str | None:
        """What is wrong for so long that only a restart can help."""
        ailment = await self._stream.ailing() if self._stream.started else None
        if ailment is None:
            self._ailing_since = None
            return None
        now = self._clock()
        if self._ailing_since is None:
            self._ailing_since = now
        return ailment if now - self._ailing_since > _MENDING_SECONDS else None

    async def ready(self) -> str | None:
        """What keeps this replica from taking over at once."""
        return None if self._stream.started else "not everything declared has been listed yet"
