"""A router under test: started in this process, asked over real HTTP."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import aiohttp
import jsonschema
from prometheus_client.parser import text_string_to_metric_families

from fairlead_contract.fragments import AnyFragment
from fairlead_contract.snapshot import Credentials
from fairlead_router.server import RunningRouter, running_router
from fairlead_router.settings import Settings, networks
from tests.router_e2e.world import sealed

_SCHEMA = json.loads((Path(__file__).parents[2] / "docs/schemas/decision-record.v1.json").read_text())
_VALIDATOR = jsonschema.Draft202012Validator(_SCHEMA)


def on_serving() -> None:
    """Called when a router under test has started; replaced by a fixture."""


def on_stopping() -> None:
    """Called before it stops."""


HELLO = [{"role": "user", "content": "hi"}]


async def eventually(condition: Callable[[], bool | Awaitable[bool]], what: str, seconds: float = 10) -> None:
    """Wait until ``condition`` holds; fails with ``what`` when it does not come true."""
    deadline = time.monotonic() + seconds
    while True:
        result = condition()
        if result is True or (not isinstance(result, bool) and await result):
            return
        assert time.monotonic() < deadline, f"never came true: {what}"
        await asyncio.sleep(0.005)


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole answer of the router."""

    status: int
    headers: Any
    body: bytes

    @property
    def json(self) -> Any:
        """The body, parsed."""
        return json.loads(self.body)

    @property
    def decision(self) -> str:
        """The decision's id."""
        return str(self.headers["x-fairlead-decision"])

    @property
    def error_code(self) -> str | None:
        """``error.code``, after checking that the error has OpenAI's shape."""
        error = self.json["error"]
        assert error.keys() == {"message", "type", "param", "code"}, error
        assert isinstance(error["message"], str), error
        assert isinstance(error["type"], str), error
        return None if error["code"] is None else str(error["code"])

    @property
    def events(self) -> list[bytes]:
        """The data of every event of a streamed answer."""
        assert self.body.endswith(b"\n\n"), self.body[-80:]
        blocks = self.body.replace(b"\r\n", b"\n").split(b"\n\n")
        return [block[6:] for block in blocks if block.startswith(b"data: ")]

    @property
    def text(self) -> str:
        """The words of a streamed answer."""
        chunks = [json.loads(data) for data in self.events if data != b"[DONE]"]
        choices = [choice for chunk in chunks for choice in chunk.get("choices", [])]
        return "".join(choice["delta"].get("content") or "" for choice in choices)


class Harness:
    """Talks to one running router."""

    def __init__(self, running: RunningRouter, session: aiohttp.ClientSession) -> None:
        self.running = running
        self.session = session
        self.url = f"http://127.0.0.1:{running.port}"
        self.admin = f"http://127.0.0.1:{running.admin_port}"
        self._revision = 0

    @property
    def in_flight(self) -> int:
        """Requests being served now."""
        return self.running.context.pipeline.admission.in_flight

    @property
    def body_bytes(self) -> int:
        """Bytes of request bodies that are held now."""
        return self.running.context.pipeline.admission.buffers.held

    async def offer(self, *fragments: AnyFragment, credentials: Credentials | None = None) -> bool:
        """Offer the next revision."""
        self._revision += 1
        snapshot = sealed(*fragments, revision=self._revision)
        return await self.running.receiver.offer(snapshot, credentials or Credentials(), source="test")

    async def load(self, *fragments: AnyFragment, credentials: Credentials | None = None) -> None:
        """Offer the next revision, which must be taken."""
        assert await self.offer(*fragments, credentials=credentials), self.running.receiver.rejected

    async def request(
        self, method: str, path: str, *, data: Any = None, headers: dict[str, str] | None = None, admin: bool = False
    ) -> Reply:
        """One request, its answer read whole."""
        base = self.admin if admin else self.url
        async with self.session.request(method, base + path, data=data, headers=headers) as response:
            return Reply(response.status, response.headers, await response.read())

    async def post(self, body: bytes, **headers: str) -> Reply:
        """A chat request of these very bytes."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.request(
            "POST",
            "/v1/chat/completions",
            data=BytesIO(body) if body and len(body) > 1 << 20 else body,
            headers={"Content-Type": "application/json"} | named,
        )

    async def chat(self, model: str = "auto", *, headers: dict[str, str] | None = None, **fields: Any) -> Reply:
        """A chat request; a streamed answer is read to its end too."""
        body = json.dumps({"model": model, "messages": HELLO} | fields).encode()
        return await self.post(body, **(headers or {}))

    async def record(self, decision: str | Reply) -> dict[str, Any]:
        """The decision record, once it is written, checked against the published schema."""
        wanted = decision.decision if isinstance(decision, Reply) else decision
        await eventually(lambda: self.running.context.recorder.find(wanted) is not None, f"a record of {wanted}")
        reply = await self.request("GET", f"/-/decisions/{wanted}", admin=True)
        assert reply.status == 200, reply.body
        record: dict[str, Any] = reply.json["record"]
        _VALIDATOR.validate(record)
        return record

    async def newest_record(self, count: int = 1) -> dict[str, Any]:
        """The newest record, once ``count`` records are there."""
        recorder = self.running.context.recorder
        await eventually(lambda: len(recorder.latest(count)) >= count, f"{count} records")
        return await self.record(recorder.latest(1)[0])

    async def metrics(self) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
        """All samples by name and sorted labels."""
        reply = await self.request("GET", "/metrics", admin=True)
        families = text_string_to_metric_families(reply.body.decode())
        return {
            (sample.name, tuple(sorted(sample.labels.items()))): sample.value
            for family in families
            for sample in family.samples
        }

    async def metric(self, name: str, **labels: str) -> float:
        """One sample; zero if there is none."""
        return (await self.metrics()).get((name, tuple(sorted(labels.items()))), 0.0)

    async def idle(self) -> None:
        """Wait until no request is in flight and no money is set aside."""
        await eventually(lambda: self.in_flight == 0, "no request in flight")
        store = self.running.context.pipeline._store
        await eventually(lambda: not store._reservations, "no money set aside")  # type: ignore[attr-defined]

    def breaker(self, model: str, endpoint: str = "main") -> str:
        """The state of a breaker."""
        pipeline = self.running.context.pipeline
        return pipeline.breakers.view(f"team/{model}", endpoint, pipeline.now()).state.value


def attempts(record: dict[str, Any]) -> list[tuple[str, str, str | None]]:
    """Provider and model, outcome and error of each attempt."""
    return [
        (each["model"].partition("/")[2], each["outcome"], each.get("error")) for each in record.get("attempts", [])
    ]


@asynccontextmanager
async def serving(*fragments: AnyFragment, **settings: Any) -> AsyncIterator[Harness]:
    """A router on free ports that has loaded ``fragments`` (none: it has no configuration yet)."""
    defaults: dict[str, Any] = {
        "host": "127.0.0.1",
        "port": 0,
        "admin_port": 0,
        "access_log": False,
        "allow_networks": networks("loopback"),
        "draw_key": "fixed",
        "shutdown_seconds": 1,
    }
    connector = aiohttp.TCPConnector(limit=0)
    on_stopping()  # a second router may read files when it starts
    async with (
        running_router(Settings(**(defaults | settings))) as running,
        aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=20)) as session,
    ):
        harness = Harness(running, session)
        if fragments:
            await harness.load(*fragments)
        on_serving()
        try:
            yield harness
        finally:
            on_stopping()
