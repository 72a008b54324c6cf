"""Which secret values a snapshot needs, taken from labelled Secrets."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

from fairlead_contract.fragments import ProviderFragment
from fairlead_contract.snapshot import Credential, Credentials, Entry, decode_fragment
from fairlead_crds.compile.resources import SecretVersions

Place = tuple[str, str, str, str]
"""(namespace, name, key, version)."""

Places = frozenset[Place]
Values = Mapping[Place, str]


def read_secret(raw: Mapping[str, Any]) -> tuple[SecretVersions, dict[Place, str]]:
    """The versions that the compiler may know, and the values that it may not.

    A key whose value is not base64 of UTF-8 text is left out: no header could carry it.
    """
    metadata = raw.get("metadata") or {}
    namespace, name, uid = metadata.get("namespace", ""), metadata.get("name", ""), metadata.get("uid", "")
    versions: dict[str, str] = {}
    values: dict[Place, str] = {}
    for key, encoded in sorted((raw.get("data") or {}).items()):
        try:
            value = base64.b64decode(encoded, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError, TypeError):
            continue
        version = secret_version(namespace, name, uid, key, value)
        versions[key] = version
        values[(namespace, name, key, version)] = value
    labels, annotations = metadata.get("labels") or {}, metadata.get("annotations") or {}
    return SecretVersions(namespace, name, labels, annotations, versions), values


def secret_version(namespace: str, name: str, uid: str, key: str, value: str) -> str:
    """Changes with the value, tells nothing of it, and is the same after a restart.

    Salted with the Secret's uid, so that equal values in two places are not seen to be equal.
    """
    digest = hashlib.blake2b(digest_size=8, key=uid.encode()[:64], person=b"fairlead-secret")
    for part in (namespace, name, key, value):
        encoded = part.encode()
        digest.update(len(encoded).to_bytes(4, "big") + encoded)
    return digest.hexdigest()


def wanted_credentials(entries: Iterable[Entry], known: dict[str, Places] | None = None) -> Places:
    """What the providers among ``entries`` refer to. ``known`` remembers it by digest and forgets what is gone."""
    before = {} if known is None else dict(known)
    now: dict[str, Places] = {}
    for entry in entries:
        if entry.kind == "ModelProvider":
            found = before.get(entry.digest)
            now[entry.digest] = _references(entry) if found is None else found
    if known is not None:
        known.clear()
        known.update(now)
    return frozenset().union(*now.values())


def _references(entry: Entry) -> Places:
    fragment = decode_fragment(entry.fragment)
    if not isinstance(fragment, ProviderFragment) or fragment.withheld is not None:
        return frozenset()
    return frozenset(
        (fragment.namespace, secret.name, secret.key, secret.version)
        for secret in fragment.secret_keys()
        if secret.version
    )


def collect(wanted: Iterable[Place], values: Values) -> Credentials:
    """The values of ``wanted`` that there are, sorted."""
    return Credentials(tuple(Credential(*place, values[place]) for place in sorted(wanted) if place in values))


def merge(now: Credentials, before: Credentials, still_there: frozenset[tuple[str, str, str]]) -> Credentials:
    """``now``, and of ``before`` what routers may still be using: an older version of a key that is still there.

    What was withdrawn (its key is gone from ``still_there``) is dropped at once.
    """
    kept = {item.place: item for item in before.entries if item.place[:3] in still_there}
    kept |= {item.place: item for item in now.entries}
    return Credentials(tuple(kept[place] for place in sorted(kept)))
