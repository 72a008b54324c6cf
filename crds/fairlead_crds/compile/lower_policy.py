"""A RoutingPolicy's intent."""

from __future__ import annotations

import hashlib
from collections import Counter
from typing import cast

import msgspec

from fairlead_contract.fragments import (
    Affinity,
    Cache,
    Canary,
    Cause,
    CircuitBreaker,
    Constraints,
    Fallback,
    HeaderMatch,
    Match,
    ModelRef,
    PolicyFragment,
    Retries,
    Strategy,
    Target,
    Timeouts,
)
from fairlead_crds.compile.declared import Declared
from fairlead_crds.compile.findings import Finding, Reason, Severity
from fairlead_crds.compile.intents import Lowered
from fairlead_crds.kinds.canary import Canary as CanarySpec
from fairlead_crds.kinds.common import CircuitBreakerOverride, TimeoutsOverride
from fairlead_crds.kinds.common import Constraints as ConstraintsSpec
from fairlead_crds.kinds.common import ModelRef as ModelRefSpec
from fairlead_crds.kinds.match import HeaderMatch as HeaderMatchSpec
from fairlead_crds.kinds.match import Match as MatchSpec
from fairlead_crds.kinds.routing_policy import Retries as RetriesSpec
from fairlead_crds.kinds.routing_policy import RoutingPolicySpec

_CANONICAL = msgspec.json.Encoder(order="sorted")


def lower_policy(declared: Declared, spec: RoutingPolicySpec) -> Lowered:
    """The policy, or the errors that keep it out."""
    repeated = _repeated_header(spec.match)
    if repeated is not None:
        finding = Finding(
            *declared.key,
            "spec.match.headers",
            Severity.ERROR,
            Reason.INVALID,
            f"header {repeated} has more than one condition, since case does not matter: keep one",
        )
        return Lowered(findings=(finding,))
    namespace = declared.key.namespace
    intent = PolicyFragment(
        namespace=namespace,
        name=declared.key.name,
        uid=declared.uid,
        generation=declared.generation,
        created_at=declared.created_at,
        precedence=spec.precedence.value,
        priority=spec.priority,
        match=_match(spec.match),
        strategy=cast("Strategy", spec.strategy.value),
        targets=tuple(
            Target(target.name, model_ref(target.model_ref, namespace), target.weight, target.fallback_order)
            for target in spec.targets
        ),
        fallbacks=tuple(
            Fallback(_causes([cause.value for cause in item.on]), model_ref(item.model_ref, namespace))
            for item in spec.fallbacks
        ),
        canary=_canary(spec.canary, namespace),
        affinity=None if spec.affinity is None else Affinity(spec.affinity.unit.value, spec.affinity.ttl_seconds),
        constraints=lower_constraints(spec.constraints),
        retries=_retries(spec.retries or RetriesSpec()),
        timeouts=Timeouts(**(spec.timeouts or TimeoutsOverride()).model_dump()),
        circuit_breaker=CircuitBreaker(**(spec.circuit_breaker or CircuitBreakerOverride()).model_dump()),
        cache=None if spec.cache is None else Cache(spec.cache.ttl_seconds),
    )
    return Lowered(intent=intent)


def model_ref(spec: ModelRefSpec, namespace: str) -> ModelRef:
    """The model named, in ``namespace`` unless the reference says otherwise."""
    return ModelRef(spec.provider_ref.namespace or namespace, spec.provider_ref.name, spec.model)


def lower_constraints(spec: ConstraintsSpec | None, compliance: tuple[str, ...] = ()) -> Constraints:
    """The hard constraints, with further ``compliance`` merged in."""
    if spec is None:
        return Constraints(compliance=tuple(sorted(compliance)))
    return Constraints(
        required_capabilities=tuple(sorted(capability.value for capability in spec.required_capabilities)),
        compliance=tuple(sorted({*spec.compliance, *compliance})),
        regions=tuple(sorted(spec.regions)),
        max_cost_micro_usd=None if spec.max_cost_usd is None else spec.max_cost_usd.micros,
        max_price=None
        if spec.max_cost_per_token_usd is None
        else spec.max_cost_per_token_usd.micros_per_million_tokens,
        max_latency_milliseconds=spec.max_latency_milliseconds,
        min_success_ppm=None if spec.min_success_percent is None else spec.min_success_percent.parts_per_million,
    )


def _repeated_header(spec: MatchSpec) -> str | None:
    counts = Counter(header.name.lower() for header in spec.headers)
    return min((name for name, count in counts.items() if count > 1), default=None)


def _match(spec: MatchSpec) -> Match:
    length = spec.content_length_characters
    return Match(
        models=tuple(sorted(spec.models)),
        workspaces=tuple(sorted(spec.workspaces)),
        agent_types=tuple(sorted(spec.agent_types)),
        request_types=tuple(sorted(item.value for item in spec.request_types)),
        categories=tuple(sorted(spec.categories)),
        difficulties=tuple(sorted(item.value for item in spec.difficulties)),
        languages=tuple(sorted(spec.languages)),
        certainty=None if spec.certainty is None else spec.certainty.value,
        user_tiers=tuple(sorted(spec.user_tiers)),
        min_characters=None if length is None else length.min,
        max_characters=None if length is None else length.max,
        headers=tuple(sorted((_header(header) for header in spec.headers), key=lambda header: header.name)),
    )


def _header(spec: HeaderMatchSpec) -> HeaderMatch:
    return HeaderMatch(spec.name.lower(), spec.exact, spec.prefix, spec.present)


def _causes(values: list[str]) -> tuple[Cause, ...]:
    return cast("tuple[Cause, ...]", tuple(sorted(values)))


def _retries(spec: RetriesSpec) -> Retries:
    return Retries(
        attempts=spec.attempts,
        per_attempt_seconds=spec.per_attempt_seconds,
        total_seconds=spec.total_seconds,
        retry_on=tuple(sorted(cause.value for cause in spec.retry_on)),
    )


def _canary(spec: CanarySpec | None, namespace: str) -> Canary | None:
    if spec is None or spec.model_ref is None:
        return None
    return Canary(model_ref(spec.model_ref, namespace), spec.weight_percent, spec.unit.value, _spec_hash(spec))


def _spec_hash(spec: CanarySpec) -> str:
    """Of what differs from the defaults, so that a field added to the kind later does not restart every canary."""
    block = spec.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    return hashlib.sha256(_CANONICAL.encode(block)).hexdigest()[:16]
