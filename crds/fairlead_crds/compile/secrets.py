"""Whether a Secret may be used, and for which hosts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from fairlead_contract.addresses import host_allowed, host_of
from fairlead_contract.fragments import SecretKey
from fairlead_crds.compile.findings import Reason
from fairlead_crds.compile.resources import SecretVersions

CREDENTIALS_LABEL = "fairlead.dev/credentials"
CREDENTIALS_LABEL_VALUE = "provider"
ALLOWED_HOSTS_ANNOTATION = "fairlead.dev/allowed-hosts"


@dataclass(frozen=True, slots=True)
class SecretUse:
    """What became of one reference to a Secret. With a ``reason`` the value may not be used."""

    version: str = ""
    allowed_hosts: tuple[str, ...] = ()
    reason: Reason | None = None
    message: str = ""


def use_secret(secret: SecretVersions | None, wanted: SecretKey, namespace: str, urls: Iterable[str]) -> SecretUse:
    """Check presence, label, key and hosts, in this order: the first that fails is the one to mend."""
    where = f"Secret {namespace}/{wanted.name}"
    if secret is None:
        return SecretUse(
            reason=Reason.SECRET_NOT_FOUND,
            # Whoever watches only labelled Secrets cannot tell one without the label from none.
            message=f"no {where} with the label {CREDENTIALS_LABEL}: {CREDENTIALS_LABEL_VALUE} is to be seen: "
            f"create it with the key {wanted.key} and that label, or label it",
        )
    if secret.labels.get(CREDENTIALS_LABEL) != CREDENTIALS_LABEL_VALUE:
        return SecretUse(
            reason=Reason.SECRET_NOT_LABELLED,
            message=f"{where} is not released for providers: whoever owns it must label it "
            f"{CREDENTIALS_LABEL}: {CREDENTIALS_LABEL_VALUE}",
        )
    version = secret.keys.get(wanted.key)
    if version is None:
        return SecretUse(
            reason=Reason.SECRET_KEY_NOT_FOUND,
            message=f"{where} has no key {wanted.key}: add it, or name one that it has",
        )
    listed = secret.annotations.get(ALLOWED_HOSTS_ANNOTATION)
    if listed is None:
        return SecretUse(version)
    allowed = tuple(sorted({_folded(item) for item in listed.split(",") if item.strip()}))
    for host in sorted({host_of(url) for url in urls}):
        if not host_allowed(host, allowed):
            return SecretUse(
                version,
                allowed,
                Reason.HOST_NOT_ALLOWED,
                f"{where} may not be sent to {host}: its annotation {ALLOWED_HOSTS_ANNOTATION} allows "
                f"{', '.join(allowed) or 'no host'}; add the host there or change the endpoint",
            )
    return SecretUse(version, allowed)


def _folded(item: str) -> str:
    text = item.strip().lower().rstrip(".")
    return text[1:-1] if text.startswith("[") and text.endswith("]") else text
