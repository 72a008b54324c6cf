"""``POST /route``: which model a request would go to, or its answer. The pipeline decides both, as for any other request."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial

import msgspec
from aiohttp import web

from fairlead_router.admit.limits import Admission
from fairlead_router.config.table import PolicyEntry
from fairlead_router.dialect.route_request import ROUTE, mode_of
from fairlead_router.dispatch.course import nothing_to_try
from fairlead_router.errors import RouterError
from fairlead_router.explain.recommendation import About, Named, Ranked, first_choice, ranking
from fairlead_router.flow import Flow
from fairlead_router.http.bodies import read_body
from fairlead_router.http.callers import Caller
from fairlead_router.http.client import AiohttpClient, Headers, Reply
from fairlead_router.http.context import CONTEXT, Context
from fairlead_router.http.heads import check_head
from fairlead_router.http.inference import response_of, serve
from fairlead_router.http.responses import error_response, json_response
from fairlead_router.match.match import decided
from fairlead_router.pipeline import Pipeline

_MICRO = 1_000_000


class Recommendation(msgspec.Struct, frozen=True):
    """What is answered to ``recommend``."""

    classification: About
    recommended_model: Named
    ranking: tuple[Ranked, ...]
    policy: str


class Generated(msgspec.Struct, frozen=True, kw_only=True):
    """What is answered to ``generate``."""

    classification: About
    recommended_model: Named
    model: Named
    """The one that answered."""
    response: str | None
    """``None``: the model wrote no text."""
    finish_reason: str | None
    usage: msgspec.Raw
    """In OpenAI's words, as the provider counted; ``null`` where it did not."""
    cost_usd: float
    decision: str
    ranking: tuple[Ranked, ...]


class _Message(msgspec.Struct):
    content: str | list[msgspec.Raw] | None = None


class _Choice(msgspec.Struct):
    message: _Message | None = None
    finish_reason: str | None = None


class _Completion(msgspec.Struct):
    choices: list[_Choice]
    usage: msgspec.Raw = msgspec.Raw(b"null")


_COMPLETION = msgspec.json.Decoder(_Completion)


async def route(request: web.Request) -> web.StreamResponse:
    """Recommend, or generate."""
    context = request.app[CONTEXT]
    pipeline, admission = context.pipeline, context.pipeline.admission
    flow = pipeline.arrive()
    held: bytes | None = None
    try:
        check_head(request.headers)
        pipeline.identify(flow, request.headers)
        pipeline.expect_place(flow, request.headers)
        before = pipeline.elapsed(flow)
        held = body = await read_body(request, admission, seconds=context.settings.body_seconds)
        flow.waited = pipeline.elapsed(flow) - before
        if mode_of(body) == "generate":
            # Whoever serves gives it back, also where it is refused before it is asked for its body.
            flow.held, held = len(body), None
            return await _generate(context, request, flow, body)
        with admission.place():
            return json_response(await _recommend(pipeline, flow, request.headers, body))
    except RouterError as error:
        return error_response(error)
    finally:
        if held is not None:
            admission.buffers.give_back(len(held))


async def _recommend(pipeline: Pipeline, flow: Flow, headers: Headers, body: bytes) -> Recommendation:
    """Raises ``RouterError`` where a call would."""
    assert flow.identity is not None, "identify comes first"
    table = flow.table
    request = ROUTE.parse(body)
    facts = pipeline.facts(table, flow.identity, headers, request)
    survivors, classification = await pipeline.narrow(table, facts, ROUTE, request)
    matched = decided(table, facts, survivors)
    policy = matched if isinstance(matched, PolicyEntry) else None
    selection = await pipeline.select(table, matched, facts, flow.id)
    first = first_choice(selection)
    if first is None:
        raise nothing_to_try(selection, policy)
    if classification is None:
        classification = await pipeline.classifier.classify(ROUTE.text(request.body))
    name_of = Caller.seen(table, flow.identity).name_of
    return Recommendation(
        About.of(classification),
        Named.of(first, name_of),
        ranking(selection, table.models, name_of),
        "" if policy is None else policy.fragment.key,
    )


async def _generate(context: Context, request: web.Request, flow: Flow, body: bytes) -> web.StreamResponse:
    client = _Client(request, body, partial(_told, context.pipeline, flow))
    reply = await serve(context, client, ROUTE, flow)
    return response_of(client, None if reply is None else await client.tell(reply))


class _Client(AiohttpClient):
    """A client whose body is read already, and which hears of an answer in other words."""

    def __init__(self, request: web.Request, body: bytes, tell: Callable[[Reply], Awaitable[Reply]]) -> None:
        super().__init__(request)
        self.tell = tell
        self._body = body

    async def read_body(self, admission: Admission, *, seconds: float) -> bytes:
        """See :class:`~fairlead_router.http.client.Client`."""
        return self._body

    async def send(self, reply: Reply) -> None:
        """See :class:`~fairlead_router.http.client.Client`."""
        await super().send(await self.tell(reply))


async def _told(pipeline: Pipeline, flow: Flow, reply: Reply) -> Reply:
    """A model's answer in the words of the classification document; a refusal stays as it is."""
    if reply.status != 200:
        return reply
    job, identity = flow.job, flow.identity
    assert job is not None, "it was answered, so it was decided"
    assert identity is not None, "it was decided for somebody"
    completion = _COMPLETION.decode(reply.body)
    choice = completion.choices[0] if completion.choices else _Choice()
    content = None if choice.message is None else choice.message.content
    classification = flow.classification
    if classification is None:
        classification = await pipeline.classifier.classify(ROUTE.text(job.request.body))
    models, name_of = flow.table.models, Caller.seen(flow.table, identity).name_of
    # An answer kept earlier is given again although nobody could be called now, or its model is gone.
    model = Named.by_key(reply.headers["x-fairlead-model"], models, name_of)
    first = first_choice(job.selection)
    generated = Generated(
        classification=About.of(classification),
        recommended_model=model if first is None else Named.of(first, name_of),
        model=model,
        response=content if isinstance(content, str) else None,
        finish_reason=choice.finish_reason,
        usage=completion.usage,
        cost_usd=job.cost_micro_usd / _MICRO,
        decision=flow.id,
        ranking=ranking(job.selection, models, name_of),
    )
    return Reply(reply.status, reply.headers, msgspec.json.encode(generated), reply.close)
