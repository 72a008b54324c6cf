"""A decision in words a person understands."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from fairlead_contract.decision import Attempt, CacheResult, Candidate, DecisionRecord
from fairlead_router.explain.classifications import classification_in_words
from fairlead_router.explain.decisions import ExplainedDecision


def decision_in_words(explained: ExplainedDecision) -> str:
    """Plain text: what came, what decided, who was left, what was drawn, what was tried, what it cost."""
    return "\n".join(_lines(explained)) + "\n"


def _lines(explained: ExplainedDecision) -> Iterator[str]:
    record = explained.record
    facts = record.facts
    arrived = datetime.fromtimestamp(record.time / 1e6, UTC).isoformat(timespec="milliseconds")
    yield f"Decision {record.id}"
    yield f"  arrived {arrived}, ended {record.outcome.value} with status {record.status}" + (
        f" ({record.error})" if record.error else ""
    )
    if record.trace_id is not None:
        yield f"  trace {record.trace_id}"
    yield ""
    yield "Request"
    who = facts.subject or "an anonymous caller"
    yield f"  {who} of workspace {facts.workspace}" + (
        f" (namespace {facts.namespace})" if facts.namespace else " (owned by no namespace)"
    )
    details = [
        f"asked for model {facts.requested_model!r}",
        "streamed" if facts.stream else "not streamed",
        f"{facts.message_count} message(s) of {facts.content_length_characters} characters",
    ]
    if facts.agent_type:
        details.append(f"agent type {facts.agent_type}")
    if facts.user_tier:
        details.append(f"tier {facts.user_tier}")
    if facts.required_capabilities:
        details.append(f"needs {', '.join(facts.required_capabilities)}")
    yield f"  {', '.join(details)}"
    yield ""
    if record.classification is not None:
        yield "Classified"
        for line in classification_in_words(record.classification):
            yield f"  {line}"
        yield ""
    yield from _policy_lines(explained)
    yield ""
    yield from _candidate_lines(record)
    yield from _attempt_lines(record)
    yield ""
    yield "Time and money"
    total = record.duration_microseconds / 1000
    yield f"  {total:.1f} ms in all, {record.overhead_microseconds / 1000:.2f} ms of it in the router"
    usage = record.usage
    estimated = " (estimated)" if usage.estimated else ""
    yield f"  {usage.input_tokens} tokens in, {usage.output_tokens} out{estimated}; cost ${record.cost_micro_usd / 1e6:.6f}"


def _policy_lines(explained: ExplainedDecision) -> Iterator[str]:
    record = explained.record
    used = record.policy
    if used is not None:
        yield f"Decided by RoutingPolicy {used.key}, generation {used.generation}"
    elif record.plan or record.candidates:
        yield "Decided by the model's name: no policy matched, and exactly one visible model bears it"
    else:
        yield "Decided by nothing: no policy matched"
    snapshot = record.snapshot
    yield f"  under snapshot {snapshot.epoch}.{snapshot.revision}"
    if not explained.policies_unchanged:
        yield "  (the configuration has changed since; the list below shows the policies as they are now)"
    for considered in explained.policies:
        mark = "→" if considered.decides else ("·" if considered.matches else "✗")
        yield f"  {mark} {considered.policy} ({considered.precedence}, priority {considered.priority}): {considered.reason}"


def _candidate_lines(record: DecisionRecord) -> Iterator[str]:
    if not record.candidates:
        return
    yield f"Candidates ({record.strategy})"
    for candidate in record.candidates:
        line = f"  {candidate.role.lower()} {candidate.name}: {candidate.model}"
        if candidate.removed is not None:
            line += f" — removed by {candidate.removed.by.value}: {candidate.removed.message}"
        elif candidate.role == "Fallback":
            line += " — standing by"
        else:
            line += f" — tried first with probability {candidate.probability:.3f}"
            line += _expected(candidate)
        yield line
    if record.canary is not None:
        drawn = "drawn" if record.canary.assigned else "not drawn"
        yield f"  canary {record.canary.model} at {record.canary.weight_percent} %: {drawn}"
    if record.affinity is not None:
        yield f"  held on {record.affinity} by affinity"
    for draw in record.draws:
        yield f"  drew {draw.value:.4f} for {draw.purpose} by {draw.unit}"
    for read in record.state:
        yield f"  read {read.key} = {read.value}"
    if record.panic:
        yield "  nobody was left whom breakers and health checks let through, so the least bad candidate was tried"
    if record.plan:
        yield f"  order: {' → '.join(record.plan)}"
    yield ""


def _expected(candidate: Candidate) -> str:
    """What a strategy that looks at cost or latency expected of it."""
    predicted = candidate.predicted
    if predicted is None:
        return ""
    if predicted.latency_microseconds is not None:
        return f", expected to take {predicted.latency_microseconds / 1000:.0f} ms"
    if predicted.cost_micro_usd is not None:
        return f", expected to cost ${predicted.cost_micro_usd / 1e6:.6f} for {predicted.output_tokens or 0} tokens out"
    return ", its price or its latency being unknown"


def _attempt_lines(record: DecisionRecord) -> Iterator[str]:
    if not record.attempts:
        yield f"Nobody was called{_given_again(record)}"
        return
    yield "Attempts"
    for number, attempt in enumerate(record.attempts, start=1):
        yield f"  {number}. {_attempt(attempt)}"


def _given_again(record: DecisionRecord) -> str:
    if record.idempotent_replay:
        return ": it got the answer to an earlier request with the same Idempotency-Key"
    if record.cache is not None and record.cache.result is CacheResult.HIT:
        return f": it got an answer from the response cache, {record.cache.age_seconds} s old"
    if record.cache is not None and record.cache.result is CacheResult.SHARED:
        return ": it got the answer to the same request, which was under way"
    return ""


def _attempt(attempt: Attempt) -> str:
    text = f"{attempt.model} at endpoint {attempt.endpoint}: {attempt.outcome.value}"
    if attempt.error:
        text += f", {attempt.error}"
    if attempt.status is not None:
        text += f", status {attempt.status}"
    text += f", {attempt.duration_microseconds / 1000:.1f} ms"
    if attempt.first_byte_microseconds is not None:
        text += f" (first byte after {attempt.first_byte_microseconds / 1000:.1f} ms)"
    if attempt.retry_after_seconds is not None:
        text += f", asked to wait {attempt.retry_after_seconds:g} s"
    if attempt.cost_micro_usd:
        text += f", ${attempt.cost_micro_usd / 1e6:.6f}"
    return text
