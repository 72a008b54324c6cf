"""ModelEntry: one model of a provider, what it can do and what it costs."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from fairlead_crds.kinds.common import Capability, Choice, Model, in_order
from fairlead_crds.kinds.rules import ListMap, ListSet, Rule
from fairlead_crds.kinds.scalars import (
    EPOCH,
    USD,
    DisplayName,
    Instant,
    ModelName,
    Temperature,
    Token,
    UpstreamName,
)


class ModelType(Choice):
    """Which kind of call a model answers."""

    CHAT = "Chat"
    COMPLETION = "Completion"
    EMBEDDING = "Embedding"


class ModelState(Choice):
    """Whether a model may be chosen."""

    ACTIVE = "Active"
    INACTIVE = "Inactive"
    DEPRECATED = "Deprecated"


class Price(Model):
    """Prices from an instant on, in US dollars as decimal strings."""

    effective_time: Instant = Field(EPOCH, description="From when the prices hold. The default means always.")
    input_usd_per_million_tokens: USD = Field(description="US dollars per million input tokens.")
    output_usd_per_million_tokens: USD = Field(description="US dollars per million output tokens, reasoning included.")
    cached_input_usd_per_million_tokens: USD | None = Field(
        None,
        description="US dollars per million input tokens read from the provider's prompt cache. Absent: as any input.",
    )
    cache_write_usd_per_million_tokens: USD | None = Field(
        None,
        description="US dollars per million input tokens written to the provider's prompt cache. Absent: as any input.",
    )
    per_request_usd: USD = Field(USD("0"), description="US dollars per request, on top of tokens.")


class ModelDefaults(Model):
    """Parameters set when a request leaves them out."""

    temperature: Temperature | None = Field(
        None, description='Sampling temperature from "0" to "2", as a decimal string.'
    )
    max_output_tokens: int | None = Field(
        None, ge=1, le=10000000, description="Output limit in tokens for requests without one."
    )


class Quality(Model):
    """A prior belief about how well a model answers one category."""

    category: Token = Field(description="Category as the classifier names it.")
    score_percent: int = Field(ge=0, le=100, description="Expected quality in percent until evidence replaces it.")


class ModelEntry(Model):
    """One model the provider serves."""

    name: ModelName = Field(description="What clients and policies say; unique in the provider.")
    display_name: DisplayName | None = Field(None, description="Name shown to people. Absent: name.")
    version: UpstreamName | None = Field(None, description="Name sent to the upstream. Absent: name.")
    type: ModelType = Field(ModelType.CHAT, description="Which calls the model answers.")
    capabilities: Annotated[tuple[Capability, ...], ListSet(max=16)] = Field(
        (), description="What the model can do; compared with requiredCapabilities."
    )
    context_window_tokens: int | None = Field(
        None, ge=1, le=100000000, description="Tokens of input and output together. Absent: not checked before sending."
    )
    max_output_tokens: int | None = Field(
        None,
        ge=1,
        le=10000000,
        description="Most tokens one answer may have; also the upper bound for reserving budget.",
    )
    prices: Annotated[tuple[Price, ...], ListMap(max=64, keys=("effectiveTime",))] = Field(
        (),
        description="The newest whose effectiveTime has passed counts; history is never re-priced. Empty: the cost is "
        "unknown and counts as zero.",
    )
    defaults: ModelDefaults | None = Field(None, description="Parameters set when a request leaves them out.")
    quality: Annotated[tuple[Quality, ...], ListMap(max=64, keys=("category",))] = Field(
        (), description="Prior quality by category; learned values replace it as evidence grows."
    )
    compliance: Annotated[tuple[Token, ...], ListSet(max=32)] = Field(
        (), description="Regimes the model may be used under, such as GDPR, HIPAA, CCPA."
    )
    tags: Annotated[tuple[Token, ...], ListSet(max=32)] = Field((), description="Free words for people and dashboards.")
    state: ModelState = Field(
        ModelState.ACTIVE,
        description="Inactive is never chosen; Deprecated serves and is reported wherever a policy names it.",
    )

    rules = (
        Rule(
            cel="self.name != 'auto'",
            message="the name auto asks the router to choose and cannot be a model: pick another name",
            check=lambda m: m.name != "auto",
            field="name",
        ),
        Rule(
            cel="!has(self.maxOutputTokens) || !has(self.contextWindowTokens) || self.maxOutputTokens <= "
            "self.contextWindowTokens",
            message="maxOutputTokens must not exceed contextWindowTokens: the window holds input and output",
            check=lambda m: in_order(m.max_output_tokens, m.context_window_tokens),
        ),
        Rule(
            cel="!has(self.maxOutputTokens) || !has(self.defaults) || !has(self.defaults.maxOutputTokens)"
            " || self.defaults.maxOutputTokens <= self.maxOutputTokens",
            message="defaults.maxOutputTokens must not exceed maxOutputTokens: lower the default",
            check=lambda m: m.defaults is None or in_order(m.defaults.max_output_tokens, m.max_output_tokens),
            field="defaults",
        ),
    )
