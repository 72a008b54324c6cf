"""How long one decision takes: header conditions, match and select, with keyed draws and breakers in every state."""

from __future__ import annotations

import random
from array import array
from collections.abc import Mapping
from dataclasses import dataclass
from time import monotonic, perf_counter_ns

from multidict import CIMultiDict

from bench.report import Report, percentile
from fairlead_contract.decision import Facts
from fairlead_contract.fragments import CircuitBreaker, PolicyFragment
from fairlead_router.config.table import PolicyEntry, Table
from fairlead_router.dispatch.breaker import BreakerRegistry, BreakerRules
from fairlead_router.errors import RouterError
from fairlead_router.match.match import match
from fairlead_router.select.draws import KeyedDraws
from fairlead_router.select.selection import select, select_direct
from fairlead_router.select.view import StateView

P99_GOAL_US = 100.0
_DIFFERENT = 4096
_OPEN_SHARE, _HALF_OPEN_SHARE = 0.03, 0.01


@dataclass(frozen=True, slots=True)
class Case:
    """One request as the decision sees it."""

    facts: Facts
    headers: Mapping[str, str]


def make_cases(table: Table, count: int, seed: int) -> list[Case]:
    """Most are meant for some policy, some name a model, a few nothing that exists."""
    draw = random.Random(seed)
    models = list(table.models.values())
    made = []
    for number in range(count):
        kind = draw.random()
        if kind < 0.8:
            made.append(_for_policy(draw, table, draw.choice(table.policies).fragment, number))
        elif kind < 0.95:
            entry = draw.choice(models)
            made.append(_case(draw, table, f"ws-{entry.ref.namespace}-1", entry.key, number, {}))
        else:
            made.append(_case(draw, table, f"nobody-{number}", "no-such-model", number, {"x-feature": "none"}))
    return made


def _for_policy(draw: random.Random, table: Table, policy: PolicyFragment, number: int) -> Case:
    match = policy.match
    workspace = draw.choice(match.workspaces) if match.workspaces else f"ws-{policy.namespace}-{draw.randrange(20)}"
    headers = {condition.name: condition.exact or "yes" for condition in match.headers}
    low, high = match.min_characters or 0, match.max_characters or 8000
    return _case(
        draw,
        table,
        workspace,
        draw.choice(match.models) if match.models else "auto",
        number,
        headers,
        agent=draw.choice(match.agent_types) if match.agent_types else None,
        tier=draw.choice(match.user_tiers) if match.user_tiers else None,
        characters=draw.randint(low, max(low, min(high, 8000))),
    )


def _case(
    draw: random.Random,
    table: Table,
    workspace: str,
    model: str,
    number: int,
    said: Mapping[str, str],
    *,
    agent: str | None = None,
    tier: str | None = None,
    characters: int = 400,
) -> Case:
    headers = CIMultiDict(said)
    facts = Facts(
        workspace=workspace,
        namespace=table.tenancy.owner_of(workspace),
        agent_type=agent,
        user_hash=f"{number:032x}",
        session_hash=f"{draw.randrange(1000):032x}",
        user_tier=tier,
        request_type="Chat",
        requested_model=model,
        content_length_characters=characters,
        message_count=2,
        estimated_input_tokens=characters // 4,
        required_capabilities=("Tools",) if draw.random() < 0.1 else (),
        header_conditions=table.index.header_conditions(headers),
    )
    return Case(facts, headers)


def make_breakers(table: Table, seed: int) -> BreakerRegistry:
    """A breaker for every endpoint of every model; some are open, some half open."""
    draw = random.Random(seed)
    registry = BreakerRegistry(draw.random)
    now = monotonic()
    rules = BreakerRules.of(CircuitBreaker(), CircuitBreaker())
    for model in table.models.values():
        for endpoint in model.provider.endpoints:
            breaker = registry.of(model.key, endpoint.name)
            state = draw.random()
            for _ in range(rules.consecutive_failures if state < _OPEN_SHARE + _HALF_OPEN_SHARE else 0):
                breaker.failed(now if state < _OPEN_SHARE else now - 1000, rules, retry_after_seconds=120)
            breaker.succeeded(now, rules)
    return registry


def measure_deciding(report: Report, table: Table, decisions: int, seed: int) -> None:
    """Time ``decisions`` decisions one by one, less what reading the clock takes."""
    cases = make_cases(table, _DIFFERENT, seed)
    view = StateView(make_breakers(table, seed))
    draws = KeyedDraws(b"a key for this benchmark")
    overhead = _timer_overhead()
    times = array("q", bytes(8 * decisions))
    outcomes = {"by a policy": 0, "by name": 0, "refused": 0}
    for number in range(-_DIFFERENT, decisions):
        case = cases[number % _DIFFERENT]
        facts = case.facts
        outcome = "by name"
        began = perf_counter_ns()
        table.index.header_conditions(case.headers)
        workspace = table.workspaces.get(facts.workspace)
        try:
            matched = match(table, facts)
        except RouterError:
            outcome = "refused"
        else:
            if isinstance(matched, PolicyEntry):
                outcome = "by a policy"
                select(matched, facts, workspace, view, draws, decision_id=facts.user_hash or "", now=monotonic())
            else:
                select_direct(matched, facts, workspace, view, now=monotonic())
        ended = perf_counter_ns()
        if number >= 0:
            times[number] = ended - began - overhead
            outcomes[outcome] += 1
    shares = ", ".join(f"{count / decisions:.0%} {name}" for name, count in outcomes.items())
    report.add("decision, p50", percentile(times, 50) / 1000, "µs", note=f"{decisions:,} decisions: {shares}")
    report.add("decision, p99", percentile(times, 99) / 1000, "µs", at_most=P99_GOAL_US)
    report.add("decision, max", max(times) / 1000, "µs", note=f"less {overhead} ns for the clock")


def _timer_overhead() -> int:
    """Median of reading the clock twice in a row."""
    return int(percentile([-(perf_counter_ns() - perf_counter_ns()) for _ in range(10_001)], 50))
