"""A gigabyte from a provider: refused or passed on, in a process whose memory is measured."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import aiohttp
import pytest

from tests.router_e2e.fake_upstream import FakeUpstream
from tests.router_e2e.scripts import DONE, FINISH, LAST, framed, head, word
from tests.standalone.running import serving

MIB = 1 << 20
CHUNKS = 1024
GROWTH_KIB = 96 * 1024
"""What the process may grow by at its highest: sixteen mebibytes of answer twice, buffers of both sockets, and its heap."""

RESOURCES = """
apiVersion: fairlead.dev/v1alpha1
kind: ModelProvider
metadata: {{name: acme}}
spec:
  type: OpenAICompatible
  endpoints: [{{name: main, url: "{url}"}}]
  models: [{{name: small}}]
---
apiVersion: fairlead.dev/v1alpha1
kind: RoutingPolicy
metadata: {{name: all}}
spec:
  targets: [{{name: small, modelRef: {{providerRef: {{name: acme}}, model: small}}, weight: 100}}]
  retries: {{attempts: 0}}
"""


def memory(pid: int, field: str) -> int:
    """``VmRSS`` or ``VmHWM`` (the highest it was) of a process, in KiB."""
    found = re.search(rf"{field}:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found is not None
    return int(found[1])


@pytest.mark.timeout(120)
@pytest.mark.parametrize("kind", ["whole with a length", "whole in chunks", "stream"])
async def test_a_gigabyte_is_bounded_in_memory(upstream: FakeUpstream, tmp_path: Path, kind: str) -> None:
    piece = word("x" * MIB)
    if kind == "stream":
        upstream.default = [head(), *[framed(piece)] * CHUNKS, framed(FINISH), framed(DONE), LAST]
    elif kind == "whole in chunks":
        upstream.default = [head("application/json"), *[framed(b" " * MIB)] * CHUNKS, LAST]
    else:
        length = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {CHUNKS * MIB}\r\n\r\n"
        upstream.default = [length.encode(), *[b" " * MIB] * CHUNKS]
    folder = tmp_path / "resources"
    folder.mkdir()
    (folder / "all.yaml").write_text(RESOURCES.format(url=upstream.url))
    options = ("--resources", str(folder), "--allow-networks", "loopback")
    with serving(*options, log=tmp_path / "log", FAIRLEAD_MAX_RESPONSE_BYTES=str(16 * MIB)) as router:
        pid = router.process.pid
        before = memory(pid, "VmRSS")
        body = {"model": "auto", "messages": [{"role": "user", "content": "x"}], "stream": kind == "stream"}
        url = f"http://127.0.0.1:{router.port}/v1/chat/completions"
        total, tail = 0, b""
        async with aiohttp.ClientSession() as session, session.post(url, json=body) as response:
            async for part in response.content.iter_any():
                total += len(part)
                tail = tail[-64:] + part[-64:]
        if kind == "stream":
            assert (response.status, total > CHUNKS * MIB, tail.endswith(DONE)) == (200, True, True)
        else:
            assert (response.status, b"upstream_error" in tail) == (502, True)
            await asyncio.wait_for(upstream.received[0].hung_up.wait(), 10)
        grown = memory(pid, "VmHWM") - before
        assert grown < GROWTH_KIB, f"the router grew by {grown / 1024:.0f} MiB"
