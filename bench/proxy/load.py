"""A load generator light enough not to be what is measured: raw protocols, requests made once, answers only checked.

``python -m bench.proxy.load PORT --connections 32 --seconds 3 [--stream]`` keeps that many connections busy, each with one
request at a time, and prints one JSON object: the answers in the time measured, all answers, wrong ones, and the times.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from array import array
from time import perf_counter
from typing import cast

import uvloop

from bench.report import percentile

_WARM_UP_SECONDS = 0.3
_GRACE_SECONDS = 5.0
_TAIL = 24


def request_bytes(port: int, *, stream: bool) -> bytes:
    """A chat request of ordinary size, complete with its head."""
    system = "You are a terse assistant that answers in one sentence and never apologises. " * 3
    body = {
        "model": "auto",
        "messages": [{"role": "system", "content": system}, {"role": "user", "content": "Which way to the harbour?"}],
        "max_tokens": 64,
        "temperature": 0.2,
    }
    if stream:
        body["stream"] = True
    data = json.dumps(body).encode()
    head = (
        f"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n"
        f"x-fairlead-agent-type: coder\r\nx-fairlead-user: user-7\r\nContent-Length: {len(data)}\r\n\r\n"
    )
    return head.encode() + data


class Tally:
    """What all connections together have seen."""

    def __init__(self, connections: int) -> None:
        self.open = connections
        self.counting = False
        self.stopping = False
        self.all = 0
        self.wrong = 0
        self.seconds: array[float] = array("d")
        self.drained = asyncio.Event()

    def ended(self) -> None:
        """One connection has sent its last request."""
        self.open -= 1
        if not self.open:
            self.drained.set()


class Client(asyncio.Protocol):
    """One keep-alive connection: a request, its answer, the next request."""

    def __init__(self, request: bytes, tally: Tally, *, stream: bool) -> None:
        self._request = request
        self._tally = tally
        self._stream = self._stream_due = stream
        self._transport: asyncio.Transport | None = None
        self._sent = 0.0
        self._over = False
        self._begin()

    def _begin(self) -> None:
        self._good = False
        self._head_seen = False
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
            self._stream = length < 0
            self._good = head.startswith(b"http/1.1 200") and self._stream is self._stream_due
            if length >= 0:
                self._left = int(head[length + 16 : head.find(b"\r\n", length)])
        if not self._stream:
            self._left -= len(data)
            if self._left <= 0:
                self._answered(self._good and self._left == 0)
            return
        data = self._tail + data
        self._done_seen = self._done_seen or b"data: [DONE]" in data
        if data.endswith(b"\r\n0\r\n\r\n"):
            self._answered(self._good and self._done_seen)
        else:
            self._tail = data[-_TAIL:]

    def _send(self) -> None:
        assert self._transport is not None
        self._begin()
        self._sent = perf_counter()
        self._transport.write(self._request)

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


async def measure(port: int, connections: int, seconds: float, *, stream: bool) -> dict[str, float]:
    """Keep the server at ``port`` busy; rates and times of the answers that ended within ``seconds``."""
    loop = asyncio.get_running_loop()
    tally = Tally(connections)
    request = request_bytes(port, stream=stream)
    transports = [
        (await loop.create_connection(lambda: Client(request, tally, stream=stream), "127.0.0.1", port))[0]
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
    times = tally.seconds or array("d", [float("inf")])
    return {
        "answers": len(tally.seconds),
        "all": tally.all,
        "wrong": tally.wrong,
        "per_second": len(tally.seconds) / lasted,
        "p50_ms": percentile(times, 50) * 1000,
        "p99_ms": percentile(times, 99) * 1000,
    }


def main() -> None:
    """Measure once and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("port", type=int)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--stream", action="store_true")
    given = parser.parse_args()
    print(json.dumps(uvloop.run(measure(given.port, given.connections, given.seconds, stream=given.stream))))


if __name__ == "__main__":
    main()
