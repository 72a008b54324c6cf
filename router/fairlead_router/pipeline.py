"""The way of a request, on one page: identify → admit → match (→ classify) → select → dispatch → account → record."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

from fairlead_contract.decision import BudgetUse, Classification, Facts, Outcome, Stages
from fairlead_router.account.accounts import accounts
from fairlead_router.account.ledger import Account
from fairlead_router.admit.limits import Admission
from fairlead_router.admit.priority import (
    Priority,
    granted,
    priority_in_body,
    sdk_patience,
    stated_patience,
    stated_priority,
)
from fairlead_router.cache.question import Question
from fairlead_router.cache.reuse import Reuse
from fairlead_router.classify.classifier import Classifier
from fairlead_router.config.receiver import ConfigReceiver
from fairlead_router.config.table import ModelEntry, PolicyEntry, Table
from fairlead_router.dialect.openai_request import ModelRequest
from fairlead_router.dialect.operations import Operation
from fairlead_router.dispatch.answers import Begun, Whole
from fairlead_router.dispatch.breaker import BreakerRegistry
from fairlead_router.dispatch.dispatcher import Dispatcher
from fairlead_router.dispatch.failures import CLIENT_CLOSED
from fairlead_router.dispatch.job import Job
from fairlead_router.dispatch.stream import StreamEnd, let_go, relay
from fairlead_router.errors import not_ready
from fairlead_router.flow import Flow
from fairlead_router.identify.identity import Identifier, Identity
from fairlead_router.match.facts import facts_of
from fairlead_router.match.match import asks_classifier, decided
from fairlead_router.record.conditions import EndpointCondition, endpoint_conditions
from fairlead_router.record.model_conditions import ModelCondition, model_condition
from fairlead_router.record.recorder import Finished, Recorder
from fairlead_router.select.draws import DrawSource
from fairlead_router.select.selection import Selection, select, select_direct, unit_value
from fairlead_router.select.statistics import NOTHING_MEASURED, Statistics
from fairlead_router.select.view import ALL_HEALTHY, Health, StateView
from fairlead_router.state.store import StateStore
from fairlead_router.trace.context import Tracing

_CONDITIONS_AT_ONCE = 20
"""Endpoints with many models take a tenth of a millisecond each."""


class Pipeline:
    """Takes requests through the rooms. One per process; holds no state of a request."""

    def __init__(
        self,
        *,
        receiver: ConfigReceiver,
        identifier: Identifier,
        admission: Admission,
        store: StateStore,
        breakers: BreakerRegistry,
        draws: DrawSource,
        dispatcher: Dispatcher,
        recorder: Recorder,
        classifier: Classifier,
        clock: Callable[[], float],
        wall: Callable[[], float],
        new_id: Callable[[], str],
        statistics: Statistics = NOTHING_MEASURED,
        health: Health = ALL_HEALTHY,
        reuse: Reuse | None = None,
        tracing: Tracing | None = None,
    ) -> None:
        self.receiver = receiver
        self.identifier = identifier
        self.admission = admission
        self.breakers = breakers
        self.health = health
        self._statistics = statistics
        self.reuse = reuse
        self._draws = draws
        self._store = store
        self._dispatcher = dispatcher
        self._recorder = recorder
        self.classifier = classifier
        self._clock = clock
        self._wall = wall
        self._new_id = new_id
        self._tracing = tracing

    def arrive(self) -> Flow:
        """A request has come in; it keeps the table that runs now to its end."""
        return Flow(self._new_id(), self._clock(), self._wall(), self.receiver.table)

    def identify(self, flow: Flow, headers: Mapping[str, str]) -> None:
        """Who asks. Raises ``RouterError``."""
        if self._tracing is not None:
            flow.trace = self._tracing.begin(headers)
        if not self.receiver.ready:
            raise not_ready()
        flow.identity = self.identifier.identify(headers)

    def expect_place(self, flow: Flow, headers: Mapping[str, str]) -> None:
        """Before a body is read: refuse what could not even wait for a place. Raises ``RouterError`` 503 or 400."""
        flow.priority, flow.patience = stated_priority(headers), stated_patience(headers)
        if self.admission.is_full:
            ceiling = self._ceiling(flow)
            self.admission.check_room(ceiling if flow.priority is None else granted(flow.priority, ceiling))

    async def wait_for_place(self, flow: Flow, headers: Mapping[str, str], body: bytes) -> None:
        """There was no place: stand in line for one. Raises ``RouterError`` 503 when that is full or takes too long."""
        stated = flow.priority if flow.priority is not None else priority_in_body(body)
        longest = self.admission.queue_seconds
        patience = flow.patience if flow.patience is not None else sdk_patience(headers, longest)
        flow.waited += await self.admission.wait(granted(stated, self._ceiling(flow)), patience)

    @staticmethod
    def _ceiling(flow: Flow) -> Priority:
        assert flow.identity is not None, "identify comes first"
        return Priority[flow.identity.max_priority.upper()]

    async def answer(self, flow: Flow, operation: Operation, headers: Mapping[str, str], body: bytes) -> Whole | Begun:
        """Decide and call. Raises ``RouterError`` with what the client is told."""
        assert flow.identity is not None, "identify comes first"
        received = self.elapsed(flow)
        request = operation.parse(body)
        table = flow.table
        flow.facts = facts = self.facts(table, flow.identity, headers, request)

        survivors, flow.classification = await self.narrow(table, facts, operation, request)
        matched = decided(table, facts, survivors)
        flow.policy = matched if isinstance(matched, PolicyEntry) else None
        found = self.elapsed(flow)
        flow.selection = await self.select(table, matched, facts, flow.id)
        flow.stages = _stages(received, found, self.elapsed(flow))

        now = self._wall()
        account = Account(self._store, flow.id, accounts(facts, table.workspaces.get(facts.workspace), now), self._wall)
        flow.job = Job(flow.id, request, flow.selection, flow.policy, account, flow.started, flow.waited)
        flow.job.trace = flow.trace
        if self.reuse is not None and self.reuse.wants(flow.policy, headers):
            kept = await self._look_up(flow, flow.job, self.reuse, headers)
            if kept is not None:
                return kept
        answer = await self._dispatcher.dispatch(flow.job)
        if isinstance(answer, Whole) and answer.status == 200:
            await self._remember(flow, answer.body)
        return answer

    async def relay(
        self,
        flow: Flow,
        begun: Begun,
        write: Callable[[bytes], Awaitable[None]],
        write_end: Callable[[], Awaitable[None]],
    ) -> StreamEnd:
        """Pass a stream on. From its first write on the answer is committed; ``flow.end`` says how it ended."""
        flow.committed = self.elapsed(flow)
        attempts = self._dispatcher.attempts
        if flow.ticket is not None:
            write = flow.ticket.tee(write)
        flow.end = end = await relay(begun, write, attempts, self._clock)
        try:
            if end.outcome is Outcome.SUCCEEDED:
                await self._remember(flow)
            await let_go(begun, write_end, attempts, self._clock)
        finally:
            begun.answer.close()
        return end

    async def discard(self, begun: Begun) -> None:
        """The client went away between the beginning of a stream and its first byte."""
        begun.answer.close()
        self.breakers.of(begun.running.entry.key, begun.running.endpoint.name).release()
        self._dispatcher.attempts.settle_stream(begun, Outcome.CANCELLED, CLIENT_CLOSED)

    async def finish(
        self, flow: Flow, *, method: str, path: str, status: int, outcome: Outcome, error: str | None
    ) -> None:
        """Settle the money, let go of the body, and write the record. Called exactly once for each flow."""
        self.admission.buffers.give_back(flow.held)
        if flow.ticket is not None:
            flow.ticket.close()
        budgets: tuple[BudgetUse, ...] = ()
        if flow.job is not None:
            await flow.job.account.settle(flow.job.cost_micro_usd)
            budgets = flow.job.account.uses()
        self._recorder.finish(
            Finished(
                id=flow.id,
                method=method,
                path=path,
                arrived_at=flow.arrived_at,
                duration_seconds=self.elapsed(flow),
                status=status,
                outcome=outcome,
                error=error,
                table=flow.table,
                trace=flow.trace,
                stages=flow.stages,
                facts=flow.facts,
                classification=flow.classification,
                client_request_id=None if flow.identity is None else flow.identity.client_request_id,
                policy=None if flow.policy is None else flow.policy.used,
                selection=flow.selection,
                job=flow.job,
                committed_seconds=flow.committed,
                budgets=budgets,
                cache=None if flow.ticket is None else flow.ticket.used,
                idempotent_replay=flow.ticket is not None and flow.ticket.replayed,
            )
        )

    def cut(self) -> None:
        """The router has no more time: streams end, with the event that says so."""
        self._dispatcher.attempts.deadlines.stop()

    async def endpoint_conditions(self) -> AsyncIterator[EndpointCondition]:
        """How each endpoint of the running table fares. Requests go on meanwhile, so not all may be of one moment."""
        found = endpoint_conditions(self.receiver.table, self._dispatcher, self._clock())
        for number, condition in enumerate(found, 1):
            yield condition
            if number % _CONDITIONS_AT_ONCE == 0:
                await asyncio.sleep(0)

    def model_condition(self, entry: ModelEntry) -> ModelCondition:
        """How one model fares."""
        return model_condition(entry, self._dispatcher, self._statistics, self._clock())

    @property
    def retries_withheld(self) -> int:
        """Retries that found no room in the budgets of their providers."""
        return self._dispatcher.retry_budgets.withheld

    def now(self) -> float:
        """Monotonic seconds."""
        return self._clock()

    def unix_now(self) -> float:
        """Unix seconds."""
        return self._wall()

    def elapsed(self, flow: Flow) -> float:
        """Seconds since the request arrived."""
        return self._clock() - flow.started

    def overhead_milliseconds(self, flow: Flow) -> float:
        """Time spent so far that was not spent waiting for somebody else."""
        waited = 0.0 if flow.job is None else flow.job.waited
        return max(0.0, (self.elapsed(flow) - waited) * 1000)

    def facts(self, table: Table, identity: Identity, headers: Mapping[str, str], request: ModelRequest) -> Facts:
        """What is known of a request, without its text."""
        return facts_of(table, self.identifier, identity, headers, request)

    async def narrow(
        self, table: Table, facts: Facts, operation: Operation, request: ModelRequest
    ) -> tuple[int, Classification | None]:
        """The policies that match, classifying the request only if the first of them has need of it."""
        survivors = table.index.matching(facts)
        if not asks_classifier(table, survivors):
            return survivors, None
        classification = await self.classifier.classify(operation.text(request.body))
        return table.index.narrowed(survivors, classification), classification

    async def select(
        self, table: Table, matched: PolicyEntry | ModelEntry, facts: Facts, decision_id: str
    ) -> Selection:
        """Gather what selecting may read of shared state, and select."""
        workspace = table.workspaces.get(facts.workspace)
        if isinstance(matched, ModelEntry):
            return select_direct(matched, facts, workspace, self._view(None), now=self._clock())
        key = _affinity_key(matched, facts, decision_id)
        pinned = None if key is None else await self._store.get(key, now=self._wall())
        view = self._view(None if pinned is None else pinned.decode())
        return select(matched, facts, workspace, view, self._draws, decision_id=decision_id, now=self._clock())

    def _view(self, pinned: str | None) -> StateView:
        return StateView(self.breakers, pinned, self.health, self._statistics, self._wall())

    async def _look_up(self, flow: Flow, job: Job, reuse: Reuse, headers: Mapping[str, str]) -> Whole | None:
        """An answer kept earlier. Nobody is called for it, so it costs nothing and no money is set aside."""
        assert flow.facts is not None
        facts = flow.facts
        question = Question(facts.workspace, facts.subject, headers, job.request, flow.policy, job.selection)
        flow.ticket = ticket = reuse.ticket(question)
        try:
            kept = await ticket.lookup()
        finally:
            job.waited += ticket.waited
        if kept is None:
            return None
        job.account = Account(self._store, flow.id, (), self._wall)
        job.chosen, job.usage = flow.table.models.get(kept.model), kept.usage
        return Whole(kept.body, event_stream=kept.stream)

    async def _remember(self, flow: Flow, body: bytes | None = None) -> None:
        """``body``: of a whole answer."""
        if flow.ticket is not None and flow.job is not None and flow.job.chosen is not None:
            flow.ticket.answered(flow.job.chosen.key, flow.job.usage, body)
        if flow.policy is None or flow.facts is None or flow.job is None or flow.job.chosen is None:
            return
        key = _affinity_key(flow.policy, flow.facts, flow.id)
        affinity = flow.policy.fragment.affinity
        if key is not None and affinity is not None:
            await self._store.put(key, flow.job.chosen.key.encode(), now=self._wall(), ttl_seconds=affinity.ttl_seconds)


def _stages(*seconds: float) -> Stages:
    received, matched, selected = (round(each * 1_000_000) for each in seconds)
    return Stages(received_microseconds=received, matched_microseconds=matched, selected_microseconds=selected)


def _affinity_key(policy: PolicyEntry, facts: Facts, decision_id: str) -> str | None:
    affinity = policy.fragment.affinity
    if affinity is None:
        return None
    unit, value = unit_value(affinity.unit, facts, decision_id)
    return None if unit == "Request" else f"affinity/{policy.fragment.uid}/{unit}/{value}"
