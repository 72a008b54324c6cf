"""Nothing that a person wrote, and no secret, is in any record, log, metric or view."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import sys
from pathlib import Path

import pytest
from redis.asyncio import Redis

from devcluster.redis_server import RedisServer
from fairlead_cli.logs import JsonFormatter
from fairlead_contract.fragments import Affinity
from tests.router_e2e.fake_upstream import HANG, RESET, FakeUpstream
from tests.router_e2e.harness import Harness, attempts, eventually, serving
from tests.router_e2e.otlp_sink import Collector, collector
from tests.router_e2e.scripts import answers, event, fails, says, streams, word
from tests.router_e2e.world import credentials, endpoint, fallback, model, policy, provider, secret, timeouts

MARK = "qv7marker"
"""Part of everything that must not be kept."""

MESSAGES = [
    {"role": "user", "content": f"prompt {MARK}", "name": MARK},
    {"role": "user", "content": [{"type": "text", "text": MARK}, {"type": "image_url", "image_url": {"url": MARK}}]},
    {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"id": MARK, "type": "function", "function": {"name": MARK, "arguments": f'{{"{MARK}":1}}'}}],
    },
    {"role": "tool", "tool_call_id": MARK, "content": MARK},
]
TOOLS = [{"type": "function", "function": {"name": MARK, "description": MARK, "parameters": {"title": MARK}}}]
WHO = {
    "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    "tracestate": f"vendor={MARK}",
    "baggage": f"user={MARK}",
    "cookie": f"session={MARK}",
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
            await router.chat(
                messages=MESSAGES, stream=stream, headers=WHO, user=MARK, tools=TOOLS, metadata={"x": MARK}
            )
            count += 1
    for body in (
        f'{{"model": "auto", "messages": "{MARK}"}}',
        f'{{"{MARK}"',
        f'{{"model":"auto","messages":[{{"content":{{"{MARK}":1}}}}]}}',
    ):
        await router.post(body.encode(), **{name.replace("-", "_"): value for name, value in WHO.items()})
        count += 1
    return count


class Everywhere:
    """Every place where something of a request is kept, read as bytes."""

    def __init__(self, router: Harness, sink: Collector, log: Path, lines: pytest.LogCaptureFixture) -> None:
        self._router = router
        self._sink = sink
        self._log = log
        self._lines = lines

    async def kept(self) -> dict[str, bytes]:
        """By place."""
        router = self._router
        listed = (await router.request("GET", "/-/decisions", admin=True)).json["decisions"]
        admin = ["/metrics", "/-/config", "/-/log-levels", "/-/decisions", *(f"/-/decisions/{each}" for each in listed)]
        places = {}
        for path in admin:
            for accept in ("application/json", "text/plain"):
                shown = await router.request("GET", path, headers={"Accept": accept}, admin=True)
                places[f"{path} as {accept}"] = shown.body
        for path in ("/health", "/health/ready", "/health/detailed", "/v1/models"):
            places[path] = (await router.request("GET", path)).body
        places["decision log"] = self._log.read_bytes()
        places["process log"] = "\n".join(map(_formatted, self._lines.records)).encode()
        for number, body in enumerate(self._sink.bodies):
            places[f"export {number}"] = body
        return places


def _formatted(record: logging.LogRecord) -> str:
    """As a router process writes it."""
    return JsonFormatter().format(record)


async def what_other_clients_see(router: Harness, upstream: FakeUpstream) -> dict[str, bytes]:
    """Answers and errors that come after the marked requests, to somebody else."""
    seen = {}
    for name, script in (
        ("whole", answers("fine")),
        ("stream", streams()),
        ("failing", fails(500)),
        ("slow down", fails(429)),
    ):
        upstream.plays(script)
        reply = await router.chat(stream=name == "stream")
        seen[name] = reply.body + repr(dict(reply.headers)).encode()
    for name, body in (
        ("no JSON", b"{"),
        ("no model", b'{"model":"none","messages":[{"role":"user","content":"hi"}]}'),
    ):
        reply = await router.post(body)
        seen[name] = reply.body + repr(dict(reply.headers)).encode()
    return seen


async def held_by(server: RedisServer) -> bytes:
    """Every key and value of a Redis."""
    async with Redis(port=server.port) as client:
        await client.config_set("rdbcompression", "no")
        keys = await client.keys("*")
        values = [await client.dump(key) for key in keys]
    return b"\n".join([*keys, *(value or b"" for value in values)])


async def test_no_text_and_no_secret_is_kept_anywhere(
    upstream: FakeUpstream, tmp_path: Path, caplog: pytest.LogCaptureFixture, redis_server: RedisServer
) -> None:
    caplog.set_level("DEBUG")
    log = tmp_path / "decisions.jsonl"
    places = [endpoint(upstream.url)]
    fragments = (
        provider(places, credential=secret(), models=[model("small", capabilities=("Tools", "Vision"))]),
        policy(
            "acme/small",
            fallbacks=(fallback("acme/small", "ContextWindow"),),
            timeouts=timeouts(total=1, first_byte=1),
            affinity=Affinity(),
        ),
    )
    async with collector() as sink:
        everything = {
            "decision_log": log,
            "log_level": "debug",
            "otlp_traces_endpoint": sink.traces_endpoint,
            "otlp_logs_endpoint": sink.logs_endpoint,
            "trace_sample_percent": 100.0,
            "decision_events": "both",
            "redis_url": f"redis://127.0.0.1:{redis_server.port}/0",
        }
        async with serving(**everything) as router:
            await router.load(*fragments, credentials=credentials(f"key-{MARK}"))
            made = await traffic(router, upstream)
            await eventually(lambda: router.in_flight == 0, "no request in flight")
            assert MARK in upstream.received[0].headers["authorization"]
            assert MARK.encode() in upstream.received[0].body
            assert MARK in upstream.received[0].headers["tracestate"], "it goes to the provider, and nowhere else"
            explained = await router.request(
                "POST", "/api/routing/test", data=json.dumps({"model": "auto", "messages": MESSAGES}), headers=WHO
            )
            assert explained.status == 200
            assert MARK.encode() not in explained.body
            kept = made - 3
            requests = "POST /v1/chat/completions"
            await eventually(lambda: len(sink.named(requests)) == len(sink.logs) == kept, "all traces and events")
            everywhere = await Everywhere(router, sink, log, caplog).kept()
            for place, content in everywhere.items():
                assert MARK.encode() not in content, place
            held = await held_by(redis_server)
            assert b"affinity" in held, "something is kept of these users"
            assert MARK.encode() not in held
            listed = json.loads(everywhere["/-/decisions as application/json"])["decisions"]
            assert len(listed) == kept
            for each in listed:
                assert all(error is None or MARK not in error for _, _, error in attempts(await router.record(each)))
            for name, content in (await what_other_clients_see(router, upstream)).items():
                assert MARK.encode() not in content, name
    for number, body in enumerate(sink.bodies):
        assert MARK.encode() not in body, f"export {number}"
    for payload in sink.events_on_spans() + sink.events_in_logs():
        assert MARK not in json.dumps(payload)
    assert any(record.name == "fairlead.dispatch" for record in caplog.records), "debug lines were on"
    assert log.read_bytes().count(b"\n") == kept + 5


RESOURCES = """
apiVersion: fairlead.dev/v1alpha1
kind: ModelProvider
metadata: {name: sim, namespace: default}
spec:
  type: Simulated
  simulated: {errorPercent: 100, outputTokens: 4}
  models: [{name: small, prices: [{inputUSDPerMillionTokens: "1", outputUSDPerMillionTokens: "1"}]}]
"""


async def test_a_router_process_writes_and_exports_no_text_even_at_debug_level(tmp_path: Path) -> None:
    async with collector() as sink:
        await _ask_a_process(tmp_path, sink)
    assert len(sink.named("POST /v1/chat/completions")) == 6
    for body in sink.bodies:
        assert MARK.encode() not in body


async def _ask_a_process(tmp_path: Path, sink: Collector) -> None:
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
        "FAIRLEAD_LOG_LEVEL": "debug",
        "OTEL_EXPORTER_OTLP_ENDPOINT": sink.url,
        "OTEL_TRACES_SAMPLER": "always_on",
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
            written = [line for line in out.read_text().splitlines() if '"requestId"' in line]
            return [line for line in written if '"component"' not in line]

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
        "traceId",
    }
    assert '"component":"fairlead.dispatch"' in out.read_text(), "debug lines were on"
