"""Whether a peer answers as the mock behind it does, and streams rather than collects."""

from __future__ import annotations

import asyncio
import json

import aiohttp

from bench.peers.running import Peer
from bench.proxy.mock import TEXT
from bench.proxy.requests import chat_body

_WORDS = " word" * 50


async def faults(peer: Peer) -> list[str]:
    """What is wrong with a whole answer and with a stream of ``bench.proxy.mock`` through ``peer``; nothing if it is usable."""
    timeout = aiohttp.ClientTimeout(total=30)
    async with aiohttp.ClientSession(timeout=timeout) as http:
        return [*await _whole(http, peer), *await _stream(http, peer)]


def check(peer: Peer) -> list[str]:
    """``faults``, where no loop runs."""
    return asyncio.run(faults(peer))


async def _whole(http: aiohttp.ClientSession, peer: Peer) -> list[str]:
    async with http.post(peer.url, json=chat_body(peer.model, stream=False), headers=peer.headers) as answer:
        text = await answer.text()
        if answer.status != 200:
            return [f"whole answer: status {answer.status}: {text[:300]}"]
        content = json.loads(text)["choices"][0]["message"]["content"]
        # Some take white space off the ends.
        return [] if content.strip() == TEXT.strip() else [f"whole answer: other content: {content[:100]}"]


async def _stream(http: aiohttp.ClientSession, peer: Peer) -> list[str]:
    async with http.post(peer.url, json=chat_body(peer.model, stream=True), headers=peer.headers) as answer:
        if answer.status != 200:
            return [f"stream: status {answer.status}: {(await answer.text())[:300]}"]
        data = [line[6:].strip() async for line in answer.content if line.startswith(b"data: ")]
    found = []
    if not data or data[-1] != b"[DONE]":
        found.append("stream: does not end with [DONE]")
    chunks = [json.loads(each) for each in data if each != b"[DONE]"]
    text = "".join(chunk["choices"][0]["delta"].get("content") or "" for chunk in chunks if chunk["choices"])
    if text != _WORDS:
        found.append(f"stream: other content: {text[:100]}")
    if len(chunks) < 50:
        found.append(f"stream: {len(chunks)} events, where the provider sent one for each word")
    return found
