"""ModelProvider: an upstream that serves models, how to reach it, what its models cost and can do."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from fairlead_crds.kinds.common import Choice, CircuitBreaker, Model, ObjectKeyRef, Timeouts
from fairlead_crds.kinds.conditions import Status
from fairlead_crds.kinds.endpoint import Endpoint, EndpointRole, Header, HealthCheck, Tls
from fairlead_crds.kinds.meta import ObjectMeta
from fairlead_crds.kinds.model_entry import ModelDefaults, ModelEntry, ModelState, ModelType, Price
from fairlead_crds.kinds.namespaces import (
    AllowedNamespaces,
    LabelRequirement,
    LabelSelector,
    NamespacesFrom,
    SelectorOperator,
)
from fairlead_crds.kinds.rules import ListMap, Rule
from fairlead_crds.kinds.scalars import API_VERSION, CLOUD_REGION, ROLE_ARN, DnsLabel, Statistic

__all__ = [
    "AllowedNamespaces",
    "AzureOpenAI",
    "Bedrock",
    "BreakerState",
    "Credentials",
    "Endpoint",
    "EndpointRole",
    "EndpointState",
    "EndpointStatus",
    "Header",
    "HealthCheck",
    "LabelRequirement",
    "LabelSelector",
    "ModelDefaults",
    "ModelEntry",
    "ModelProvider",
    "ModelProviderSpec",
    "ModelProviderStatus",
    "ModelState",
    "ModelType",
    "NamespacesFrom",
    "Price",
    "ProviderLimits",
    "ProviderType",
    "SelectorOperator",
    "Simulated",
    "Tls",
]


class ProviderType(Choice):
    """Which protocol the upstream speaks."""

    OPENAI = "OpenAI"
    AZURE_OPENAI = "AzureOpenAI"
    ANTHROPIC = "Anthropic"
    GEMINI = "Gemini"
    BEDROCK = "Bedrock"
    OPENAI_COMPATIBLE = "OpenAICompatible"
    SIMULATED = "Simulated"


class AzureOpenAI(Model):
    """Settings of type AzureOpenAI."""

    api_version: Annotated[str, StringConstraints(min_length=10, max_length=32, pattern=API_VERSION)] = Field(
        "2024-10-21", description="Value of the api-version query parameter of every call."
    )


class Bedrock(Model):
    """Settings of type Bedrock."""

    region: Annotated[str, StringConstraints(min_length=6, max_length=32, pattern=CLOUD_REGION)] = Field(
        description="AWS region whose Bedrock runtime is called."
    )
    role_arn: Annotated[str, StringConstraints(min_length=20, max_length=256, pattern=ROLE_ARN)] | None = Field(
        None, description="IAM role to assume before signing. Absent: the router's own identity."
    )


class Simulated(Model):
    """Settings of type Simulated, which answers by itself and needs neither network nor key."""

    first_byte_milliseconds: int = Field(50, ge=0, le=600000, description="Milliseconds until the first byte.")
    per_token_milliseconds: int = Field(5, ge=0, le=60000, description="Milliseconds between two tokens.")
    error_percent: int = Field(
        0, ge=0, le=100, description="Share of requests in percent that fail with a server error."
    )
    output_tokens: int = Field(
        120, ge=1, le=1000000, description="Tokens of an answer, unless the request allows fewer."
    )
    seed: int = Field(
        1, ge=0, le=2147483647, description="Seed of what is drawn; the same seed gives the same answers."
    )


class Credentials(Model):
    """What the router identifies with at the provider."""

    secret_ref: ObjectKeyRef = Field(
        description="Key of a Secret with the API key. The Secret must carry the label fairlead.dev/credentials: "
        "provider; its "
        "annotation fairlead.dev/allowed-hosts, if present, limits where the key may be sent."
    )


class ProviderLimits(Model):
    """What the provider grants, over all routers together."""

    requests_per_minute: int | None = Field(None, ge=1, le=100000000, description="Requests per minute.")
    tokens_per_minute: int | None = Field(
        None, ge=1, le=1000000000000, description="Input and output tokens per minute."
    )
    max_concurrent_requests: int | None = Field(None, ge=1, le=1000000, description="Requests in flight at once.")


def _member_rule(block: str, field: str, provider_type: ProviderType) -> Rule:
    def check(spec: Any) -> bool:
        return getattr(spec, field) is None or spec.type is provider_type

    return Rule(
        cel=f"!has(self.{block}) || self.type == '{provider_type}'",
        message=f"{block} goes with type {provider_type} only: change type or remove {block}",
        check=check,
        field=block,
    )


class ModelProviderSpec(Model):
    """What the provider is and what it serves."""

    type: ProviderType = Field(
        description="Which protocol the upstream speaks; Simulated answers by itself, without network or key."
    )
    azure_openai: AzureOpenAI | None = Field(None, description="Settings of type AzureOpenAI.")
    bedrock: Bedrock | None = Field(None, description="Settings of type Bedrock, required by it.")
    simulated: Simulated | None = Field(None, description="Settings of type Simulated.")
    endpoints: Annotated[tuple[Endpoint, ...], ListMap(max=16)] = Field(
        (), description="Addresses of the provider. Required except by Bedrock and Simulated."
    )
    credentials: Credentials | None = Field(
        None, description="What the router identifies with. Absent: no credential is sent."
    )
    models: Annotated[tuple[ModelEntry, ...], ListMap(min=1, max=100)] = Field(
        description="The models the provider serves."
    )
    limits: ProviderLimits | None = Field(
        None, description="What the provider grants; beyond it the router chooses another model."
    )
    timeouts: Timeouts | None = Field(None, description="How long to wait. Absent: the defaults of the block's fields.")
    circuit_breaker: CircuitBreaker | None = Field(
        None, description="When to stop sending. Absent: the defaults of the block's fields."
    )
    allowed_namespaces: AllowedNamespaces | None = Field(
        None, description="Who may refer to the models. Absent: the provider's own namespace."
    )

    rules = (
        _member_rule("azureOpenAI", "azure_openai", ProviderType.AZURE_OPENAI),
        _member_rule("bedrock", "bedrock", ProviderType.BEDROCK),
        _member_rule("simulated", "simulated", ProviderType.SIMULATED),
        Rule(
            cel="self.type != 'Bedrock' || has(self.bedrock)",
            message="type Bedrock needs the block bedrock with its region: add it",
            check=lambda s: s.type is not ProviderType.BEDROCK or s.bedrock is not None,
            field="bedrock",
        ),
        Rule(
            cel="self.type in ['Bedrock', 'Simulated'] || (has(self.endpoints) && size(self.endpoints) > 0)",
            message="this type needs at least one endpoint: add one under endpoints",
            check=lambda s: s.type in (ProviderType.BEDROCK, ProviderType.SIMULATED) or bool(s.endpoints),
            field="endpoints",
        ),
        Rule(
            cel="!has(self.endpoints) || size(self.endpoints) == 0 || self.endpoints.exists(e, e.role == 'Primary')",
            message="at least one endpoint must have role Primary: change a role",
            check=lambda s: not s.endpoints or any(e.role is EndpointRole.PRIMARY for e in s.endpoints),
            field="endpoints",
        ),
    )


class EndpointState(Choice):
    """How an endpoint fares."""

    HEALTHY = "Healthy"
    DEGRADED = "Degraded"
    UNHEALTHY = "Unhealthy"
    UNKNOWN = "Unknown"


class BreakerState(Choice):
    """Whether requests pass."""

    CLOSED = "Closed"
    OPEN = "Open"
    HALF_OPEN = "HalfOpen"


class EndpointStatus(Model):
    """One endpoint as the routers see it together."""

    name: DnsLabel = Field(description="Name of the endpoint in spec.")
    state: EndpointState = Field(
        EndpointState.UNKNOWN,
        description="The worst any router says; Unknown before a request or check, or if none answers.",
    )
    score_percent: int | None = Field(
        None, ge=0, le=100, description="Health score in percent: the lowest of all routers."
    )
    breaker: BreakerState = Field(BreakerState.CLOSED, description="The worst breaker of the endpoint's models.")
    latency_p50_milliseconds: int | None = Field(
        None,
        ge=0,
        le=86400000,
        description="Median time to the complete answer in milliseconds, renewed as it changes.",
    )
    error_percent: Statistic | None = Field(
        None, description="Share of failed requests in percent, as a decimal string, renewed as it changes."
    )


class ModelProviderStatus(Status):
    """What became of the provider."""

    endpoints: Annotated[tuple[EndpointStatus, ...], ListMap(max=16)] = Field(
        (), description="The endpoints as the routers see them."
    )
    model_count: int | None = Field(None, ge=0, le=100, description="Models in force.")
    used_by_policies: int | None = Field(
        None, ge=0, le=1000000, description="Policies that name a model of this provider."
    )


class ModelProvider(Model):
    """An upstream that serves models: how to reach it, what its models cost and can do, and who may use them."""

    api_version: Literal["fairlead.dev/v1alpha1"]
    kind: Literal["ModelProvider"]
    metadata: ObjectMeta
    spec: ModelProviderSpec
