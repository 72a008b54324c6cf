"""A load generator light enough not to be what is measured: raw protocols, requests made once, answers only checked.

``python -m bench.proxy.load PORT --connections 32 --seconds 3 [--stream | --varied SEED]`` keeps that many connections
busy, each with one request at a time, and prints one JSON object: the answers in the time measured, all answers, wrong
ones, and the times, of streams also until the first event.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from array import array
from collections.abc import Iterator
from time import perf_counter
from typing import cast

import uvloop

from bench.proxy.requests import MODEL, PATH, ROUTER_HEADERS, Request, same, varied
from bench.report import percentile

_WARM_UP_SECONDS = 0.3
_GRACE_SECONDS = 60.0
"""For the last answers to come in."""
_TAIL = 24


class Tally:
    """What all connections together have seen."""

    def __init__(self, connections: int) -> None:
        self.open = connections
        self.counting = False
        self.stopping = False
        self.all = 0
        self.wrong = 0
        self.seconds: array[float] = array("d")
        self.first: array[float] = array("d")
        """Until the first event of streams."""
        self.drained = asyncio.Event()

    def ended(self) -> None:
        """One connection has sent its last request."""
        self.open -= 1
        if not self.open:
            self.drained.set()


class Client(asyncio.Protocol):
    """One keep-alive connection: a request, its answer, the next request."""

    def __init__(self, requests: Iterator[Request], tally: Tally) -> None:
        self._requests = requests
        self._tally = tally
        self._stream_due = False
        self._chunked = False
        self._transport: asyncio.Transport | None = None
        self._sent = 0.0
        self._over = False
        self._begin()

    def _begin(self) -> None:
        self._good = False
        self._head_seen = False
        self._first_seen = False
        self._done_seen = False
        self._left = 0
        self._tail = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the first request."""
        self._transport = cast(asyncio.Transport, transport)
        self._send()

    def connection_lost(self, exc: Exception | None) -> None:
        """A connection that breaks before the end counts as one wrong answer."""
        if not self._over:
            self._over = True
            self._tally.wrong += 1
            self._tally.ended()

    def data_received(self, data: bytes) -> None:
        """Look for the end of the answer, and whether it is the answer that was due."""
        if not self._head_seen:
            data = self._tail + data
            end = data.find(b"\r\n\r\n")
            if end < 0:
                self._tail = data
                return
            self._head_seen = True
            self._tail = b""
            head, data = data[: end + 2].lower(), data[end + 4 :]
            length = head.find(b"content-length: ")
            self._chunked = length < 0
            self._good = head.startswith(b"http/1.1 200") and (self._chunked or not self._stream_due)
            if length >= 0:
                self._left = int(head[length + 16 : head.find(b"\r\n", length)])
        if not self._chunked:
            self._left -= len(data)
            if self._left <= 0:
                self._answered(self._good and self._left == 0)
            return
        data = self._tail + data
        if not self._first_seen and b"data: {" in data:
            self._first_seen = True
            if self._tally.counting:
                self._tally.first.append(perf_counter() - self._sent)
        self._done_seen = self._done_seen or b"data: [DONE]" in data
        if data.endswith(b"\r\n0\r\n\r\n"):
            self._answered(self._good and (self._done_seen or not self._stream_due))
        else:
            self._tail = data[-_TAIL:]

    def _send(self) -> None:
        assert self._transport is not None
        self._begin()
        request = next(self._requests)
        self._stream_due = request.stream
        self._sent = perf_counter()
        self._transport.write(request.data)

    def _answered(self, good: bool) -> None:
        tally = self._tally
        tally.all += 1
        if not good:
            tally.wrong += 1
        elif tally.counting:
            tally.seconds.append(perf_counter() - self._sent)
        if tally.stopping:
            self._over = True
            tally.ended()
        else:
            self._send()


async def measure(port: int, requests: Iterator[Request], connections: int, seconds: float) -> dict[str, float]:
    """Keep the server at ``port`` busy; rates and times of the answers that ended within ``seconds``."""
    loop = asyncio.get_running_loop()
    tally = Tally(connections)
    transports = [
        (await loop.create_connection(lambda: Client(requests, tally), "127.0.0.1", port))[0]
        for _ in range(connections)
    ]
    await asyncio.sleep(_WARM_UP_SECONDS)
    tally.counting, began = True, perf_counter()
    await asyncio.sleep(seconds)
    tally.counting, lasted = False, perf_counter() - began
    tally.stopping = True
    async with asyncio.timeout(_GRACE_SECONDS):
        await tally.drained.wait()
    for transport in transports:
        transport.close()
    never = array("d", [float("inf")])
    times, first = tally.seconds or never, tally.first or never
    return {
        "answers": len(tally.seconds),
        "all": tally.all,
        "wrong": tally.wrong,
        "per_second": len(tally.seconds) / lasted,
        "p50_ms": percentile(times, 50) * 1000,
        "p99_ms": percentile(times, 99) * 1000,
        "first_p50_ms": percentile(first, 50) * 1000,  # of streams
    }


def main() -> None:
    """Measure once and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("port", type=int)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--stream", action="store_true")
    parser.add_argument("--varied", type=int, metavar="SEED", help="each request by another user, one in ten a stream")
    parser.add_argument("--path", default=PATH)
    parser.add_argument("--model", default=MODEL)
    parser.add_argument("--headers", type=json.loads, default=ROUTER_HEADERS, metavar="JSON")
    given = parser.parse_args()
    target = {"path": given.path, "model": given.model, "headers": given.headers}
    if given.varied is not None:
        requests = varied(given.port, given.varied, **target)
    else:
        requests = same(given.port, stream=given.stream, **target)
    found = uvloop.run(measure(given.port, requests, given.connections, given.seconds))
    print(json.dumps(found))


if __name__ == "__main__":
    main()
