"""Load on a process that classifies: ``python -m bench.classify.load PORT TEXTS classify|chat``.

``classify`` keeps some connections busy with prompts of 24 tokens; ``chat`` sends one chat request after another at a steady
pace, which need no classification, and times them. Prints one JSON object.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from collections.abc import Iterator, Sequence
from itertools import cycle
from pathlib import Path
from time import perf_counter

import uvloop

from bench.proxy.load import measure
from bench.proxy.requests import PATH, ROUTER_HEADERS, Request, same
from bench.report import percentile

PER_SECOND = 200


def main() -> None:
    """Load, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("port", type=int)
    parser.add_argument("texts", type=Path)
    parser.add_argument("what", choices=("classify", "chat"))
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=3.0)
    given = parser.parse_args()
    if given.what == "classify":
        requests = classify_requests(given.port, json.loads(given.texts.read_text())["24"])
        found = uvloop.run(measure(given.port, requests, given.connections, given.seconds))
    else:
        found = uvloop.run(paced(given.port, given.seconds))
    print(json.dumps(found))


def classify_requests(port: int, texts: Sequence[str]) -> Iterator[Request]:
    """One for each text, again and again."""
    made = []
    for text in texts:
        body = json.dumps({"prompt": text}).encode()
        head = f"POST /classify HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n"
        made.append(Request(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body, stream=False))
    return cycle(made)


async def paced(port: int, seconds: float) -> dict[str, float]:
    """Times of chat requests that are sent 200 a second on one connection, or as soon as the one before is answered."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    request = next(same(port, stream=False, path=PATH, model="auto", headers=ROUTER_HEADERS)).data
    taken = []
    began = perf_counter()
    for number in range(int(seconds * PER_SECOND)):
        await asyncio.sleep(max(0.0, began + number / PER_SECOND - perf_counter()))
        sent = perf_counter()
        writer.write(request)
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        await reader.readexactly(int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0]))
        taken.append(perf_counter() - sent)
        if not head.startswith(b"http/1.1 200"):
            raise RuntimeError(f"a chat request was answered {head.partition(bytes([13]))[0].decode()}")
    writer.close()
    return {"answers": len(taken), "p50_ms": percentile(taken, 50) * 1000, "p99_ms": percentile(taken, 99) * 1000}


if __name__ == "__main__":
    main()
