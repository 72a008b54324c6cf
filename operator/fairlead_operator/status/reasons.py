"""Every reason a condition can carry, with what it means and what to do about it.

Those of findings come from the compiler, the others are the operator's own. The documentation is generated from here.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from fairlead_crds.compile import Reason


class ConditionType(StrEnum):
    """The conditions of every object; the last three are written only while they are True."""

    ACCEPTED = "Accepted"
    RESOLVED_REFS = "ResolvedRefs"
    PROGRAMMED = "Programmed"
    READY = "Ready"
    RECONCILING = "Reconciling"
    STALLED = "Stalled"
    DEGRADED = "Degraded"


class OperatorReason(StrEnum):
    """Reasons that no finding gives."""

    ACCEPTED = "Accepted"
    SUSPENDED = "Suspended"
    RESOLVED_REFS = "ResolvedRefs"
    PROGRAMMED = "Programmed"
    ROLLING_OUT = "RollingOut"
    NO_ROUTERS = "NoRouters"
    ROUTERS_UNREACHABLE = "RoutersUnreachable"
    SNAPSHOT_REFUSED = "SnapshotRefused"
    CREDENTIALS_PENDING = "CredentialsPending"
    NOT_IN_FORCE = "NotInForce"
    LAST_GOOD_IN_FORCE = "LastGoodInForce"
    READY = "Ready"
    ALL_ENDPOINTS_UNHEALTHY = "AllEndpointsUnhealthy"
    ENDPOINTS_UNHEALTHY = "EndpointsUnhealthy"
    ENDPOINTS_DEGRADED = "EndpointsDegraded"
    ENDPOINTS_WELL = "EndpointsWell"


class CanaryReason(StrEnum):
    """Why a canary has the share it has, unless its model cannot be found: then it is the finding's reason."""

    AS_SPECIFIED = "AsSpecified"


class Words(NamedTuple):
    """One line of the documentation."""

    condition: ConditionType
    """Where the reason arises; Ready, Reconciling and Stalled repeat it."""
    meaning: str
    remedy: str


NOTHING_TO_DO = "nothing"
_ACCEPTED, _RESOLVED, _PROGRAMMED = ConditionType.ACCEPTED, ConditionType.RESOLVED_REFS, ConditionType.PROGRAMMED
_DEGRADED = ConditionType.DEGRADED

OPERATOR_WORDS: dict[OperatorReason, Words] = {
    OperatorReason.ACCEPTED: Words(
        _ACCEPTED, "The spec is valid and in force.", "nothing; a warning in the message deserves a look"
    ),
    OperatorReason.SUSPENDED: Words(
        _ACCEPTED, "The spec is valid, but spec.suspend keeps it out of force.", "set spec.suspend to false"
    ),
    OperatorReason.RESOLVED_REFS: Words(_RESOLVED, "Every reference was found and may be used.", NOTHING_TO_DO),
    OperatorReason.PROGRAMMED: Words(_PROGRAMMED, "Every ready router runs this generation.", NOTHING_TO_DO),
    OperatorReason.ROLLING_OUT: Words(
        _PROGRAMMED,
        "Some ready routers do not run this generation yet.",
        "wait a second; if it stays, look at the log of the routers that lag behind",
    ),
    OperatorReason.NO_ROUTERS: Words(
        _PROGRAMMED,
        "No router is ready, so nobody runs this generation.",
        "look at the pods of the router Deployment and its EndpointSlices",
    ),
    OperatorReason.ROUTERS_UNREACHABLE: Words(
        _PROGRAMMED,
        "Some ready routers did not answer the operator, so it is unknown what they run.",
        "let a NetworkPolicy admit the operator to port 9090 of the routers",
    ),
    OperatorReason.SNAPSHOT_REFUSED: Words(
        _PROGRAMMED,
        "A router refused the snapshot that holds this generation and keeps running the one before.",
        "read the router's reason in the message; after an upgrade, bring operator and routers to the same version",
    ),
    OperatorReason.CREDENTIALS_PENDING: Words(
        _PROGRAMMED,
        "A router has the route but not yet the credentials it needs.",
        "wait a minute; if it stays, check that the routers may read the credentials Secret",
    ),
    OperatorReason.NOT_IN_FORCE: Words(
        _PROGRAMMED, "Nothing of this object is in force.", "do what the message of Accepted says"
    ),
    OperatorReason.LAST_GOOD_IN_FORCE: Words(
        _PROGRAMMED,
        "The newest generation is not in force, an earlier one still is (also reason of Degraded).",
        "do what the message of Accepted says",
    ),
    OperatorReason.READY: Words(
        ConditionType.READY, "Accepted, ResolvedRefs and Programmed are all True.", NOTHING_TO_DO
    ),
    OperatorReason.ALL_ENDPOINTS_UNHEALTHY: Words(
        _DEGRADED,
        "Routers find every endpoint of the provider broken.",
        "look at the provider, its address and its credential; requests go to fallbacks where a policy has any",
    ),
    OperatorReason.ENDPOINTS_UNHEALTHY: Words(
        _DEGRADED,
        "Routers find some endpoints of the provider broken, not all.",
        "look at those the message names; the others get the requests",
    ),
    OperatorReason.ENDPOINTS_DEGRADED: Words(
        _DEGRADED,
        "An endpoint fails too many calls, or its breaker is half open.",
        "look at what the provider answers; a half-open breaker closes by itself once calls work",
    ),
    OperatorReason.ENDPOINTS_WELL: Words(
        _DEGRADED,
        "Only in Events: nothing is known against the provider's endpoints any more.",
        NOTHING_TO_DO,
    ),
}

FINDING_WORDS: dict[Reason, Words] = {
    Reason.INVALID: Words(_ACCEPTED, "The spec breaks a rule of the API.", "correct the field the message names"),
    Reason.NOT_IMPLEMENTED: Words(
        _ACCEPTED, "The spec uses a field that this version knows but does not implement.", "remove the field"
    ),
    Reason.CONFLICT: Words(
        _ACCEPTED, "Another object has claimed the same workspace before.", "delete one of the two claims"
    ),
    Reason.NOT_PERMITTED: Words(
        _ACCEPTED,
        "The namespace may not do what the spec asks for.",
        "move the object, or have an administrator permit it on the Namespace",
    ),
    Reason.ADDRESS_NOT_ALLOWED: Words(
        _ACCEPTED,
        "The address of an endpoint is one that requests must not be sent to.",
        "use a public address, or have an administrator allow this one",
    ),
    Reason.PROVIDER_NOT_FOUND: Words(
        _RESOLVED, "A reference names a ModelProvider that does not exist or is not in force.", "create it or mend it"
    ),
    Reason.MODEL_NOT_FOUND: Words(
        _RESOLVED, "A reference names a model that its ModelProvider does not list.", "correct the name or list it"
    ),
    Reason.POLICY_NOT_FOUND: Words(
        _RESOLVED, "A reference names a RoutingPolicy that does not exist.", "create it or correct the name"
    ),
    Reason.REFERENCE_NOT_PERMITTED: Words(
        _RESOLVED,
        "A ModelProvider elsewhere does not allow this namespace to use it.",
        "add the namespace to allowedNamespaces of the provider",
    ),
    Reason.SECRET_NOT_FOUND: Words(
        _RESOLVED, "A Secret does not exist, or the operator may not read it.", "create it in the provider's namespace"
    ),
    Reason.SECRET_KEY_NOT_FOUND: Words(
        _RESOLVED, "A Secret lacks the key that the reference names.", "add the key or correct the reference"
    ),
    Reason.SECRET_NOT_LABELLED: Words(
        _RESOLVED,
        "A Secret is not marked as one that may be used for providers.",
        "label it fairlead.dev/credentials: provider",
    ),
    Reason.HOST_NOT_ALLOWED: Words(
        _RESOLVED,
        "A Secret may not be sent to the host of an endpoint.",
        "correct the endpoint, or list the host in the Secret's annotation fairlead.dev/allowed-hosts",
    ),
    Reason.PROVIDER_UNAVAILABLE: Words(
        _RESOLVED,
        "Warning: a ModelProvider exists but gets no requests now.",
        "look at ResolvedRefs of the ModelProvider",
    ),
    Reason.MODEL_INACTIVE: Words(
        _RESOLVED, "Warning: a model has state Inactive and gets no requests.", "use another or set it Active"
    ),
    Reason.MODEL_DEPRECATED: Words(_RESOLVED, "Warning: a model has state Deprecated.", "use another in time"),
    Reason.WORKSPACE_NOT_CLAIMED: Words(
        _RESOLVED,
        "The policy names a workspace that does not belong to its namespace, and never applies to it.",
        "claim the workspace with a WorkspaceBudget of the namespace, or take it out of the match",
    ),
    Reason.NO_CANDIDATE: Words(
        _ACCEPTED,
        "Warning: hard constraints leave some requests of this policy without any model.",
        "relax a constraint, or add a model that satisfies all of them",
    ),
    Reason.SHADOWED: Words(
        _ACCEPTED,
        "Warning: another policy is consulted first and matches all that this one would.",
        "narrow the other's match, or raise this one's priority",
    ),
    Reason.CYCLE: Words(
        _ACCEPTED, "An arm of an experiment leads back to the policy it splits.", "let the arm name a model"
    ),
    Reason.FORBIDDEN_ARM: Words(
        _ACCEPTED, "Hard constraints forbid an arm of an experiment.", "change the arm or relax the constraint"
    ),
    Reason.AMBIGUOUS_MODEL_NAME: Words(
        _ACCEPTED,
        "Warning: a namespace sees the same model name at two providers, so calls by the bare name fail.",
        "rename one, or call provider/model",
    ),
    Reason.UNKNOWN_PRICE: Words(
        _ACCEPTED, "Warning: a model has no price, so its use counts as free.", "add prices to the model"
    ),
    Reason.CREDENTIAL_IN_CLEAR: Words(
        _ACCEPTED, "Warning: a credential travels over http without encryption.", "use an https address"
    ),
    Reason.DUPLICATE: Words(
        _ACCEPTED, "The same kind, namespace and name is declared more than once.", "remove or rename the others"
    ),
    Reason.SNAPSHOT_TOO_LARGE: Words(
        _ACCEPTED,
        "The snapshot with this change would be too large; the one before stays in force, less what was withdrawn.",
        "remove objects that are no longer needed, or split the installation",
    ),
    Reason.PAUSED: Words(
        _ACCEPTED,
        "An annotation pauses the object: what is in force stays, and what was written since is not (then False).",
        "remove the annotation fairlead.dev/paused",
    ),
}

CANARY_WORDS: dict[CanaryReason, tuple[str, str]] = {
    CanaryReason.AS_SPECIFIED: ("The canary takes the share that spec.canary.weightPercent gives.", NOTHING_TO_DO),
}


def reason_table() -> list[tuple[str, str, str, str]]:
    """Rows (condition, reason, meaning, remedy) for the documentation, by condition and then as declared above."""
    rows = [
        (words.condition, reason.value, words.meaning, words.remedy)
        for table in (OPERATOR_WORDS, FINDING_WORDS)
        for reason, words in table.items()
    ]
    order = list(ConditionType)
    rows.sort(key=lambda row: order.index(row[0]))
    canary = [("canary.reason", reason.value, *words) for reason, words in CANARY_WORDS.items()]
    return [(str(condition), reason, meaning, remedy) for condition, reason, meaning, remedy in rows] + canary
