"""A simulated provider that is asked over HTTP, as a real one is. How it behaves can be changed while it runs.

It answers with the same adapter that plays providers of type ``Simulated`` inside a router, so that both give the same answers;
only here there is a network between them that can fail.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from aiohttp import web
from multidict import CIMultiDict
from pydantic import ValidationError
from yarl import URL

from fairlead_contract.fragments import Model, ModelRef, ProviderFragment
from fairlead_contract.fragments import Simulated as Behaviour
from fairlead_crds.kinds.model_provider import Simulated as BehaviourSpec
from fairlead_router.config.table import EndpointEntry, ModelEntry, ProviderEntry
from fairlead_router.dialect.openai_request import ModelRequest
from fairlead_router.dialect.operations import OPERATIONS, Operation
from fairlead_router.dispatch.providers.base import Call
from fairlead_router.dispatch.providers.simulated import Simulated
from fairlead_router.dispatch.transport.base import Answer
from fairlead_router.errors import RouterError, invalid_request, not_served
from fairlead_router.http.responses import error_response, json_response
from fairlead_router.ids import DecisionIds

MAX_BODY_BYTES = 64 * 1024 * 1024
_NO_CHOICES = b'"choices":[]'
_ENDPOINT = EndpointEntry("simulated", URL("http://simulated.invalid/"), False, 1, None, CIMultiDict())
_SERVED = "POST /v1/chat/completions, /v1/completions and /v1/embeddings, GET /v1/models, GET and POST /behaviour"


class BadBehaviour(Exception):
    """A setting that a ModelProvider could not have either; the message names it."""


def read_behaviour(said: object, before: BehaviourSpec) -> BehaviourSpec:
    """``before`` with what was said: an object with fields of ``spec.simulated``. Raises ``BadBehaviour``."""
    if not isinstance(said, dict):
        raise BadBehaviour(
            f"takes an object with fields of spec.simulated of a ModelProvider, not {type(said).__name__}"
        )
    try:
        return BehaviourSpec.model_validate({**before.model_dump(by_alias=True), **said})
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise BadBehaviour(f"{where}: {first['msg']}") from error


@dataclass(slots=True)
class Simulator:
    """What the handlers share. ``models`` is what it offers; whoever offers none answers to every name."""

    models: Sequence[str]
    behaviour: BehaviourSpec
    adapter: Simulated
    new_id: DecisionIds

    def call(self, request: ModelRequest) -> Call:
        """What the adapter takes. Raises ``RouterError`` 404 for a model that is not offered."""
        if self.models and request.model not in self.models:
            message = f"this simulated provider offers no model {request.model!r}, but {', '.join(self.models)}"
            raise RouterError(404, "invalid_request_error", "model_not_found", message, param="model")
        fragment = ProviderFragment(
            namespace="default",
            name="simulated",
            uid="",
            generation=0,
            type="Simulated",
            simulated=Behaviour(**self.behaviour.model_dump()),
        )
        entry = ModelEntry(
            key=f"default/simulated/{request.model}",
            ref=ModelRef("default", "simulated", request.model),
            model=Model(name=request.model, upstream_name=request.model),
            provider=ProviderEntry(fragment, (_ENDPOINT,)),
            capabilities=frozenset(),
            compliance=frozenset(),
        )
        return Call(request, entry, _ENDPOINT, self.new_id(), attempt=1, connect_seconds=0)


_SIMULATOR = web.AppKey("simulator", Simulator)


def make_simulator_app(
    models: Sequence[str], behaviour: BehaviourSpec, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
) -> web.Application:
    """The application, all of it on one port: it holds nothing that is worth keeping from anybody."""
    app = web.Application(client_max_size=MAX_BODY_BYTES)
    app[_SIMULATOR] = Simulator(models, behaviour, Simulated(sleep), DecisionIds())
    for operation in OPERATIONS.values():
        app.router.add_post(f"/v1/{operation.path}", _answering(operation))
    app.router.add_get("/v1/models", list_models)
    app.router.add_get("/behaviour", show_behaviour)
    app.router.add_post("/behaviour", change_behaviour)
    for path in ("/healthz", "/health/ready"):
        app.router.add_get(path, healthz)
    app.router.add_route("*", "/{path:.*}", unknown_path)
    return app


async def healthz(request: web.Request) -> web.Response:
    """The process serves HTTP, however the provider that it plays behaves."""
    return web.Response(text="ok\n")


async def list_models(request: web.Request) -> web.Response:
    """As the API of OpenAI does. Fails as often as everything else, which is what active health checks see."""
    simulator = request.app[_SIMULATOR]
    if secrets.randbelow(100) < simulator.behaviour.error_percent:
        return json_response({"error": {"message": "simulated failure", "type": "server_error"}}, 503)
    data = [{"id": name, "object": "model", "created": 0, "owned_by": "simulated"} for name in simulator.models]
    return json_response({"object": "list", "data": data})


async def show_behaviour(request: web.Request) -> web.Response:
    """How it behaves, in the words of ``spec.simulated``."""
    return json_response(request.app[_SIMULATOR].behaviour.model_dump(by_alias=True))


async def change_behaviour(request: web.Request) -> web.Response:
    """From the next request on; what is not named stays as it is."""
    simulator = request.app[_SIMULATOR]
    try:
        simulator.behaviour = read_behaviour(msgspec.json.decode(await request.read()), simulator.behaviour)
    except msgspec.DecodeError as error:
        return error_response(invalid_request(f"the request body is not valid JSON: {error}", code="invalid_json"))
    except BadBehaviour as error:
        return error_response(invalid_request(str(error)))
    return await show_behaviour(request)


async def unknown_path(request: web.Request) -> web.Response:
    """404 in the shape clients understand."""
    return error_response(not_served(request.method, request.path, _SERVED))


def _answering(operation: Operation) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def answer(request: web.Request) -> web.StreamResponse:
        simulator = request.app[_SIMULATOR]
        try:
            parsed = operation.parse(await request.read())
            call = simulator.call(parsed)
        except RouterError as error:
            return error_response(error)
        opened = await simulator.adapter.open(call)
        if opened.is_event_stream:
            return await _stream(request, opened, usage=parsed.client_wants_usage)
        body = await opened.read(MAX_BODY_BYTES)
        return web.Response(body=body, status=opened.status, content_type="application/json")

    return answer


async def _stream(request: web.Request, answer: Answer, *, usage: bool) -> web.StreamResponse:
    headers: dict[str, Any] = {"Content-Type": "text/event-stream", "Cache-Control": "no-cache"}
    response = web.StreamResponse(status=answer.status, headers=headers)
    await response.prepare(request)
    while chunk := await answer.read_chunk():
        if usage or _NO_CHOICES not in chunk:
            await response.write(chunk)
    await response.write_eof()
    return response
