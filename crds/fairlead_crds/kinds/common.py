"""The base of every model and the blocks that more than one kind uses."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from functools import cache
from itertools import pairwise
from typing import Annotated, Any, ClassVar, Self, cast

from pydantic import BaseModel, ConfigDict, Field, GetCoreSchemaHandler, GetJsonSchemaHandler, model_validator
from pydantic_core import CoreSchema

from fairlead_crds.kinds.rules import ListSet, Rule, enforce
from fairlead_crds.kinds.scalars import USD, DataKey, DnsLabel, DnsName, ModelName, PercentString, Token, TokenUSD

_WORDS = {"usd": "USD", "arn": "ARN", "openai": "OpenAI"}


def json_name(python_name: str) -> str:
    """`input_usd_per_million_tokens` → `inputUSDPerMillionTokens`.

    A trailing underscore only avoids a Python keyword.
    """
    first, *rest = python_name.rstrip("_").split("_")
    return first + "".join(_WORDS.get(word, word.capitalize()) for word in rest)


class Choice(StrEnum):
    """An enum of a kind; plain text is accepted although everything else is strict."""

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        schema: dict[str, Any] = dict(handler(source))
        if schema["type"] == "enum":
            schema["strict"] = False
        return cast(CoreSchema, schema)


class Model(BaseModel):
    """Frozen, strict, camelCase outside and snake_case inside, nothing unknown accepted."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        alias_generator=json_name,
        populate_by_name=True,
        defer_build=True,
        hide_input_in_errors=True,
    )

    rules: ClassVar[tuple[Rule, ...]] = ()

    @model_validator(mode="before")
    @classmethod
    def _null_is_absent(cls, data: Any) -> Any:
        """The API server drops nulls of known fields before it validates; files must mean the same."""
        if not isinstance(data, Mapping):
            return data
        known = _python_names(cls)
        return {key: value for key, value in data.items() if value is not None or key not in known}

    @model_validator(mode="after")
    def _keep_rules(self) -> Self:
        enforce(type(self).__name__, self.rules, self)
        return self

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        published = handler.resolve_ref_schema(handler(schema))
        if cls.rules:
            published["x-kubernetes-validations"] = [rule.published() for rule in cls.rules]
        return published

    def values_of(self, json_names: tuple[str, ...]) -> tuple[Any, ...]:
        """The values of some fields by their JSON names."""
        by_alias = _python_names(type(self))
        return tuple(getattr(self, by_alias[name]) for name in json_names)

    def given(self, python_name: str) -> bool:
        """Whether the field was written, rather than defaulted."""
        return python_name in self.model_fields_set


@cache
def _python_names(model: type[Model]) -> dict[str, str]:
    return {json_name(name): name for name in model.model_fields}


def in_order(*values: Any) -> bool:
    """Whether the values that are present never fall from left to right."""
    present = [value for value in values if value is not None]
    return all(left <= right for left, right in pairwise(present))


def how_many(*values: object) -> int:
    """How many of the values are present."""
    return sum(value is not None for value in values)


class Capability(Choice):
    """What a model can do."""

    TEXT_GENERATION = "TextGeneration"
    TOOLS = "Tools"
    VISION = "Vision"
    JSON_MODE = "JSONMode"
    STREAMING = "Streaming"
    REASONING = "Reasoning"
    EMBEDDINGS = "Embeddings"


class Unit(Choice):
    """What keeps falling on the same side of a split."""

    USER = "User"
    SESSION = "Session"
    REQUEST = "Request"
    WORKSPACE = "Workspace"


class LocalObjectRef(Model):
    """Another object in the same namespace."""

    name: DnsName = Field(description="Name of the object, in the namespace of the object that refers to it.")


class ObjectKeyRef(Model):
    """One key of a Secret or ConfigMap in the same namespace."""

    name: DnsName = Field(
        description="Name of the Secret or ConfigMap, in the namespace of the object that refers to it."
    )
    key: DataKey = Field(description="Key inside its data.")


class ProviderRef(Model):
    """A ModelProvider, possibly elsewhere."""

    name: DnsName = Field(description="Name of the ModelProvider.")
    namespace: DnsLabel | None = Field(
        None,
        description="Namespace of the ModelProvider. Absent: the namespace of the object that refers to it. "
        "A provider elsewhere must allow this namespace in its allowedNamespaces.",
    )


class ModelRef(Model):
    """One model of one provider."""

    provider_ref: ProviderRef = Field(description="The ModelProvider that serves the model.")
    model: ModelName = Field(
        description="The model's name as the ModelProvider lists it in spec.models, not the upstream version."
    )


class Timeouts(Model):
    """How long to wait for an upstream, in seconds."""

    connect_seconds: int = Field(
        2, ge=1, le=60, description="Seconds to resolve, connect and finish the TLS handshake."
    )
    first_byte_seconds: int = Field(
        20,
        ge=1,
        le=3600,
        description="Seconds from the request sent to the first event of a streamed answer; until then another model "
        "may still be tried. An answer that is not streamed is bounded by totalSeconds alone.",
    )
    idle_seconds: int = Field(
        30, ge=1, le=3600, description="Seconds a stream may stay silent between two chunks before it counts as cut."
    )
    total_seconds: int = Field(
        120, ge=1, le=86400, description="Seconds one attempt may take from connect to the last byte."
    )

    rules = (
        Rule(
            cel="self.connectSeconds <= self.totalSeconds && self.firstByteSeconds <= self.totalSeconds",
            message="connectSeconds and firstByteSeconds must not exceed totalSeconds: lower them or raise "
            "totalSeconds (defaults 2, 20 and 120)",
            check=lambda t: max(t.connect_seconds, t.first_byte_seconds) <= t.total_seconds,
        ),
    )


class TimeoutsOverride(Model):
    """Timeouts of the provider, replaced one by one."""

    connect_seconds: int | None = Field(None, ge=1, le=60, description="Replaces the provider's connectSeconds.")
    first_byte_seconds: int | None = Field(None, ge=1, le=3600, description="Replaces the provider's firstByteSeconds.")
    idle_seconds: int | None = Field(None, ge=1, le=3600, description="Replaces the provider's idleSeconds.")
    total_seconds: int | None = Field(None, ge=1, le=86400, description="Replaces the provider's totalSeconds.")

    rules = (
        Rule(
            cel="!has(self.totalSeconds) || ((!has(self.connectSeconds) || self.connectSeconds <= self.totalSeconds)"
            " && (!has(self.firstByteSeconds) || self.firstByteSeconds <= self.totalSeconds))",
            message="connectSeconds and firstByteSeconds must not exceed totalSeconds: lower them or raise "
            "totalSeconds",
            check=lambda t: (
                in_order(t.connect_seconds, t.total_seconds) and in_order(t.first_byte_seconds, t.total_seconds)
            ),
        ),
    )


class CircuitBreaker(Model):
    """When to stop sending to one (provider, endpoint, model) and how to come back."""

    window_seconds: int = Field(
        60, ge=1, le=3600, description="Length in seconds of the sliding window that failures are counted in."
    )
    min_requests: int = Field(
        10, ge=1, le=100000, description="Requests the window must hold before failurePercent is judged."
    )
    failure_percent: int = Field(
        50, ge=1, le=100, description="Share of failed requests in the window, in percent, that opens the breaker."
    )
    consecutive_failures: int = Field(
        5, ge=1, le=1000, description="Failures in a row that open the breaker whatever the share."
    )
    open_seconds: int = Field(
        10, ge=1, le=3600, description="Seconds the breaker first stays open; doubled each time a probe fails."
    )
    max_open_seconds: int = Field(120, ge=1, le=86400, description="Upper bound in seconds of that doubling.")
    half_open_requests: int = Field(
        1, ge=1, le=100, description="Probes let through at once after openSeconds; one success closes the breaker."
    )

    rules = (
        Rule(
            cel="self.openSeconds <= self.maxOpenSeconds",
            message="openSeconds must not exceed maxOpenSeconds: lower openSeconds or raise maxOpenSeconds "
            "(defaults 10 and 120)",
            check=lambda b: b.open_seconds <= b.max_open_seconds,
        ),
    )


class CircuitBreakerOverride(Model):
    """Circuit breaker of the provider, replaced setting by setting."""

    window_seconds: int | None = Field(None, ge=1, le=3600, description="Replaces the provider's windowSeconds.")
    min_requests: int | None = Field(None, ge=1, le=100000, description="Replaces the provider's minRequests.")
    failure_percent: int | None = Field(None, ge=1, le=100, description="Replaces the provider's failurePercent.")
    consecutive_failures: int | None = Field(
        None, ge=1, le=1000, description="Replaces the provider's consecutiveFailures."
    )
    open_seconds: int | None = Field(None, ge=1, le=3600, description="Replaces the provider's openSeconds.")
    max_open_seconds: int | None = Field(None, ge=1, le=86400, description="Replaces the provider's maxOpenSeconds.")
    half_open_requests: int | None = Field(None, ge=1, le=100, description="Replaces the provider's halfOpenRequests.")

    rules = (
        Rule(
            cel="!has(self.openSeconds) || !has(self.maxOpenSeconds) || self.openSeconds <= self.maxOpenSeconds",
            message="openSeconds must not exceed maxOpenSeconds: lower openSeconds or raise maxOpenSeconds",
            check=lambda b: in_order(b.open_seconds, b.max_open_seconds),
        ),
    )


class Constraints(Model):
    """Limits a model must meet to be chosen for a request.

    All are hard: the tightest of all layers holds and no fallback relaxes it. What was not measured yet, such as the
    latency of a new model, excludes nobody.
    """

    max_cost_usd: USD | None = Field(
        None,
        description='Most one request may cost in US dollars, as a decimal string such as "0.05", by the upper '
        "bound known before it is sent.",
    )
    max_cost_per_token_usd: TokenUSD | None = Field(
        None,
        description='Most one token may cost in US dollars, as a decimal string such as "0.00001"; compared with '
        "the dearer of input and output price.",
    )
    max_latency_milliseconds: int | None = Field(
        None, ge=1, le=3600000, description="Longest expected time in milliseconds to the complete answer."
    )
    min_success_percent: PercentString | None = Field(
        None, description='Lowest expected share of successful requests, as a decimal string such as "99.5".'
    )
    min_quality_percent: int | None = Field(
        None, ge=0, le=100, description="Lowest expected quality score in percent for the request's category."
    )
    required_capabilities: Annotated[tuple[Capability, ...], ListSet(max=16)] = Field(
        (), description="Capabilities the model must list, all of them. Hard."
    )
    compliance: Annotated[tuple[Token, ...], ListSet(max=32)] = Field(
        (), description="Compliance regimes the model must list, all of them, such as GDPR. Hard."
    )
    regions: Annotated[tuple[Token, ...], ListSet(max=32)] = Field(
        (),
        description="Regions the request may be sent to; an endpoint without a region does not qualify. Empty: "
        "anywhere. Hard.",
    )
