"""A ModelProvider's intent, and what can be said of it without looking further."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from fairlead_contract.fragments import (
    CircuitBreaker,
    Endpoint,
    Header,
    HealthCheck,
    Model,
    Price,
    ProviderFragment,
    SecretKey,
    Simulated,
    Timeouts,
)
from fairlead_crds.compile.addresses import refusal, travels_in_clear
from fairlead_crds.compile.declared import Declared
from fairlead_crds.compile.findings import Finding, Reason, Severity
from fairlead_crds.compile.intents import Lowered
from fairlead_crds.compile.selectors import Requirement, Selector, canonical
from fairlead_crds.kinds.common import CircuitBreaker as CircuitBreakerSpec
from fairlead_crds.kinds.common import Timeouts as TimeoutsSpec
from fairlead_crds.kinds.model_provider import (
    AllowedNamespaces,
    AzureOpenAI,
    EndpointRole,
    LabelSelector,
    ModelEntry,
    ModelProviderSpec,
    ModelState,
    NamespacesFrom,
    ProviderType,
)
from fairlead_crds.kinds.model_provider import Endpoint as EndpointSpec
from fairlead_crds.kinds.model_provider import Header as HeaderSpec
from fairlead_crds.kinds.model_provider import Price as PriceSpec
from fairlead_crds.kinds.model_provider import Simulated as SimulatedSpec
from fairlead_crds.kinds.scalars import epoch_seconds


def lower_provider(declared: Declared, spec: ModelProviderSpec) -> Lowered:
    """The provider, or the errors that keep it out."""
    findings = tuple(sorted(_findings(declared, spec)))
    if any(finding.severity is Severity.ERROR for finding in findings):
        return Lowered(findings=findings)
    allowed = spec.allowed_namespaces or AllowedNamespaces()
    simulated = spec.type is ProviderType.SIMULATED
    azure = spec.azure_openai or AzureOpenAI()
    intent = ProviderFragment(
        namespace=declared.key.namespace,
        name=declared.key.name,
        uid=declared.uid,
        generation=declared.generation,
        type=spec.type.value,
        endpoints=tuple(_endpoint(endpoint) for endpoint in spec.endpoints),
        models=tuple(_model(model) for model in spec.models),
        credential=None
        if spec.credentials is None
        else SecretKey(spec.credentials.secret_ref.name, spec.credentials.secret_ref.key),
        timeouts=Timeouts(**(spec.timeouts or TimeoutsSpec()).model_dump()),
        circuit_breaker=CircuitBreaker(**(spec.circuit_breaker or CircuitBreakerSpec()).model_dump()),
        simulated=Simulated(**(spec.simulated or SimulatedSpec()).model_dump()) if simulated else None,
        azure_api_version=azure.api_version,
        visible_from=allowed.from_.value,
        visible_selector=_selector(allowed.selector) if allowed.from_ is NamespacesFrom.SELECTOR else None,
    )
    return Lowered(intent=intent, findings=findings)


def _findings(declared: Declared, spec: ModelProviderSpec) -> Iterator[Finding]:
    def finding(field: str, severity: Severity, reason: Reason, message: str) -> Finding:
        return Finding(*declared.key, field, severity, reason, message)

    for position, endpoint in enumerate(spec.endpoints):
        path = f"spec.endpoints[{position}]"
        refused = refusal(endpoint.url)
        if refused is not None:
            yield finding(
                f"{path}.url",
                Severity.ERROR,
                Reason.ADDRESS_NOT_ALLOWED,
                f"{refused} and no request may go there: give the address of the model API itself",
            )
        repeated = sorted(
            name for name, count in Counter(header.name.lower() for header in endpoint.headers).items() if count > 1
        )
        if repeated:
            yield finding(
                f"{path}.headers",
                Severity.ERROR,
                Reason.INVALID,
                f"header {repeated[0]} is given more than once, since case does not matter: keep one",
            )
        secret = spec.credentials is not None or any(header.value_from is not None for header in endpoint.headers)
        if secret and refused is None and travels_in_clear(endpoint.url):
            yield finding(
                f"{path}.url",
                Severity.WARNING,
                Reason.CREDENTIAL_IN_CLEAR,
                "the credential travels unencrypted beyond this cluster: use an https:// address",
            )
    if spec.type is not ProviderType.SIMULATED:
        for position, model in enumerate(spec.models):
            if model.state is ModelState.ACTIVE and not model.prices:
                yield finding(
                    f"spec.models[{position}].prices",
                    Severity.WARNING,
                    Reason.UNKNOWN_PRICE,
                    f"{model.name} has no price, so its use counts as free in every budget: add prices",
                )


def _endpoint(spec: EndpointSpec) -> Endpoint:
    return Endpoint(
        name=spec.name,
        url=spec.url,
        backup=spec.role is EndpointRole.BACKUP,
        weight=spec.weight,
        region=spec.region,
        headers=tuple(_header(header) for header in spec.headers),
        health_check=None if spec.health_check is None else HealthCheck(**spec.health_check.model_dump()),
    )


def _header(spec: HeaderSpec) -> Header:
    if spec.value_from is None:
        return Header(spec.name.lower(), value=spec.value)
    return Header(spec.name.lower(), secret=SecretKey(spec.value_from.secret_ref.name, spec.value_from.secret_ref.key))


def _model(spec: ModelEntry) -> Model:
    temperature = None if spec.defaults is None else spec.defaults.temperature
    return Model(
        name=spec.name,
        upstream_name=spec.version or spec.name,
        type=spec.type.value,
        display_name=spec.display_name,
        capabilities=tuple(sorted(capability.value for capability in spec.capabilities)),
        context_window_tokens=spec.context_window_tokens,
        max_output_tokens=spec.max_output_tokens,
        default_temperature=None if temperature is None else float(temperature),
        default_max_output_tokens=None if spec.defaults is None else spec.defaults.max_output_tokens,
        prices=_prices(spec.prices),
        compliance=tuple(sorted(spec.compliance)),
        tags=tuple(sorted(spec.tags)),
        state=spec.state.value,
    )


def _prices(specs: Iterable[PriceSpec]) -> tuple[Price, ...]:
    prices = []
    for spec in specs:
        cached, written = spec.cached_input_usd_per_million_tokens, spec.cache_write_usd_per_million_tokens
        price = Price(
            effective_at=epoch_seconds(spec.effective_time),
            input=spec.input_usd_per_million_tokens.micros,
            output=spec.output_usd_per_million_tokens.micros,
            cached_input=None if cached is None else cached.micros,
            cache_write=None if written is None else written.micros,
            request=spec.per_request_usd.micros,
        )
        prices.append(price)
    return tuple(sorted(prices, key=lambda price: -price.effective_at))


def _selector(spec: LabelSelector | None) -> str | None:
    if spec is None:
        return None
    expressions = tuple(
        Requirement(expression.key, expression.operator.value, tuple(expression.values))
        for expression in spec.match_expressions
    )
    return canonical(Selector(dict(spec.match_labels), expressions))
