"""What workers are given to run: the newest that came, and the newest that is known to run somewhere."""

from __future__ import annotations

from fairlead_cli.workers.messages import Compiled, Degraded, Offer, ToWorker
from fairlead_contract.snapshot import Sealed, SnapshotRejected

Version = tuple[int, int]


class Handouts:
    """Remembers what a worker that starts later needs to hear."""

    def __init__(self) -> None:
        self._newest: Compiled | Offer | None = None
        self._newest_version: Version | None = None
        self._running: Compiled | Offer | None = None
        self.running_version: Version | None = None
        """(epoch, revision) of the newest that some worker runs."""
        self._degraded: dict[str, str] = {}

    def came(self, message: Compiled | Offer) -> None:
        """There is something new to run."""
        sealed = message.frame.sealed if isinstance(message, Compiled) else message.sealed
        self._newest, self._newest_version = message, _version(sealed)

    def runs(self, version: Version) -> None:
        """Some worker runs it."""
        if self.running_version is None or version >= self.running_version:
            self.running_version = version
            if version == self._newest_version:
                self._running = self._newest

    def state(self, component: str, state: str | None) -> Degraded:
        """A named state begins or is over."""
        if state is None:
            self._degraded.pop(component, None)
        else:
            self._degraded[component] = state
        return Degraded(component, state)

    def for_newcomer(self) -> list[ToWorker]:
        """All of it, in order. What is refused by everybody must not keep a newcomer from running what runs."""
        messages: list[ToWorker] = [Degraded(component, state) for component, state in self._degraded.items()]
        if self._running is not None:
            messages.append(self._running)
        if self._newest is not None and self._newest is not self._running:
            messages.append(self._newest)
        return messages


def _version(sealed: bytes) -> Version | None:
    try:
        return Sealed.from_bytes(sealed).manifest.version if sealed else None
    except SnapshotRejected:
        return None
