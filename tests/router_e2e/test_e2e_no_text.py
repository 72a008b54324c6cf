"""Nothing that a person wrote, and no secret, is in any record, log, metric or view."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

import pytest

from tests.router_e2e.fake_upstream import HANG, RESET, FakeUpstream
from tests.router_e2e.harness import Harness, attempts, eventually, serving
from tests.router_e2e.scripts import answers, event, fails, says, streams, word
from tests.router_e2e.world import credentials, endpoint, fallback, policy, provider, secret, timeouts

MARK = "qv7marker"
"""Part of everything that must not be kept."""

MESSAGES = [{"role": "user", "content": f"prompt {MARK}", "name": MARK}]
WHO = {
    "x-fairlead-user": f"user-{MARK}",
    "x-fairlead-session": f"session-{MARK}",
    "authorization": f"Bearer client-{MARK}",
    "x-anything": MARK,
}

SCRIPTS = [
    answers(f"answer {MARK}"),
    streams(event({"role": "assistant"}), word(f"answer {MARK}"), event({}, "stop")),
    streams(event({"role": "assistant"}), word(f"answer {MARK}")),
    streams(f'data: {{"error":{{"message":"{MARK}","code":"{MARK}"}}}}\n\n'.encode()),
    says(200, f"garbage {MARK}".encode()),
    says(500, f'{{"error":{{"message":"{MARK}","type":"{MARK}","code":"{MARK}"}}}}'.encode()),
    says(400, f'{{"error":{{"message":"{MARK}","type":"{MARK}","code":"{MARK}"}}}}'.encode()),
    says(302, MARK.encode(), location=f"http://{MARK}/"),
    fails(401, MARK),
    fails(429, MARK, x_reason=MARK),
    [f"HTTP/1.1 {MARK}\r\n\r\n".encode(), RESET],
    [HANG],
]


async def traffic(router: Harness, upstream: FakeUpstream) -> int:
    """Every kind of answer, streamed and whole, and requests that are refused; how many were made."""
    count = 0
    for stream in (False, True):
        for script in SCRIPTS:
            upstream.plays(script)
            await router.chat(messages=MESSAGES, stream=stream, headers=WHO, user=MARK, metadata={"x": MARK})
            count += 1
    for body in (
        f'{{"model": "auto", "messages": "{MARK}"}}',
        f'{{"{MARK}"',
        f'{{"model":"auto","messages":[{{"content":{{"{MARK}":1}}}}]}}',
    ):
        await router.post(body.encode(), **{name.replace("-", "_"): value for name, value in WHO.items()})
        count += 1
    return count


async def test_no_text_and_no_secret_is_kept_anywhere(
    upstream: FakeUpstream, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    log = tmp_path / "decisions.jsonl"
    places = [endpoint(upstream.url)]
    fragments = (
        provider(places, credential=secret()),
        policy(
            "acme/small", fallbacks=(fallback("acme/small", "ContextWindow"),), timeouts=timeouts(total=1, first_byte=1)
        ),
    )
    async with serving(decision_log=log) as router:
        await router.load(*fragments, credentials=credentials(f"key-{MARK}"))
        made = await traffic(router, upstream)
        await router.idle()
        assert MARK in upstream.received[0].headers["authorization"]
        assert MARK.encode() in upstream.received[0].body

        listed = (await router.request("GET", "/-/decisions", admin=True)).json["decisions"]
        kept = made - 3
        assert len(listed) == kept
        views = ["/metrics", "/-/config", "/-/decisions", *(f"/-/decisions/{each}" for each in listed)]
        for path in views:
            for accept in ("application/json", "text/plain"):
                shown = await router.request("GET", path, headers={"Accept": accept}, admin=True)
                assert MARK.encode() not in shown.body, path
        for path in ("/health/detailed", "/v1/models"):
            assert MARK.encode() not in (await router.request("GET", path)).body
        for each in listed:
            assert all(error is None or MARK not in error for _, _, error in attempts(await router.record(each)))
    lines = log.read_bytes()
    assert lines.count(b"\n") == kept
    assert MARK.encode() not in lines
    assert MARK not in "".join(record.getMessage() for record in caplog.records if record.name.startswith("fairlead"))


RESOURCES = """
apiVersion: fairlead.dev/v1alpha1
kind: ModelProvider
metadata: {name: sim, namespace: default}
spec:
  type: Simulated
  simulated: {errorPercent: 50, outputTokens: 4}
  models: [{name: small, prices: [{inputUSDPerMillionTokens: "1", outputUSDPerMillionTokens: "1"}]}]
"""


async def test_the_access_lines_of_a_router_process_hold_no_text(tmp_path: Path) -> None:
    import socket

    ports = []
    for _ in range(2):
        with socket.socket() as sock:
            sock.bind(("127.0.0.1", 0))
            ports.append(sock.getsockname()[1])
    folder, out = tmp_path / "resources", tmp_path / "out"
    folder.mkdir()
    (folder / "sim.yaml").write_text(RESOURCES)
    environment = os.environ | {
        "FAIRLEAD_PORT": str(ports[0]),
        "FAIRLEAD_ADMIN_PORT": str(ports[1]),
        "FAIRLEAD_HOST": "127.0.0.1",
    }
    fairlead = Path(sys.executable).with_name("fairlead")
    with out.open("wb") as file:
        process = await asyncio.create_subprocess_exec(
            fairlead, "serve", "--resources", folder, env=environment, stdout=file, stderr=file
        )
    import aiohttp

    try:
        async with aiohttp.ClientSession() as session:

            async def ready() -> bool:
                assert process.returncode is None, out.read_text()
                try:
                    async with session.get(f"http://127.0.0.1:{ports[0]}/health/ready") as response:
                        return response.status == 200
                except aiohttp.ClientConnectionError:
                    return False

            await eventually(ready, "the router is ready", seconds=30)
            for model in ("small", "auto", "none"):
                for stream in (False, True):
                    body = json.dumps({"model": model, "messages": MESSAGES, "stream": stream, "user": MARK})
                    url = f"http://127.0.0.1:{ports[0]}/v1/chat/completions?{MARK}"
                    async with session.post(url, data=body, headers=WHO) as response:
                        await response.read()

        def lines() -> list[str]:
            return [line for line in out.read_text().splitlines() if '"requestId"' in line]

        await eventually(lambda: len(lines()) == 6, "six access lines")
    finally:
        process.send_signal(signal.SIGTERM)
        assert await process.wait() == 0
    assert MARK not in out.read_text()
    assert json.loads(lines()[0]).keys() >= {
        "timestamp",
        "level",
        "requestId",
        "status",
        "latency",
        "method",
        "path",
        "workspace",
    }
