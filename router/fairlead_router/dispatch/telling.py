"""Debug lines of dispatch, for an operator who looks into one provider: what failed, what comes next. No text, no key.

They are off unless ``fairlead.dispatch`` is at ``debug``; a request that succeeds at once costs nothing here either way.
"""

from __future__ import annotations

import logging

from fairlead_router.config.table import ModelEntry
from fairlead_router.dispatch.failures import Failure
from fairlead_router.dispatch.job import Running

logger = logging.getLogger("fairlead.dispatch")


def tell_failed(running: Running, failure: Failure, seconds: float) -> None:
    """An attempt failed after ``seconds``."""
    if logger.isEnabledFor(logging.DEBUG):
        logger.debug(
            "attempt %d at endpoint %s failed: %s%s",
            len(running.job.attempts),
            running.endpoint.name,
            failure.error,
            "" if failure.status is None else f" (status {failure.status})",
            extra=_fields(running.job.decision_id, running.entry, seconds),
        )


def tell_waiting(decision_id: str, entry: ModelEntry, seconds: float, *, asked: bool) -> None:
    """The same model is tried again in a while."""
    if logger.isEnabledFor(logging.DEBUG):
        why = ", as the provider asked" if asked else ""
        logger.debug("trying again in %.3f s%s", seconds, why, extra=_fields(decision_id, entry))


def tell_next(decision_id: str, entry: ModelEntry, after: Failure) -> None:
    """Another model is tried because one gave no answer."""
    if logger.isEnabledFor(logging.DEBUG):
        logger.debug("going on to this model after %s", after.error, extra=_fields(decision_id, entry))


def tell_unavailable(decision_id: str, entry: ModelEntry) -> None:
    """No endpoint of the model lets the request through."""
    if logger.isEnabledFor(logging.DEBUG):
        logger.debug("no endpoint lets the request through", extra=_fields(decision_id, entry))


def _fields(decision_id: str, entry: ModelEntry, seconds: float | None = None) -> dict[str, object]:
    fields: dict[str, object] = {"requestId": decision_id, "modelId": entry.key}
    if seconds is not None:
        fields["latency"] = round(seconds * 1000, 3)
    return fields
