"""What active health checks found, by provider and endpoint. Pure; the checking is done in ``health_checks.py``."""

from __future__ import annotations

import msgspec

from fairlead_contract.fragments import HealthCheck


class Found(msgspec.Struct, frozen=True, rename="camel"):
    """The last check of one endpoint and what came of all of them."""

    healthy: bool
    consecutive: int
    """Checks in a row that ended as the last did."""
    error: str | None
    """Why the last check failed, in a word of ours."""


class HealthRegistry:
    """Endpoints that are checked. One that never was is healthy: nothing speaks against it."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, str], Found] = {}
        self._unhealthy: set[tuple[str, str]] = set()

    @property
    def all_healthy(self) -> bool:
        """See :class:`fairlead_router.select.view.Health`."""
        return not self._unhealthy

    def healthy(self, provider: str, endpoint: str) -> bool:
        """See :class:`fairlead_router.select.view.Health`."""
        return (provider, endpoint) not in self._unhealthy

    def found(self, provider: str, endpoint: str) -> Found | None:
        """What checks found; ``None`` before the first has ended."""
        return self._found.get((provider, endpoint))

    def report(self, provider: str, endpoint: str, error: str | None, check: HealthCheck) -> bool:
        """A check has ended, with ``error`` if it failed. Returns whether the endpoint became healthy or unhealthy."""
        key = (provider, endpoint)
        before = self._found.get(key)
        was_healthy = before is None or before.healthy
        same = before is not None and (before.error is None) == (error is None)
        consecutive = before.consecutive + 1 if before is not None and same else 1
        if error is None:
            healthy = was_healthy or consecutive >= check.success_threshold
        else:
            healthy = was_healthy and consecutive < check.failure_threshold
        self._found[key] = Found(healthy, consecutive, error)
        if healthy:
            self._unhealthy.discard(key)
        else:
            self._unhealthy.add(key)
        return healthy is not was_healthy

    def forget(self, provider: str, endpoint: str) -> None:
        """It is checked no more, or is another endpoint now."""
        self._found.pop((provider, endpoint), None)
        self._unhealthy.discard((provider, endpoint))
