"""What was measured of models and endpoints, as a selection reads it and as a record keeps it.

The numbers are made in ``dispatch/statistics.py``. They are rounded before anybody reads them, so that a record holds
exactly what the decision saw.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol

import msgspec

from fairlead_contract.decision import StateRead

_ENDPOINT, _OUTPUT = "statistics:", "output_tokens:"
DECIMALS = 6


class EndpointStatistics(msgspec.Struct, frozen=True, omit_defaults=True):
    """One model at one endpoint. ``None``: too little is known, or it was too long ago."""

    outstanding: int = 0
    """Calls that run now."""
    first_byte_seconds: float | None = None
    """Of streams: a peak-sensitive average of the time to the first byte."""
    total_seconds: float | None = None
    """Of answers that are not streamed: a peak-sensitive average of the time to their ends."""
    mean_seconds: float | None = None
    """A plain average of the time to the end of an answer."""
    success_ppm: int | None = None
    """Successes among the calls that say anything of the provider, in parts per million."""

    def latency(self, *, stream: bool) -> float | None:
        """Seconds that the next call may take, given the calls that run already; ``None``: unknown."""
        seconds = self.first_byte_seconds if stream else self.total_seconds
        return None if seconds is None else seconds * (self.outstanding + 1)


NOTHING_KNOWN = EndpointStatistics()


class Statistics(Protocol):
    """Statistics by model key and endpoint name."""

    def endpoint(self, model: str, endpoint: str, now: float) -> EndpointStatistics:
        """Of one model at one endpoint; ``now`` is monotonic."""
        ...

    def output_tokens(self, model: str) -> float | None:
        """Mean length of a model's answers."""
        ...


class RecordedStatistics(msgspec.Struct, frozen=True):
    """Statistics as a record or a test states them; nothing is known of all others."""

    endpoints: Mapping[tuple[str, str], EndpointStatistics] = {}
    tokens: Mapping[str, float] = {}

    def endpoint(self, model: str, endpoint: str, now: float) -> EndpointStatistics:
        """See :class:`Statistics`."""
        return self.endpoints.get((model, endpoint), NOTHING_KNOWN)

    def output_tokens(self, model: str) -> float | None:
        """See :class:`Statistics`."""
        return self.tokens.get(model)

    @classmethod
    def of(cls, reads: Iterable[StateRead]) -> RecordedStatistics:
        """Those that a decision read, from the ``state`` of its record."""
        endpoints, tokens = {}, {}
        for read in reads:
            if read.key.startswith(_ENDPOINT):
                model, _, endpoint = read.key.removeprefix(_ENDPOINT).rpartition("@")
                endpoints[model, endpoint] = msgspec.json.decode(read.value, type=EndpointStatistics)
            elif read.key.startswith(_OUTPUT):
                tokens[read.key.removeprefix(_OUTPUT)] = float(read.value)
        return cls(endpoints, tokens)


NOTHING_MEASURED = RecordedStatistics()


class ReadStatistics:
    """Passes statistics on and notes what was read, each once, in ``state``."""

    def __init__(self, source: Statistics, state: list[StateRead]) -> None:
        self._source = source
        self._state = state
        self._endpoints: dict[tuple[str, str], EndpointStatistics] = {}
        self._tokens: dict[str, float | None] = {}

    def endpoint(self, model: str, endpoint: str, now: float) -> EndpointStatistics:
        """See :class:`Statistics`."""
        key = (model, endpoint)
        found = self._endpoints.get(key)
        if found is None:
            found = self._endpoints[key] = self._source.endpoint(model, endpoint, now)
            text = msgspec.json.encode(found).decode()
            self._state.append(StateRead(key=f"{_ENDPOINT}{model}@{endpoint}", value=text))
        return found

    def output_tokens(self, model: str) -> float | None:
        """See :class:`Statistics`."""
        if model not in self._tokens:
            found = self._tokens[model] = self._source.output_tokens(model)
            if found is not None:
                self._state.append(StateRead(key=f"{_OUTPUT}{model}", value=repr(found)))
        return self._tokens[model]
