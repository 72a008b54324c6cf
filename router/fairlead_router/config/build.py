"""Builds a table from a snapshot: decodes the fragments that are new, reuses the rest, links, indexes.

The work is a generator that yields between small steps, so that a caller on the event loop can let requests through in
between; nothing sees the new table before it is complete.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, field, fields
from operator import attrgetter

import msgspec
from multidict import CIMultiDict
from yarl import URL

from fairlead_contract.addresses import host_allowed, host_of
from fairlead_contract.decision import PolicyUsed, SnapshotUsed
from fairlead_contract.fragments import (
    AnyFragment,
    Endpoint,
    ModelRef,
    PolicyFragment,
    ProviderFragment,
    SecretKey,
    TenancyFragment,
    WorkspaceFragment,
)
from fairlead_contract.snapshot import Body, Credentials, Manifest, RejectReason, SnapshotRejected, decode_fragment
from fairlead_router.config.table import (
    EndpointEntry,
    FallbackEntry,
    ModelEntry,
    ModelsByName,
    PendingCredential,
    PolicyEntry,
    ProviderEntry,
    Table,
    TargetEntry,
)
from fairlead_router.match.index import PolicyIndex

CredentialKey = tuple[str, str, str, str]
"""Namespace, Secret, key in it, version."""

CREDENTIALS_PENDING = "CredentialsPending"
"""Why a reference leads nowhere while the provider that it names waits for a secret value."""

_NO_TENANCY = TenancyFragment(namespace="", name="tenancy", uid="", generation=0)

_STEP = 16
"""Entries handled between two yields: a hundred microseconds or so."""


@dataclass(slots=True)
class Reusable:
    """What the last build made, by digest, for the next one."""

    fragments: dict[str, AnyFragment] = field(default_factory=dict)
    providers: dict[str, ProviderEntry] = field(default_factory=dict)
    models: dict[str, ModelEntry] = field(default_factory=dict)
    policies: dict[str, PolicyEntry] = field(default_factory=dict)
    credentials: dict[CredentialKey, str] = field(default_factory=dict)
    digest_of_provider: dict[str, str] = field(default_factory=dict)
    """Of the fragment that the entry in ``providers`` was linked from; absent while it waits for credentials."""
    decoded: int = 0
    """How many fragments the last build did not know."""

    def parts(self) -> list[object]:
        """What it is made of, to be let go of piece by piece."""
        return [getattr(self, each.name) for each in fields(self)]


def build(
    manifest: Manifest, body: Body, credentials: Credentials, previous: Reusable
) -> Generator[None, None, tuple[Table, Reusable]]:
    """Yield between steps; return the table and what the next build may reuse.

    A provider one of whose credentials has not arrived in the version that the snapshot names stays as it was, or out of
    force if it is new: a route and its credential become active together, and nobody else waits for them.
    Raises :class:`SnapshotRejected` if a fragment is unreadable.
    """
    now = Reusable(
        credentials={entry.place: entry.value for entry in credentials.entries},
    )
    yield from _decode(body, previous, now)
    pending = yield from _link_providers(body, previous, now)
    waiting = {item.provider for item in pending}
    policies, workspaces, tenancy = yield from _link_policies(body, previous, now, waiting)
    index = yield from PolicyIndex.in_steps([policy.fragment for policy in policies])
    yield
    everywhere, by_namespace = yield from _visibility(now.models.values())
    table = Table(
        used=SnapshotUsed(epoch=manifest.epoch, revision=manifest.revision, digest=manifest.digest),
        policies=policies,
        index=index,
        models=now.models,
        providers=now.providers,
        workspaces=workspaces,
        tenancy=tenancy,
        visible_everywhere=everywhere,
        visible_from=by_namespace,
        pending=tuple(pending),
        needs_classifier=any(policy.needs_classification for policy in policies),
    )
    return table, now


def _decode(body: Body, previous: Reusable, now: Reusable) -> Iterator[None]:
    """Fill ``now.fragments``."""
    for number, entry in enumerate(body.entries):
        fragment = previous.fragments.get(entry.digest)
        if fragment is None:
            try:
                fragment = decode_fragment(entry.fragment)
            except (msgspec.MsgspecError, RecursionError) as error:
                message = f"the fragment of {entry.kind} {entry.namespace}/{entry.name} cannot be read: {error}"
                raise SnapshotRejected(RejectReason.MALFORMED, message) from error
            now.decoded += 1
        now.fragments[entry.digest] = fragment
        if number % _STEP == 0:
            yield


def _link_providers(body: Body, previous: Reusable, now: Reusable) -> Generator[None, None, list[PendingCredential]]:
    """Fill ``now.providers`` and ``now.models``; return the credentials that have not arrived."""
    pending: list[PendingCredential] = []
    for number, entry in enumerate(body.entries):
        fragment = now.fragments[entry.digest]
        if isinstance(fragment, ProviderFragment):
            provider = _provider_in_force(fragment, entry.digest, previous, now, pending)
            if provider is not None:
                now.providers[fragment.key] = provider
                _add_models(provider, previous, now)
        if number % _STEP == 0:
            yield
    return pending


def _provider_in_force(
    fragment: ProviderFragment, digest: str, previous: Reusable, now: Reusable, pending: list[PendingCredential]
) -> ProviderEntry | None:
    """The provider as ``fragment`` says, or as it was before while credentials are missing (added to ``pending``)."""
    before = previous.providers.get(fragment.key)
    missing = _missing(fragment, now.credentials)
    if missing:
        pending.extend(PendingCredential(fragment.key, each.name, each.key, each.version) for each in missing)
        return None if before is None else _held_back(before, fragment)
    now.digest_of_provider[fragment.key] = digest
    unchanged = previous.digest_of_provider.get(fragment.key) == digest
    if before is not None and unchanged and _same_credentials(fragment, previous.credentials, now.credentials):
        return before
    return _link_provider(fragment, now.credentials)


def _held_back(before: ProviderEntry, newer: ProviderFragment) -> ProviderEntry | None:
    """What stays in force of a provider until the credentials of ``newer`` arrive; ``None``: nothing.

    It stays whole, with its old models and the secret values it holds, but who may use it and where a Secret's value may
    be sent are permissions: they are as ``newer`` says.
    """
    older = before.fragment
    if older.uid != newer.uid:
        return None
    hosts = {secret.name: secret.allowed_hosts for secret in newer.secret_keys() if secret.allowed_hosts}
    refused = {endpoint.name for endpoint in older.endpoints if not _may_be_called(endpoint, older.credential, hosts)}
    endpoints = tuple(endpoint for endpoint in before.endpoints if endpoint.name not in refused)
    if before.endpoints and not endpoints:
        return None
    visibility = (newer.visible_from, newer.visible_selector, newer.visible_namespaces)
    if not refused and visibility == (older.visible_from, older.visible_selector, older.visible_namespaces):
        return before
    fragment = msgspec.structs.replace(
        older,
        endpoints=tuple(endpoint for endpoint in older.endpoints if endpoint.name not in refused),
        visible_from=newer.visible_from,
        visible_selector=newer.visible_selector,
        visible_namespaces=newer.visible_namespaces,
    )
    return ProviderEntry(fragment, endpoints)


def _may_be_called(endpoint: Endpoint, credential: SecretKey | None, hosts: Mapping[str, tuple[str, ...]]) -> bool:
    """Whether all Secrets whose values go to ``endpoint`` may be sent there; ``hosts`` by Secret, if limited."""
    secrets = [credential, *(header.secret for header in endpoint.headers)]
    allowed = [hosts[secret.name] for secret in secrets if secret is not None and secret.name in hosts]
    return all(host_allowed(host_of(endpoint.url), each) for each in allowed)


def _add_models(provider: ProviderEntry, previous: Reusable, now: Reusable) -> None:
    fragment = provider.fragment
    for model in fragment.models:
        ref = ModelRef(fragment.namespace, fragment.name, model.name)
        known = previous.models.get(ref.key)
        if known is None or known.provider is not provider:
            known = ModelEntry(
                ref.key, ref, model, provider, frozenset(model.capabilities), frozenset(model.compliance)
            )
        now.models[ref.key] = known


def _link_policies(
    body: Body, previous: Reusable, now: Reusable, waiting: Set[str]
) -> Generator[None, None, tuple[tuple[PolicyEntry, ...], dict[str, WorkspaceFragment], TenancyFragment]]:
    """Fill ``now.policies``; return the policies in their order, the workspaces by name, and the tenancy.

    ``waiting``: keys of the providers whose credentials have not arrived.
    """
    policies: list[PolicyEntry] = []
    workspaces: dict[str, WorkspaceFragment] = {}
    tenancy = _NO_TENANCY
    for number, entry in enumerate(body.entries):
        digest, fragment = entry.digest, now.fragments[entry.digest]
        if isinstance(fragment, PolicyFragment):
            policy = previous.policies.get(digest)
            if policy is None or not _links_hold(policy, now.models):
                policy = _link_policy(fragment, digest, now.models, waiting)
            now.policies[digest] = policy
            policies.append(policy)
        elif isinstance(fragment, WorkspaceFragment):
            workspaces[fragment.workspace] = fragment
        elif isinstance(fragment, TenancyFragment):
            tenancy = fragment
        if number % _STEP == 0:
            yield
    policies.sort(key=attrgetter("order"))
    yield
    return tuple(policies), workspaces, tenancy


def empty_table() -> Table:
    """What runs before any snapshot has arrived: it matches nothing and knows no model."""
    return Table(
        used=SnapshotUsed(epoch=0, revision=0, digest=""),
        policies=(),
        index=PolicyIndex([]),
        models={},
        providers={},
        workspaces={},
        tenancy=_NO_TENANCY,
        visible_everywhere={},
    )


def _same_credentials(
    fragment: ProviderFragment, before: dict[CredentialKey, str], now: dict[CredentialKey, str]
) -> bool:
    places = [(fragment.namespace, secret.name, secret.key, secret.version) for secret in fragment.secret_keys()]
    return all(before.get(place) == now.get(place) for place in places)


def _missing(fragment: ProviderFragment, values: Mapping[CredentialKey, str]) -> list[SecretKey]:
    """The credentials that have not arrived, each once. A withheld provider needs none."""
    if fragment.withheld is not None:
        return []
    wanted = {(secret.name, secret.key, secret.version): secret for secret in fragment.secret_keys()}
    return [secret for place, secret in wanted.items() if (fragment.namespace, *place) not in values]


def _link_provider(fragment: ProviderFragment, values: Mapping[CredentialKey, str]) -> ProviderEntry:
    """With all its credentials in ``values``, unless it is withheld."""

    def value_of(secret: SecretKey) -> str:
        # A Secret made from a file often ends in a line feed, which no header can carry.
        return values[(fragment.namespace, secret.name, secret.key, secret.version)].strip()

    endpoints = []
    if fragment.withheld is None:
        for endpoint in fragment.endpoints:
            headers: CIMultiDict[str] = CIMultiDict()
            if fragment.credential is not None:
                key = value_of(fragment.credential)
                if fragment.type == "AzureOpenAI":
                    headers["api-key"] = key
                else:
                    headers["Authorization"] = f"Bearer {key}"
            for header in endpoint.headers:
                headers[header.name] = value_of(header.secret) if header.secret is not None else header.value or ""
            headers["Content-Type"] = "application/json"
            try:
                url = URL(endpoint.url.rstrip("/") + "/")
            except ValueError as error:
                message = f"endpoint {endpoint.name} of ModelProvider {fragment.key} has no usable address: {error}"
                raise SnapshotRejected(RejectReason.MALFORMED, message) from error
            endpoints.append(
                EndpointEntry(
                    endpoint.name,
                    url,
                    endpoint.backup,
                    endpoint.weight,
                    endpoint.region,
                    headers,
                    endpoint.health_check,
                )
            )
    if fragment.simulated is not None and not endpoints:
        endpoints.append(EndpointEntry("simulated", URL("http://simulated.invalid/"), False, 1, None, CIMultiDict()))
    return ProviderEntry(fragment, tuple(endpoints))


def _link_policy(
    fragment: PolicyFragment, digest: str, models: Mapping[str, ModelEntry], waiting: Set[str]
) -> PolicyEntry:
    def link(
        name: str, ref: ModelRef, unresolved: str | None, weight: int = 0, order: int | None = None
    ) -> TargetEntry:
        entry = models.get(ref.key)
        if unresolved is None and entry is None:
            unresolved = CREDENTIALS_PENDING if f"{ref.namespace}/{ref.provider}" in waiting else "ModelNotFound"
        return TargetEntry(name, ref.key, None if unresolved else entry, weight, order, unresolved)

    canary = fragment.canary
    return PolicyEntry(
        fragment=fragment,
        order=fragment.order(),
        used=PolicyUsed(
            namespace=fragment.namespace,
            name=fragment.name,
            uid=fragment.uid,
            generation=fragment.generation,
            digest=digest,
        ),
        targets=tuple(
            link(target.name, target.model, target.unresolved, target.weight, target.fallback_order)
            for target in fragment.targets
        ),
        fallbacks=tuple(
            FallbackEntry(frozenset(fallback.causes), link(f"fallback-{number}", fallback.model, fallback.unresolved))
            for number, fallback in enumerate(fragment.fallbacks, start=1)
        ),
        canary=None if canary is None else link("canary", canary.model, canary.unresolved),
        needs_classification=fragment.match.needs_classification,
    )


def _links_hold(policy: PolicyEntry, models: dict[str, ModelEntry]) -> bool:
    linked = [*policy.targets, *(fallback.target for fallback in policy.fallbacks)]
    if policy.canary is not None:
        linked.append(policy.canary)
    return all(target.unresolved is None and models.get(target.key) is target.entry for target in linked)


def _visibility(models: Iterable[ModelEntry]) -> Generator[None, None, tuple[ModelsByName, Mapping[str, ModelsByName]]]:
    everywhere: dict[str, tuple[ModelEntry, ...]] = {}
    by_namespace: dict[str, dict[str, tuple[ModelEntry, ...]]] = {}
    for number, entry in enumerate(models):
        fragment = entry.provider.fragment
        if fragment.visible_from == "All":
            places = [everywhere]
        else:
            namespaces = {fragment.namespace, *fragment.visible_namespaces}
            places = [by_namespace.setdefault(namespace, {}) for namespace in sorted(namespaces)]
        name, provider = entry.model.name, fragment.name
        for place in places:
            for alias in (name, f"{provider}/{name}", f"{fragment.namespace}/{provider}/{name}"):
                place[alias] = (*place.get(alias, ()), entry)
        if number % _STEP == 0:
            yield
    return everywhere, by_namespace
