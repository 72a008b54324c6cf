"""A collector: takes OTLP over HTTP as protobuf, as the specification has it, and keeps what it was sent."""

from __future__ import annotations

import gzip
import json
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import jsonschema
from aiohttp import web
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest, ExportLogsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.trace.v1.trace_pb2 import Span

PAYLOAD = "routeiq.router_decision.payload"

_EVENT_SCHEMA = Path(__file__).parents[2] / "docs/schemas/routeiq.router_decision.v1.json"
_EVENT = jsonschema.Draft202012Validator(json.loads(_EVENT_SCHEMA.read_text()))


class Collector:
    """What arrived. ``status`` is what it answers with."""

    def __init__(self) -> None:
        self.status = 200
        self.bodies: list[bytes] = []
        """Decompressed, for looking through."""
        self.headers: list[dict[str, str]] = []
        self.spans: list[Span] = []
        self.logs: list[LogRecord] = []
        self.resources: list[dict[str, Any]] = []
        self.url = ""

    @property
    def traces_endpoint(self) -> str:
        """Where spans go."""
        return f"{self.url}/v1/traces"

    @property
    def logs_endpoint(self) -> str:
        """Where log events go."""
        return f"{self.url}/v1/logs"

    def named(self, name: str) -> list[Span]:
        """Spans of that name, in the order of their beginning."""
        return sorted((each for each in self.spans if each.name == name), key=lambda each: each.start_time_unix_nano)

    def events_on_spans(self) -> list[dict[str, Any]]:
        """Payloads of decision events on spans."""
        attributes = [values(event.attributes) for span in self.spans for event in span.events]
        return [_valid(each[PAYLOAD]) for each in attributes if PAYLOAD in each]

    def events_in_logs(self) -> list[dict[str, Any]]:
        """Payloads of decision events sent as log events."""
        return [_valid(values(each.attributes)[PAYLOAD]) for each in self.logs]


def _valid(payload: str) -> dict[str, Any]:
    """A decision event; each that a test receives must be one of the published schema."""
    event: dict[str, Any] = json.loads(payload)
    _EVENT.validate(event)
    return event


def values(attributes: Iterable[KeyValue]) -> dict[str, Any]:
    """Attributes as plain values."""
    return {each.key: getattr(each.value, each.value.WhichOneof("value") or "string_value") for each in attributes}


@asynccontextmanager
async def collector() -> AsyncIterator[Collector]:
    """A collector on a free port. At its end every decision event that it was sent is checked against the schema."""
    sink = Collector()

    async def body(request: web.Request) -> bytes:
        assert request.headers["Content-Type"] == "application/x-protobuf"
        data = await request.read()
        # aiohttp has undone a Content-Encoding that it knows; one of ours would still stand.
        data = gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
        sink.headers.append(dict(request.headers))
        sink.bodies.append(data)
        return data

    async def traces(request: web.Request) -> web.Response:
        sent = ExportTraceServiceRequest.FromString(await body(request))
        if sink.status == 200:
            for resource in sent.resource_spans:
                sink.resources.append(values(resource.resource.attributes))
                sink.spans.extend(span for scope in resource.scope_spans for span in scope.spans)
        return web.Response(status=sink.status, body=ExportTraceServiceResponse().SerializeToString())

    async def logs(request: web.Request) -> web.Response:
        sent = ExportLogsServiceRequest.FromString(await body(request))
        if sink.status == 200:
            for resource in sent.resource_logs:
                sink.resources.append(values(resource.resource.attributes))
                sink.logs.extend(record for scope in resource.scope_logs for record in scope.log_records)
        return web.Response(status=sink.status, body=ExportLogsServiceResponse().SerializeToString())

    app = web.Application(client_max_size=1 << 26)
    app.router.add_post("/v1/traces", traces)
    app.router.add_post("/v1/logs", logs)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        sink.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield sink
    finally:
        await runner.cleanup()
    sink.events_on_spans()
    sink.events_in_logs()
