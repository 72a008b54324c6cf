"""One document → one declared object of a kind that matters here, or a problem."""

from __future__ import annotations

import base64
import binascii
import difflib
import hashlib
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec

from fairlead_cli.files.positions import Position
from fairlead_cli.files.problems import Problem, ProblemReason, ProblemSeverity
from fairlead_cli.files.yaml_documents import Document
from fairlead_contract.snapshot import Credential
from fairlead_crds.compile.declared import ObjectKey
from fairlead_crds.compile.resources import Namespace, SecretVersions
from fairlead_crds.compile.secrets import CREDENTIALS_LABEL, CREDENTIALS_LABEL_VALUE
from fairlead_crds.kinds import API_VERSION, GROUP, KINDS
from fairlead_crds.kinds.scalars import epoch_seconds

_CORE_KINDS = frozenset({("v1", "Namespace"), ("v1", "Secret")})
_UID_SPACE = uuid.UUID("3d0d4f0e-1f0c-5c39-9a0a-5f5a2a0c7a51")
_KEPT_BY_SERVERS = frozenset({"generation", "managedFields", "resourceVersion", "selfLink"})
_CANONICAL = msgspec.json.Encoder(order="sorted")


@dataclass(frozen=True, slots=True)
class Resource:
    """An object of one of our kinds, with uid and namespace filled in."""

    raw: dict[str, Any]
    fingerprint: bytes
    """Equal for equal content, whatever the order of keys, the comments and the file."""


@dataclass(frozen=True, slots=True)
class Secret:
    """A Secret taken apart: what the compiler may know, and the values for routers."""

    versions: SecretVersions
    credentials: tuple[Credential, ...]


@dataclass(frozen=True, slots=True)
class DeclaredObject:
    """An object and the place where it was declared."""

    key: ObjectKey
    """Its ``namespace`` is empty for a Namespace."""
    file: str
    position: Position
    content: Resource | Secret | Namespace


def read_object(
    document: Document, file: str, default_namespace: str, problems: list[Problem]
) -> DeclaredObject | None:
    """The object of ``document``, or ``None`` if it is of no concern or invalid; ``problems`` says which and why."""
    return _Reader(document, file, problems).read(default_namespace)


class _Invalid(Exception):
    """The document holds no usable object; the problem is already reported."""


class _Reader:
    def __init__(self, document: Document, file: str, problems: list[Problem]) -> None:
        self._value = document.value
        self._position = document.position
        self._file = file
        self._problems = problems

    def read(self, default_namespace: str) -> DeclaredObject | None:
        try:
            return self._read(default_namespace)
        except _Invalid:
            return None

    def _read(self, default_namespace: str) -> DeclaredObject | None:
        api_version, kind = self._text("apiVersion"), self._text("kind")
        if (api_version, kind) not in _CORE_KINDS and not self._is_ours(api_version, kind):
            return None
        metadata = self._value.get("metadata")
        if not isinstance(metadata, dict):
            raise self._invalid("metadata", ProblemReason.INVALID_METADATA, "metadata with a name is missing")
        name = metadata.get("name")
        if not isinstance(name, str) or not name:
            raise self._invalid(
                "metadata.name", ProblemReason.INVALID_METADATA, "metadata.name must be text: give one, or quote it"
            )
        namespace = metadata.get("namespace", default_namespace)
        if not isinstance(namespace, str) or not namespace:
            raise self._invalid("metadata.namespace", ProblemReason.INVALID_METADATA, "metadata.namespace must be text")
        labels, annotations = self._strings(metadata, "labels"), self._strings(metadata, "annotations")
        key = ObjectKey(kind, "" if kind == "Namespace" else namespace, name)
        uid = metadata.get("uid")
        if not isinstance(uid, str) or not uid:
            uid = str(uuid.uuid5(_UID_SPACE, "/".join(key)))
        content: Resource | Secret | Namespace
        if kind == "Namespace":
            content = namespace_named(name, uid, self._created_at(metadata), labels, annotations)
        elif kind == "Secret":
            content = self._secret(key, labels, annotations)
        else:
            raw = {**self._value, "metadata": {**metadata, "namespace": namespace, "uid": uid}}
            content = Resource(raw, _fingerprint(raw))
        return DeclaredObject(key, self._file, self._position, content)

    def _is_ours(self, api_version: str, kind: str) -> bool:
        if api_version == API_VERSION and kind in KINDS:
            return True
        if api_version.startswith(f"{GROUP}/"):
            if kind not in KINDS:
                near = difflib.get_close_matches(kind, KINDS, 1)
                hint = f'did you mean "{near[0]}"?' if near else f"there are {', '.join(KINDS)}"
                raise self._invalid("kind", ProblemReason.UNKNOWN_KIND, f'{GROUP} has no kind "{kind}"; {hint}')
            message = f'there is no version "{api_version}"; write {API_VERSION}'
            raise self._invalid("apiVersion", ProblemReason.UNKNOWN_KIND, message)
        if kind in KINDS:
            raise self._invalid("apiVersion", ProblemReason.UNKNOWN_KIND, f"{kind} needs apiVersion {API_VERSION}")
        message = f"{api_version} {kind} is not used here"
        self._report("kind", ProblemSeverity.NOTE, ProblemReason.IGNORED_KIND, message)
        return False

    # ------------------------------------------------------------------------------------------ secrets

    def _secret(self, key: ObjectKey, labels: dict[str, str], annotations: dict[str, str]) -> Secret:
        values: dict[str, bytes] = {}
        for field in ("data", "stringData"):
            entries = self._value.get(field)
            if entries is None:
                continue
            if not isinstance(entries, dict):
                raise self._invalid(field, ProblemReason.INVALID_SECRET, f"{field} of a Secret must be a mapping")
            for name, text in entries.items():
                value = self._secret_value(field, name, text)
                if value is not None:
                    values[name] = value
        versions = {name: _version(key, name, value) for name, value in sorted(values.items())}
        credentials: tuple[Credential, ...] = ()
        if labels.get(CREDENTIALS_LABEL) == CREDENTIALS_LABEL_VALUE:
            credentials = tuple(
                Credential(key.namespace, key.name, name, version, text)
                for name, version in versions.items()
                if (text := self._credential_text(name, values[name])) is not None
            )
        return Secret(SecretVersions(key.namespace, key.name, labels, annotations, versions), credentials)

    def _secret_value(self, field: str, name: str, text: object) -> bytes | None:
        if not isinstance(text, str):
            self._report(
                f"{field}[{name}]",
                ProblemSeverity.ERROR,
                ProblemReason.INVALID_SECRET,
                f"{field} {name} must be text: quote it",
            )
            return None
        if field == "stringData":
            return text.encode()
        try:
            return base64.b64decode("".join(text.split()), validate=True)
        except (binascii.Error, ValueError):
            self._report(
                f"data[{name}]",
                ProblemSeverity.ERROR,
                ProblemReason.INVALID_SECRET,
                f"data {name} is not base64; plain text belongs under stringData",
            )
            return None

    def _credential_text(self, name: str, value: bytes) -> str | None:
        field = next(field for field in ("stringData", "data") if name in (self._value.get(field) or {}))
        try:
            text = value.decode()
        except UnicodeDecodeError:
            message = f"{name} is labelled as a provider's credential but is not UTF-8 text; routers will not get it"
            self._report(f"{field}[{name}]", ProblemSeverity.WARNING, ProblemReason.INVALID_SECRET, message)
            return None
        if not text.isprintable() or text != text.strip():
            message = f"{name} begins or ends with a space or line feed, or holds one, which no HTTP header may carry"
            self._report(f"{field}[{name}]", ProblemSeverity.WARNING, ProblemReason.INVALID_SECRET, message)
        return text

    # ------------------------------------------------------------------------------------------ metadata

    def _text(self, field: str) -> str:
        value = self._value.get(field)
        if not isinstance(value, str) or not value:
            raise self._invalid(field, ProblemReason.NOT_AN_OBJECT, f"{field} is missing or is not text")
        return value

    def _strings(self, metadata: dict[str, Any], field: str) -> dict[str, str]:
        found = metadata.get(field)
        if found is None:
            return {}
        if not isinstance(found, dict):
            raise self._invalid(f"metadata.{field}", ProblemReason.INVALID_METADATA, f"{field} must be a mapping")
        for name, value in found.items():
            if not isinstance(value, str):
                raise self._invalid(
                    f"metadata.{field}[{name}]",
                    ProblemReason.INVALID_METADATA,
                    f"{name} under {field} must be text: quote it",
                )
        return found

    def _created_at(self, metadata: dict[str, Any]) -> int:
        text = metadata.get("creationTimestamp")
        if text is None:
            return 0
        try:
            instant = datetime.fromisoformat(str(text).upper())
        except ValueError:
            self._report(
                "metadata.creationTimestamp",
                ProblemSeverity.WARNING,
                ProblemReason.INVALID_METADATA,
                f'creationTimestamp "{text}" is no instant such as 2026-01-31T12:00:00Z; the object counts as oldest',
            )
            return 0
        return epoch_seconds(instant if instant.tzinfo else instant.replace(tzinfo=UTC))

    # ------------------------------------------------------------------------------------------ problems

    def _invalid(self, field: str, reason: ProblemReason, message: str) -> _Invalid:
        self._report(field, ProblemSeverity.ERROR, reason, message)
        return _Invalid()

    def _report(self, field: str, severity: ProblemSeverity, reason: ProblemReason, message: str) -> None:
        place = self._position.find(field)
        self._problems.append(Problem(self._file, place.line, place.column, severity, reason, message))


def namespace_named(
    name: str, uid: str, created_at: int, labels: dict[str, str], annotations: dict[str, str]
) -> Namespace:
    """A namespace with the label that every API server adds, so that selectors by name work from files too."""
    return Namespace(name, uid, created_at, {"kubernetes.io/metadata.name": name, **labels}, annotations)


def _fingerprint(raw: dict[str, Any]) -> bytes:
    metadata = {name: value for name, value in raw["metadata"].items() if name not in _KEPT_BY_SERVERS}
    content = {name: value for name, value in raw.items() if name != "status"} | {"metadata": metadata}
    return hashlib.sha256(_CANONICAL.encode(content)).digest()


def _version(key: ObjectKey, name: str, value: bytes) -> str:
    digest = hashlib.sha256()
    for part in (key.namespace.encode(), key.name.encode(), name.encode(), value):
        digest.update(len(part).to_bytes(4, "big") + part)
    return digest.hexdigest()[:16]
