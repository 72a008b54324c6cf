"""What the API server answers when it refuses."""

from __future__ import annotations


class NoAccess(Exception):
    """How to reach the API server is unknown or unusable. The message says what is missing."""


class KubeError(Exception):
    """An answer with an error status, in the server's own words.

    Connection errors are not wrapped: they stay ``aiohttp.ClientError`` or ``TimeoutError``.
    """

    def __init__(self, status: int, reason: str, message: str, retry_after: float | None = None) -> None:
        super().__init__(f"{status} {reason}: {message}")
        self.status = status
        self.reason = reason
        self.message = message
        self.retry_after = retry_after
        """Seconds, if the server asked for a pause."""

    @property
    def not_found(self) -> bool:
        """404."""
        return self.status == 404

    @property
    def conflict(self) -> bool:
        """409: the object is not the one the caller had read, or exists already."""
        return self.status == 409

    @property
    def gone(self) -> bool:
        """410: the wanted resource version is compacted away."""
        return self.status == 410
