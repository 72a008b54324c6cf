"""How long a provider asks to wait, in all the forms that providers use. Pure.

Sources: RFC 9110 §10.2.3 for Retry-After (seconds or a date); ``retry-after-ms`` of OpenAI and ``x-ms-retry-after-ms`` of
Azure; OpenAI's rate-limit headers, whose resets are durations as Go prints them ("1s", "6m0s", "20ms"), where Azure sends
whole seconds.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC
from email.utils import parsedate_to_datetime

_DURATION = re.compile(r"(?:(\d{1,9}(?:\.\d{1,9})?)(ms|[hms]))", re.ASCII)
_WHOLE_DURATION = re.compile(rf"(?:{_DURATION.pattern}){{1,8}}", re.ASCII)
_SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_LIMITS = ("requests", "tokens")


def asked_wait(status: int, header: Callable[[str], str | None], *, now: float) -> float | None:
    """Seconds that an answer of ``status`` asks to wait, by its headers; ``None`` if it does not say.

    ``now`` is Unix time. The resets of rate limits come with every answer; they ask for a wait only on a 429 without
    Retry-After. Of limits that are used up the last to be reset counts; if none says so, the first, since waiting for less
    cannot help.
    """
    stated = retry_after_seconds(
        header("retry-after"), header("retry-after-ms") or header("x-ms-retry-after-ms"), now=now
    )
    if stated is not None or status != 429:
        return stated
    used_up: list[float] = []
    others: list[float] = []
    for limit in _LIMITS:
        wait = duration_seconds(header(f"x-ratelimit-reset-{limit}"))
        if wait:
            remaining = header(f"x-ratelimit-remaining-{limit}") or ""
            (used_up if remaining in {"0", "-1"} else others).append(wait)
    if used_up:
        return max(used_up)
    return min(others, default=None)


def retry_after_seconds(header: str | None, milliseconds: str | None, *, now: float) -> float | None:
    """Seconds to wait from the header's forms: milliseconds, delta-seconds or an HTTP date; ``None`` if there is none."""
    for text, scale in ((milliseconds, 1000.0), (header, 1.0)):
        if text is None:
            continue
        try:
            seconds = float(text) / scale
        except ValueError:
            continue
        if 0 <= seconds < float("inf"):
            return seconds
    if header is None:
        return None
    try:
        date = parsedate_to_datetime(header)
    except (ValueError, TypeError, OverflowError):
        return None
    if date.tzinfo is None:
        date = date.replace(tzinfo=UTC)
    return max(0.0, date.timestamp() - now)


def duration_seconds(text: str | None) -> float | None:
    """Seconds of a duration such as ``6m0s``, or of a plain number; ``None`` for anything else."""
    if text is None:
        return None
    text = text.strip()
    if _WHOLE_DURATION.fullmatch(text):
        return sum(float(amount) * _SECONDS[unit] for amount, unit in _DURATION.findall(text))
    try:
        seconds = float(text)
    except ValueError:
        return None
    return seconds if 0 <= seconds < float("inf") else None
