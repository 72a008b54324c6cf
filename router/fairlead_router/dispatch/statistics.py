"""What this process measures of models and endpoints while it calls them. Constant memory for each pair of the two.

The time to the first byte and to the end are averaged as Finagle's peak EWMA does it (``PeakEwma`` in twitter/finagle): a
slower call counts in full at once, a faster one draws the average down with a half-life of ten seconds. So a model that
has become slow is left quickly and comes back slowly. The plain mean and the share of successes, which constraints look at,
forget half in two minutes.

What is old is unknown, not slow or bad: without this a model that a constraint or a strategy avoids would be avoided for
ever, since nothing would be measured of it again.
"""

from __future__ import annotations

from array import array
from collections.abc import Set
from statistics import median

from msgspec.structs import replace

from fairlead_router.select.statistics import DECIMALS, NOTHING_KNOWN, EndpointStatistics

PEAK_HALF_LIFE_SECONDS = 10.0
FRESH_SECONDS = 60.0
"""A peak average without a call for so long is unknown."""

HALF_LIFE_SECONDS = 120.0
ENOUGH_SUCCESSES = 10.0
ENOUGH_LATENCIES = 3.0
"""Evidence below which a share or a mean is unknown, in calls, each weighted by its age."""

MOST_EVIDENCE = 50.0
"""No more is kept, so that what keeps a model away is forgotten in five or, of latency, nine minutes."""

_KEPT = 64
_SHARE_OF_NEWEST = 1 / 64
"""How much one answer moves the mean length of answers, once there were 64."""


class _Peak:
    """A peak-sensitive average."""

    __slots__ = ("_at", "_seconds")

    def __init__(self) -> None:
        self._seconds = 0.0
        self._at: float | None = None

    def add(self, now: float, seconds: float) -> None:
        if self._at is None or now - self._at >= FRESH_SECONDS or seconds >= self._seconds:
            self._seconds = seconds
        else:
            kept: float = 0.5 ** ((now - self._at) / PEAK_HALF_LIFE_SECONDS)
            self._seconds = self._seconds * kept + seconds * (1 - kept)
        self._at = now

    def read(self, now: float) -> float | None:
        if self._at is None or now - self._at >= FRESH_SECONDS:
            return None
        return round(self._seconds, DECIMALS)


class _Mean:
    """An average in which a value counts half after ``HALF_LIFE_SECONDS``."""

    __slots__ = ("_at", "_sum", "_weight")

    def __init__(self) -> None:
        self._sum = 0.0
        self._weight = 0.0
        self._at = 0.0

    def add(self, now: float, value: float) -> None:
        kept: float = 0.5 ** ((now - self._at) / HALF_LIFE_SECONDS)
        weight = min(self._weight * kept, MOST_EVIDENCE - 1)
        self._sum = (self._sum / self._weight * weight if self._weight else 0.0) + value
        self._weight = weight + 1
        self._at = now

    def read(self, now: float, enough: float) -> float | None:
        kept: float = 0.5 ** ((now - self._at) / HALF_LIFE_SECONDS)
        return self._sum / self._weight if self._weight * kept >= enough else None


class _Measured:
    """One model at one endpoint."""

    __slots__ = ("first_byte", "latencies", "mean", "outstanding", "place", "success", "total")

    def __init__(self) -> None:
        self.outstanding = 0
        self.first_byte = _Peak()
        self.total = _Peak()
        self.mean = _Mean()
        self.success = _Mean()
        self.latencies = array("f")
        self.place = 0

    def keep(self, seconds: float) -> None:
        if len(self.latencies) < _KEPT:
            self.latencies.append(seconds)
        else:
            self.latencies[self.place] = seconds
            self.place = (self.place + 1) % _KEPT

    def read(self, now: float) -> EndpointStatistics:
        mean, success = self.mean.read(now, ENOUGH_LATENCIES), self.success.read(now, ENOUGH_SUCCESSES)
        return EndpointStatistics(
            self.outstanding,
            self.first_byte.read(now),
            self.total.read(now),
            None if mean is None else round(mean, DECIMALS),
            None if success is None else round(success * 1_000_000),
        )


class StatisticsRegistry:
    """The statistics of this process. Times are monotonic seconds."""

    def __init__(self) -> None:
        self._measured: dict[tuple[str, str], _Measured] = {}
        self._tokens: dict[str, tuple[float, int]] = {}

    def begin(self, model: str, endpoint: str) -> None:
        """A call begins."""
        self._of(model, endpoint).outstanding += 1

    def end(self, model: str, endpoint: str) -> None:
        """A call that began is over, whatever came of it."""
        measured = self._of(model, endpoint)
        measured.outstanding = max(0, measured.outstanding - 1)

    def succeeded(
        self, model: str, endpoint: str, now: float, *, seconds: float, first_byte: float | None, output_tokens: int
    ) -> None:
        """A complete answer came after ``seconds``; ``first_byte`` is given for streams.

        The end of a stream waits for its client too: one slow reader must not make a model slow for everybody, so the peak
        of whole answers does not hear of streams.
        """
        measured = self._of(model, endpoint)
        measured.success.add(now, 1.0)
        measured.mean.add(now, seconds)
        measured.keep(seconds)
        if first_byte is None:
            measured.total.add(now, seconds)
        else:
            measured.first_byte.add(now, first_byte)
        if output_tokens > 0:
            mean, count = self._tokens.get(model, (0.0, 0))
            self._tokens[model] = mean + (output_tokens - mean) * max(_SHARE_OF_NEWEST, 1 / (count + 1)), count + 1

    def failed(self, model: str, endpoint: str, now: float, *, waited: float | None = None, stream: bool) -> None:
        """The provider failed. A quick failure says nothing of its speed; having ``waited`` in vain says at least that."""
        measured = self._of(model, endpoint)
        measured.success.add(now, 0.0)
        if waited is not None:
            (measured.first_byte if stream else measured.total).add(now, waited)

    def endpoint(self, model: str, endpoint: str, now: float) -> EndpointStatistics:
        """See :class:`fairlead_router.select.statistics.Statistics`."""
        measured = self._measured.get((model, endpoint))
        return NOTHING_KNOWN if measured is None else measured.read(now)

    def known(self, now: float) -> list[tuple[tuple[str, str], EndpointStatistics]]:
        """All of which something is known beyond the calls that run now, by model and endpoint."""
        reads = [(key, replace(measured.read(now), outstanding=0)) for key, measured in self._measured.items()]
        return [(key, read) for key, read in reads if read != NOTHING_KNOWN]

    def outstanding(self, model: str, endpoint: str) -> int:
        """Calls that run now."""
        measured = self._measured.get((model, endpoint))
        return 0 if measured is None else measured.outstanding

    def output_tokens(self, model: str) -> float | None:
        """See :class:`fairlead_router.select.statistics.Statistics`."""
        found = self._tokens.get(model)
        return None if found is None else round(found[0], DECIMALS)

    def median_seconds(self, model: str, endpoint: str) -> float | None:
        """Of the last 64 answers, to their ends."""
        measured = self._measured.get((model, endpoint))
        return median(measured.latencies) if measured is not None and measured.latencies else None

    def retain(self, places: Set[tuple[str, str]]) -> None:
        """Forget all but these models and endpoints, once none of their calls runs."""
        for key in [key for key, each in self._measured.items() if key not in places and not each.outstanding]:
            del self._measured[key]
        models = {model for model, _ in places}
        for model in [model for model in self._tokens if model not in models]:
            del self._tokens[model]

    def _of(self, model: str, endpoint: str) -> _Measured:
        key = (model, endpoint)
        measured = self._measured.get(key)
        if measured is None:
            measured = self._measured[key] = _Measured()
        return measured
