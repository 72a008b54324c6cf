"""The facts of a request: all that matching, selecting and the record may know of it."""

from __future__ import annotations

from collections.abc import Mapping

from fairlead_contract.decision import Facts
from fairlead_router.config.table import Table
from fairlead_router.dialect.openai_request import ModelRequest
from fairlead_router.identify.identity import Identifier, Identity


def facts_of(
    table: Table, identifier: Identifier, identity: Identity, headers: Mapping[str, str], request: ModelRequest
) -> Facts:
    """What is known of a request, without its text; users and sessions by the keyed hashes of ``identifier``."""
    workspace = identity.workspace
    return Facts(
        workspace=workspace,
        namespace=table.tenancy.owner_of(workspace),
        agent_type=identity.agent_type,
        user_hash=identifier.hashed(workspace, identity.user),
        session_hash=identifier.hashed(workspace, identity.session),
        user_tier=identity.user_tier,
        subject=identity.subject,
        request_type=request.type,
        requested_model=request.model,
        stream=request.stream,
        content_length_characters=request.content_length_characters,
        message_count=request.message_count,
        estimated_input_tokens=request.estimated_input_tokens,
        max_output_tokens=request.max_output_tokens,
        body_bytes=len(request.body),
        generations=request.generations,
        required_capabilities=request.required_capabilities,
        max_cost_micro_usd=request.max_cost_micro_usd,
        max_latency_milliseconds=request.max_latency_milliseconds,
        header_conditions=table.index.header_conditions(headers),
    )
