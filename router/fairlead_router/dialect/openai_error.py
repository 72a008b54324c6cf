"""An error in the shape of the OpenAI API."""

from __future__ import annotations

import msgspec

from fairlead_router.errors import RouterError


class _Error(msgspec.Struct):
    message: str
    type: str
    param: str | None
    code: str | None


class _ErrorBody(msgspec.Struct):
    error: _Error


def openai_error_body(error: RouterError) -> bytes:
    """``{"error": {"message", "type", "param", "code"}}``."""
    return msgspec.json.encode(_ErrorBody(_Error(error.message, error.type, error.param, error.code)))
