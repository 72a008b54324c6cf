"""Whom an attempt called, in OpenTelemetry's words: for labels of metrics and attributes of spans."""

from __future__ import annotations

import msgspec

from fairlead_router.config.table import ModelEntry, Table

PROVIDER_NAMES = {
    "OpenAI": "openai",
    "AzureOpenAI": "azure.ai.openai",
    "Anthropic": "anthropic",
    "Gemini": "gcp.gemini",
}
"""``gen_ai.provider.name`` by type of provider; for every other type it is the name of the ModelProvider."""

OPERATION_NAMES = {"Chat": "chat", "Completion": "text_completion", "Embedding": "embeddings"}
"""``gen_ai.operation.name`` by type of request."""

UNKNOWN = "unknown"
_MAX_KEPT = 4096


class CalledTarget(msgspec.Struct, frozen=True):
    """One endpoint of one model. Everything here was declared by somebody who may edit resources."""

    provider: str
    """``gen_ai.provider.name``."""
    model: str
    """``gen_ai.request.model``: the name under which the provider knows it."""
    address: str
    port: str


class CalledTargets:
    """Finds them in a table, and remembers each while it is declared as it was."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], tuple[ModelEntry, CalledTarget]] = {}

    def of(self, table: Table, model: str, endpoint: str) -> CalledTarget:
        """The target of an attempt on ``model`` (its key) at ``endpoint``."""
        entry = table.models.get(model)
        known = self._known.get((model, endpoint))
        if known is not None and known[0] is entry:
            return known[1]
        if entry is None:  # never in a request's own table
            return CalledTarget(UNKNOWN, UNKNOWN, "", "")
        if len(self._known) >= _MAX_KEPT:
            self._known.clear()
        target = _described(entry, endpoint)
        self._known[model, endpoint] = (entry, target)
        return target


def _described(entry: ModelEntry, endpoint: str) -> CalledTarget:
    fragment = entry.provider.fragment
    url = next((each.url for each in entry.provider.endpoints if each.name == endpoint), None)
    return CalledTarget(
        provider=PROVIDER_NAMES.get(fragment.type, fragment.name),
        model=entry.model.upstream_name,
        address="" if url is None else url.host or "",
        port="" if url is None or url.port is None else str(url.port),
    )
