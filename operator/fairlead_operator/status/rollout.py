"""What the ready routers run, and whether that includes a given object.

No message names a revision: revisions grow with every edit of any object, and the status of all others would have to be
written anew each time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from fairlead_contract.snapshot import Version
from fairlead_operator.status.reasons import OperatorReason
from fairlead_operator.status.verdict import FALSE, TRUE, UNKNOWN, Verdict

UNREADABLE: Version = (0, 0)
"""Stands for the version of what could not be read so far as to have one."""


_KNOWN = 1000


class Refusal(NamedTuple):
    """A snapshot that a router did not take, in the router's words."""

    version: Version
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class RouterReport:
    """What one ready router said when it was last asked."""

    address: str
    version: Version | None
    """Of the snapshot it runs; ``None`` while it has none."""
    pending: frozenset[str] = frozenset()
    """``namespace/name`` of the providers whose credentials have not arrived."""
    rejected: Refusal | None = None
    """The last snapshot it refused."""
    reachable: bool = True
    """If not, the rest is what it said earlier and says nothing of now."""

    def runs(self, since: Version) -> bool:
        """Whether it runs whatever entered the snapshot at ``since``."""
        return self.version is not None and self.version >= since

    def refused(self, since: Version) -> Refusal | None:
        """Its refusal of a snapshot with what entered at ``since``, if that is why it does not run it.

        A router that runs it and refused something newer is another object's trouble.
        """
        rejected = self.rejected
        if rejected is None or self.runs(since):
            return None
        return rejected if rejected.version >= since or rejected.version == UNREADABLE else None


class Fleet:
    """All ready routers. Verdicts are remembered, because most objects entered the snapshot together."""

    def __init__(self, reports: Iterable[RouterReport]) -> None:
        self._all = tuple(sorted(reports, key=lambda report: report.address))
        self._reachable = tuple(report for report in self._all if report.reachable)
        self._pending = Counter(key for report in self._reachable for key in report.pending)
        self._known: dict[Version, Verdict] = {}

    def __len__(self) -> int:
        return len(self._all)

    @property
    def addresses(self) -> tuple[str, ...]:
        """Of those that answered."""
        return tuple(report.address for report in self._reachable)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Fleet) and self._all == other._all

    def __hash__(self) -> int:
        return hash(self._all)

    def settled(self, version: Version) -> bool:
        """Whether all ready routers said that they run ``version`` or newer, and nobody needs what came before.

        With no ready router nobody said so. One that waits for credentials keeps the provider as it was until then.
        """
        return bool(self._all) and all(
            report.reachable and report.runs(version) and not report.pending for report in self._all
        )

    def rollout(self, since: Version, provider: str | None = None) -> Verdict:
        """Whether every ready router runs an object that entered the snapshot at ``since``.

        ``provider`` is the ``namespace/name`` of the object if it is a ModelProvider.
        """
        verdict = self._known.get(since)
        if verdict is None:
            if len(self._known) >= _KNOWN:  # one more with each edit, as long as no router comes, goes or moves
                self._known.clear()
            verdict = self._known[since] = self._judge(since)
        lacking = 0 if provider is None else self._pending[provider]
        if lacking and verdict.reason in (OperatorReason.PROGRAMMED, OperatorReason.ROUTERS_UNREACHABLE):
            return Verdict(
                FALSE,
                OperatorReason.CREDENTIALS_PENDING,
                f"the credentials of this provider have not arrived at {lacking} of {len(self._all)} ready routers",
            )
        return verdict

    def _judge(self, since: Version) -> Verdict:
        if not self._all:
            return Verdict(UNKNOWN, OperatorReason.NO_ROUTERS, "there is no ready router to run this generation")
        for report in self._reachable:
            refusal = report.refused(since)
            if refusal is not None:
                return Verdict(
                    FALSE,
                    OperatorReason.SNAPSHOT_REFUSED,
                    f"router {report.address} refused the snapshot with this generation: "
                    f"{refusal.reason}: {refusal.message}",
                )
        running = sum(report.runs(since) for report in self._reachable)
        if running < len(self._reachable):
            message = f"{running} of {len(self._all)} ready routers run this generation"
            return Verdict(FALSE, OperatorReason.ROLLING_OUT, message)
        if running < len(self._all):
            message = f"{running} of {len(self._all)} ready routers run this generation, the others did not answer"
            return Verdict(UNKNOWN, OperatorReason.ROUTERS_UNREACHABLE, message)
        return Verdict(TRUE, OperatorReason.PROGRAMMED, "every ready router runs this generation")
