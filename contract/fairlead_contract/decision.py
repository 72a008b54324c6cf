"""The decision record: what was known, drawn, decided, tried, used and paid for one request.

Explain, replay, experiments, off-policy evaluation, training and decision events all read this one shape. It holds no
text of a prompt or an answer, and users and sessions only as keyed hashes. Times are integer microseconds, money is
integer micro-dollars, probabilities lie in [0, 1]. Fields whose source does not exist yet stay empty.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

RECORD_SCHEMA_VERSION = 1


class _Part(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    pass


class RemovedBy(StrEnum):
    """Who took a candidate out."""

    REFERENCE = "Reference"
    PROVIDER = "Provider"
    MODEL_STATE = "ModelState"
    REQUEST_TYPE = "RequestType"
    ALLOWED_MODELS = "AllowedModels"
    CAPABILITY = "Capability"
    COMPLIANCE = "Compliance"
    REGION = "Region"
    CONTEXT_WINDOW = "ContextWindow"
    WEIGHT = "Weight"
    CIRCUIT_BREAKER = "CircuitBreaker"
    HEALTH = "Health"
    COST = "Cost"
    LATENCY = "Latency"
    SUCCESS = "Success"
    BUDGET = "Budget"


class Outcome(StrEnum):
    """How a request or an attempt ended."""

    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    TIMED_OUT = "TimedOut"
    RATE_LIMITED = "RateLimited"
    REFUSED = "Refused"
    """The provider (attempt) or the router (request) would not take it; trying again changes nothing."""
    TRUNCATED = "Truncated"
    """Committed to the client and then cut by the provider."""
    CANCELLED = "Cancelled"
    """The client hung up."""


class Facts(_Part, frozen=True, kw_only=True):
    """What was known of the request when it was decided. No text."""

    workspace: str
    namespace: str | None = None
    """The namespace that owns the workspace."""
    agent_type: str | None = None
    user_hash: str | None = None
    session_hash: str | None = None
    user_tier: str | None = None
    subject: str | None = None
    """Name of the credential; ``None`` for an anonymous request."""
    request_type: str
    requested_model: str
    stream: bool = False
    content_length_characters: int = 0
    message_count: int = 0
    estimated_input_tokens: int = 0
    max_output_tokens: int | None = None
    body_bytes: int = 0
    """Length of the request's body: no token is shorter than a byte."""
    generations: int = 1
    """How many answers it asks for; 0 where nothing is generated (embeddings)."""
    required_capabilities: tuple[str, ...] = ()
    """What the request itself needs (tools, images …)."""
    max_cost_micro_usd: int | None = None
    """A hard constraint of the request itself, beside those of policies."""
    max_latency_milliseconds: int | None = None
    """Likewise; to the end of the answer."""
    header_conditions: tuple[str, ...] = ()
    """The header conditions of policies that hold, in the policies' words; values sent by clients are not kept."""


class Prediction(_Part, frozen=True, kw_only=True):
    """Predicted cost, latency and quality of one candidate, with the bundle that made them."""

    cost_micro_usd: int | None = None
    latency_microseconds_quantiles: tuple[int, ...] | None = None
    """The 10th, 50th and 90th percentile of time to first byte."""
    latency_microseconds: int | None = None
    """Expected under the load of the moment: to the first byte of a stream, or to the end of a whole answer."""
    output_tokens: int | None = None
    quality: float | None = None
    bundle_digest: str | None = None


class Removal(_Part, frozen=True, kw_only=True):
    """Why a candidate cannot serve this request."""

    by: RemovedBy
    message: str


class Candidate(_Part, frozen=True, kw_only=True):
    """One model the policy could have chosen."""

    name: str
    model: str
    """``namespace/provider/model``."""
    role: str = "Target"
    """``Target``, ``Canary``, ``Fallback``, ``Arm`` or ``Direct``."""
    weight: int = 0
    """Weight among the targets before anything was removed."""
    probability: float = 0.0
    """Probability of being tried first, composed of policy, experiment, canary and strategy."""
    predicted: Prediction | None = None
    removed: Removal | None = None


class Draw(_Part, frozen=True, kw_only=True):
    """One number drawn for this decision; replay uses the value instead of drawing again."""

    purpose: str
    uid: str
    """The object whose salt went into the draw."""
    unit: str
    """What it sticks to: ``User``, ``Session``, ``Workspace`` or ``Request``."""
    value: float


class StateRead(_Part, frozen=True, kw_only=True):
    """One value of shared state the decision depended on."""

    key: str
    value: str


class PolicyUsed(_Part, frozen=True, kw_only=True):
    """The object that decided, down to its bytes."""

    namespace: str
    name: str
    uid: str
    generation: int
    digest: str

    @property
    def key(self) -> str:
        """``namespace/name``."""
        return f"{self.namespace}/{self.name}"


class SnapshotUsed(_Part, frozen=True, kw_only=True):
    """The table that decided."""

    epoch: int
    revision: int
    digest: str


class CanaryAssignment(_Part, frozen=True, kw_only=True):
    """Whether the canary was drawn, with what share."""

    model: str
    weight_percent: int
    assigned: bool


class ExperimentAssignment(_Part, frozen=True, kw_only=True):
    """The arm of a running experiment."""

    namespace: str
    name: str
    uid: str
    arm: str
    probability: float


class ClassificationPath(StrEnum):
    """Which part of the classifier the category is from."""

    RULES = "Rules"
    """The rules alone: sure of themselves, or nobody else was there to ask (``fallback`` says why)."""
    LEARNED = "Learned"
    """The learned head: the rules said nothing, or something else with less right."""
    AGREEMENT = "Agreement"
    """Both say the same."""


class ClassificationFallback(StrEnum):
    """Why the rules decided alone although they were not sure."""

    ENCODER_ABSENT = "EncoderAbsent"
    DEADLINE_EXCEEDED = "DeadlineExceeded"
    QUEUE_FULL = "QueueFull"
    FAILED = "Failed"


class Classification(_Part, frozen=True, kw_only=True):
    """What the classifier said of the request, and what drove it. Never any of its text."""

    bundle_digest: str | None = None
    """Of the learned part; ``None`` when only rules were asked."""
    path: ClassificationPath
    fallback: ClassificationFallback | None = None
    category: str
    confidence: float
    """Calibrated probability that the category is right."""
    probabilities: dict[str, float] = {}
    """Of the learned head, by category; empty when it was not asked."""
    margin: float | None = None
    """Between its two most probable categories."""
    conformal_set: tuple[str, ...] = ()
    """Categories that cannot be excluded at the error rate that is set, most probable first."""
    rule_category: str | None = None
    rule_confidence: float = 0.0
    evidence: tuple[str, ...] = ()
    """Names of the rules that spoke, the strongest first."""
    difficulty: str
    """``Easy``, ``Medium`` or ``Hard``."""
    complexity: float
    """0 to 1."""
    creativity: float
    """0 to 1."""
    language: str | None = None
    """ISO 639-1; ``None`` where the text has too few words to tell."""
    contains_code: bool = False
    needs_reasoning: bool = False
    cached: bool = False
    """The learned head's answer was kept from an earlier request with the same text."""
    microseconds: int = 0

    @property
    def certain(self) -> bool:
        """Whether exactly one category cannot be excluded."""
        return len(self.conformal_set) == 1


class Usage(_Part, frozen=True, kw_only=True):
    """Billable tokens of one attempt."""

    input_tokens: int = 0
    output_tokens: int = 0
    cached_input_tokens: int = 0
    """Part of ``input_tokens``."""
    cache_write_tokens: int = 0
    """Part of ``input_tokens``."""
    reasoning_tokens: int = 0
    """Part of ``output_tokens``."""
    estimated: bool = False
    """The provider reported none; counted here from characters."""


class Attempt(_Part, frozen=True, kw_only=True):
    """One call to one endpoint."""

    model: str
    endpoint: str
    outcome: Outcome
    started_microseconds: int
    """Since the request arrived."""
    duration_microseconds: int
    first_byte_microseconds: int | None = None
    """From the start of the attempt."""
    status: int | None = None
    """HTTP status of the provider; ``None`` when it never answered."""
    cause: str | None = None
    """Which fallback cause the failure is."""
    error: str | None = None
    """A short word of ours for the failure, never the provider's text."""
    retry_after_seconds: float | None = None
    reserved_micro_usd: int = 0
    usage: Usage | None = None
    cost_micro_usd: int = 0
    price_effective_at: int | None = None
    """Unix seconds from which the price applied is valid; ``None`` when the model has no price."""


class CacheResult(StrEnum):
    """What the response cache had for a request of a policy that has one."""

    HIT = "Hit"
    SHARED = "Shared"
    """The answer of the same request, which was under way."""
    MISS = "Miss"
    BYPASS = "Bypass"
    """It was not asked: the client would not have it, or the answer must be this request's own."""


class CacheUse(_Part, frozen=True, kw_only=True):
    """What became of asking the response cache. An answer from it has no attempts and costs nothing."""

    result: CacheResult
    age_seconds: int = 0
    """Of the answer, when it was given again."""


class BudgetUse(_Part, frozen=True, kw_only=True):
    """What was set aside on one account (a window of a budget) for this request."""

    account: str
    reserved_micro_usd: int
    remaining_micro_usd: int | None = None
    """Left on the account when this was reserved; ``None`` where it has no limit."""


class Stages(_Part, frozen=True, kw_only=True):
    """When the decision passed its stages, in microseconds since arrival."""

    received_microseconds: int
    """The whole request was there."""
    matched_microseconds: int
    """Its policy, or its model, was found."""
    selected_microseconds: int
    """Its candidates were ranked; calling begins."""


class DecisionRecord(_Part, frozen=True, kw_only=True):
    """Everything about one request, from arrival to settlement."""

    schema_version: int = RECORD_SCHEMA_VERSION
    id: str
    """Made by the router; also the key by which later feedback joins."""
    time: int
    """Arrival, Unix microseconds."""
    client_request_id: str | None = None
    """As sent by the client, cut to 128 printable characters; a label only."""
    trace_id: str | None = None
    """W3C trace id, 32 hexadecimal digits; the client's own where it sent one that is trusted."""
    span_id: str | None = None
    """Of the request's own span, 16 hexadecimal digits."""
    router: str = ""
    snapshot: SnapshotUsed
    facts: Facts
    policy: PolicyUsed | None = None
    """``None``: the model was called by name, or nothing matched."""
    strategy: str | None = None
    experiment: ExperimentAssignment | None = None
    canary: CanaryAssignment | None = None
    affinity: str | None = None
    """The model that affinity held the request on, if it did."""
    classification: Classification | None = None
    candidates: tuple[Candidate, ...] = ()
    plan: tuple[str, ...] = ()
    """Models in the order in which they were to be tried."""
    chosen: str | None = None
    """The model that answered, or was tried last."""
    propensity: float | None = None
    """Probability with which the decision tried its first model first."""
    panic: bool = False
    """Nobody was left but candidates whose breakers are open or whose checks fail, and the least bad was tried."""
    draws: tuple[Draw, ...] = ()
    state: tuple[StateRead, ...] = ()
    bundles: tuple[str, ...] = ()
    budgets: tuple[BudgetUse, ...] = ()
    attempts: tuple[Attempt, ...] = ()
    outcome: Outcome
    status: int
    """HTTP status given to the client; 499 when it hung up first."""
    error: str | None = None
    """The ``code`` of the error given to the client."""
    committed_microseconds: int | None = None
    """When the first byte of the answer was passed on; ``None`` if never."""
    duration_microseconds: int
    stages: Stages | None = None
    """``None``: it was refused before it was decided."""
    overhead_microseconds: int
    """Time not spent waiting for providers or for the client."""
    usage: Usage = Usage()
    """Of an answer given again: what it took when it was made; ``cost_micro_usd`` is 0 then."""
    cost_micro_usd: int = 0
    cache: CacheUse | None = None
    """``None``: the policy has no cache, or the request was refused before it was asked."""
    idempotent_replay: bool = False
    """The answer was that of an earlier request with the same Idempotency-Key."""
    outcome_key: str
    """Joins feedback and rewards to this decision; equal to ``id`` unless a session collects them."""
    inclusion_probability: float = 1.0
    """Probability with which this record was kept."""


_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(DecisionRecord)


def encode_record(record: DecisionRecord) -> bytes:
    """One line of JSON."""
    return _ENCODER.encode(record)


def decode_record(data: bytes) -> DecisionRecord:
    """The inverse of :func:`encode_record`; unknown fields of a newer writer are skipped."""
    return _DECODER.decode(data)
