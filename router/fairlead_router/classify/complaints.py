"""Says in the log that something of ours or of a bundle failed, seldom, and without words that may quote a text."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable

logger = logging.getLogger("fairlead.classify")

_QUIET_SECONDS = 60.0


class Complaints:
    """Of one kind of failure: at most one a minute."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._quiet_until = 0.0

    def complain(self, what: str, error: BaseException) -> None:
        """Log ``what`` with the kind and the place of ``error``, but none of its words."""
        if self._clock() < self._quiet_until:
            return
        self._quiet_until = self._clock() + _QUIET_SECONDS
        place = "".join(traceback.format_tb(error.__traceback__))
        logger.error("%s: %s at\n%s", what, type(error).__name__, place)
