"""What a compilation has to say about the objects it read."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class Severity(StrEnum):
    """``Error``: the object or a part of it is not in force. ``Warning``: it is, but probably not as meant."""

    ERROR = "Error"
    WARNING = "Warning"


class Reason(StrEnum):
    """Reasons of findings and of the conditions made from them."""

    INVALID = "Invalid"
    NOT_IMPLEMENTED = "NotImplemented"
    CONFLICT = "Conflict"
    NOT_PERMITTED = "NotPermitted"
    ADDRESS_NOT_ALLOWED = "AddressNotAllowed"
    PROVIDER_NOT_FOUND = "ProviderNotFound"
    MODEL_NOT_FOUND = "ModelNotFound"
    POLICY_NOT_FOUND = "PolicyNotFound"
    REFERENCE_NOT_PERMITTED = "ReferenceNotPermitted"
    SECRET_NOT_FOUND = "SecretNotFound"  # noqa: S105
    SECRET_KEY_NOT_FOUND = "SecretKeyNotFound"  # noqa: S105
    SECRET_NOT_LABELLED = "SecretNotLabelled"  # noqa: S105
    HOST_NOT_ALLOWED = "HostNotAllowed"
    PROVIDER_UNAVAILABLE = "ProviderUnavailable"
    MODEL_INACTIVE = "ModelInactive"
    MODEL_DEPRECATED = "ModelDeprecated"
    WORKSPACE_NOT_CLAIMED = "WorkspaceNotClaimed"
    NO_CANDIDATE = "NoCandidate"
    SHADOWED = "Shadowed"
    CYCLE = "Cycle"
    FORBIDDEN_ARM = "ForbiddenArm"
    AMBIGUOUS_MODEL_NAME = "AmbiguousModelName"
    UNKNOWN_PRICE = "UnknownPrice"
    CREDENTIAL_IN_CLEAR = "CredentialInClear"
    DUPLICATE = "Duplicate"
    SNAPSHOT_TOO_LARGE = "SnapshotTooLarge"
    PAUSED = "Paused"


class Finding(msgspec.Struct, frozen=True, order=True, rename="camel"):
    """One remark: about which object and field, why, and what to do."""

    kind: str
    namespace: str
    name: str
    field: str
    """Path such as ``spec.targets[0].modelRef``; empty when it is about the object as a whole."""
    severity: Severity
    reason: Reason
    message: str


class ObjectState(msgspec.Struct, frozen=True, rename="camel"):
    """What the conditions of one object are made from."""

    kind: str
    namespace: str
    name: str
    uid: str
    generation: int
    """As written."""
    generation_in_force: int | None
    """``None``: nothing of this object is in force."""
    accepted: bool
    """Whether the generation as written is in force (or, suspended, would be)."""
    accepted_reason: str
    resolved_refs: bool
    resolved_refs_reason: str
