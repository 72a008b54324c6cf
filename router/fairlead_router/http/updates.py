"""``POST /update``: changes declared models, for who holds a key that may. A standalone router writes its resource files.

Everywhere else the objects have another owner, and who asks is told whom to ask.
"""

from __future__ import annotations

import logging
from typing import Annotated, Protocol

import msgspec
from aiohttp import web

from fairlead_contract.updates import ModelChange, NotWritten, Written
from fairlead_router.dialect.openai_request import decode
from fairlead_router.errors import RouterError, managed_elsewhere, not_an_administrator, update_refused
from fairlead_router.http.bodies import read_body
from fairlead_router.http.callers import Caller
from fairlead_router.http.context import CONTEXT, Context
from fairlead_router.http.responses import error_response, json_response

logger = logging.getLogger("fairlead.update")

MAX_CHANGES = 100


class Updates(Protocol):
    """Whoever owns the resources of this router and may write them."""

    async def write(self, changes: tuple[ModelChange, ...]) -> Written | NotWritten:
        """All of ``changes``, or none of them. Never raises for what they say."""
        ...


class _Update(msgspec.Struct, forbid_unknown_fields=True):
    models: Annotated[tuple[ModelChange, ...], msgspec.Meta(min_length=1, max_length=MAX_CHANGES)]


_UPDATE = msgspec.json.Decoder(_Update)
_STATUS = {
    "provider_not_found": 404,
    "provider_ambiguous": 409,
    "not_editable": 409,
    "not_writable": 409,
    "invalid_resources": 422,
}


async def update(request: web.Request) -> web.Response:
    """Write, and say what changed; the running table follows a fraction of a second later."""
    context = request.app[CONTEXT]
    try:
        caller = Caller.of(context.pipeline, request.headers)
        if not caller.identity.admin:
            raise not_an_administrator(keys=caller.identity.subject is not None)
        if context.updates is None:
            raise managed_elsewhere(_source(context))
        admission = context.pipeline.admission
        body = await read_body(request, admission, seconds=context.settings.body_seconds)
        try:
            with admission.place():
                result = await context.updates.write(decode(_UPDATE, body).models)
        finally:
            admission.buffers.give_back(len(body))
        if isinstance(result, NotWritten):
            raise update_refused(_STATUS[result.code], result.code, result.message, result.param)
    except RouterError as error:
        return error_response(error)
    for each in result.changed:
        logger.info(
            "%s: model %s of %s %s in %s", caller.identity.subject, each.id, each.provider, each.change, each.file
        )
    return json_response({"changed": result.changed, "warnings": result.warnings})


def _source(context: Context) -> str:
    applied = context.pipeline.receiver.applied
    return "a snapshot" if applied is None else f"the door {applied.source!r}"
