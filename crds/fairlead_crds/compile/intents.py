"""What an object says by itself, before the world is asked: the result of lowering."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from fairlead_contract.fragments import (
    Endpoint,
    Header,
    ModelRef,
    PolicyFragment,
    ProviderFragment,
    SecretKey,
    TenancyFragment,
    WorkspaceFragment,
)
from fairlead_crds.compile.declared import ObjectKey
from fairlead_crds.compile.findings import Finding, Severity

Intent = ProviderFragment | PolicyFragment | WorkspaceFragment


@dataclass(frozen=True, slots=True)
class Arm:
    """One arm of an experiment: a model, a policy of the same namespace, or neither (a bundle)."""

    model: ModelRef | None = None
    policy: str | None = None


@dataclass(frozen=True, slots=True)
class Experiment:
    """An ABTest as far as it can be judged against other objects."""

    key: ObjectKey
    policy: str | None
    workspaces: tuple[str, ...]
    arms: tuple[Arm, ...]


@dataclass(frozen=True, slots=True)
class Lowered:
    """One object's own contribution. ``intent`` is there only if nothing is wrong with the object."""

    intent: Intent | None = None
    experiment: Experiment | None = None
    suspended: bool = False
    findings: tuple[Finding, ...] = ()

    @property
    def error(self) -> Finding | None:
        """The first reason why this generation cannot be in force."""
        if not self.findings:
            return None
        return min((item for item in self.findings if item.severity is Severity.ERROR), default=None)


def intent_of(fragment: ProviderFragment | PolicyFragment | WorkspaceFragment | TenancyFragment) -> Intent | None:
    """Take from a published fragment everything that the world of its time had added."""
    replace = msgspec.structs.replace
    match fragment:
        case ProviderFragment():
            return replace(
                fragment,
                credential=None if fragment.credential is None else _unversioned(fragment.credential),
                endpoints=tuple(_without_secrets_resolved(endpoint) for endpoint in fragment.endpoints),
                visible_namespaces=(),
                withheld=None,
            )
        case PolicyFragment():
            return replace(
                fragment,
                platform=False,
                targets=tuple(replace(target, unresolved=None) for target in fragment.targets),
                fallbacks=tuple(replace(fallback, unresolved=None) for fallback in fragment.fallbacks),
                canary=None if fragment.canary is None else replace(fragment.canary, unresolved=None),
            )
        case WorkspaceFragment():
            return fragment
        case TenancyFragment():
            return None


def _unversioned(secret: SecretKey) -> SecretKey:
    return SecretKey(secret.name, secret.key)


def _without_secrets_resolved(endpoint: Endpoint) -> Endpoint:
    headers = tuple(
        header if header.secret is None else Header(header.name, secret=_unversioned(header.secret))
        for header in endpoint.headers
    )
    return msgspec.structs.replace(endpoint, headers=headers)
