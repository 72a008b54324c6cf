"""The way of a request, on one page: identify → admit → match → select → dispatch → account → record."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from fairlead_contract.decision import BudgetUse, Facts, Outcome
from fairlead_contract.fragments import WorkspaceFragment
from fairlead_router.account.ledger import Account
from fairlead_router.admit.limits import Admission
from fairlead_router.config.receiver import ConfigReceiver
from fairlead_router.config.table import ModelEntry, PolicyEntry, Table
from fairlead_router.dialect.openai_request import ChatRequest, parse_chat_request
from fairlead_router.dispatch.answers import Begun, Whole
from fairlead_router.dispatch.breaker import BreakerRegistry
from fairlead_router.dispatch.dispatcher import Dispatcher
from fairlead_router.dispatch.failures import CLIENT_CLOSED
from fairlead_router.dispatch.job import Job
from fairlead_router.dispatch.stream import StreamEnd, let_go, relay
from fairlead_router.errors import model_ambiguous, model_not_found, no_policy, not_ready
from fairlead_router.identify.identity import Identifier, Identity
from fairlead_router.record.recorder import Finished, Recorder
from fairlead_router.select.draws import DrawSource
from fairlead_router.select.selection import Selection, select, select_direct, unit_value
from fairlead_router.select.view import StateView
from fairlead_router.state.store import Limit, StateStore

AUTO = "auto"
_DAY = 86_400


@dataclass(slots=True)
class Flow:
    """One request between its arrival and its record."""

    id: str
    started: float
    """Monotonic seconds."""
    arrived_at: float
    """Unix seconds."""
    table: Table
    identity: Identity | None = None
    facts: Facts | None = None
    policy: PolicyEntry | None = None
    selection: Selection | None = None
    job: Job | None = None
    committed: float | None = None
    end: StreamEnd | None = None
    """How the stream ended, once all of it is sent."""


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
        clock: Callable[[], float],
        wall: Callable[[], float],
        new_id: Callable[[], str],
    ) -> None:
        self.receiver = receiver
        self.identifier = identifier
        self.admission = admission
        self.breakers = breakers
        self._draws = draws
        self._store = store
        self._dispatcher = dispatcher
        self._recorder = recorder
        self._clock = clock
        self._wall = wall
        self._new_id = new_id

    def arrive(self) -> Flow:
        """A request has come in; it keeps the table that runs now to its end."""
        return Flow(self._new_id(), self._clock(), self._wall(), self.receiver.table)

    def identify(self, flow: Flow, headers: Mapping[str, str]) -> None:
        """Who asks. Raises ``RouterError``."""
        if not self.receiver.ready:
            raise not_ready()
        flow.identity = self.identifier.identify(headers)

    async def answer(self, flow: Flow, headers: Mapping[str, str], body: bytes) -> Whole | Begun:
        """Decide and call. Raises ``RouterError`` with what the client is told."""
        assert flow.identity is not None, "identify comes first"
        request = parse_chat_request(body)
        table = flow.table
        flow.facts = facts = self.facts(table, flow.identity, headers, request)

        matched = match(table, facts)
        flow.policy = matched if isinstance(matched, PolicyEntry) else None
        flow.selection = await self.select(table, matched, facts, flow.id)

        now = self._wall()
        account = Account(self._store, flow.id, limits(facts, table.workspaces.get(facts.workspace), now), self._wall)
        flow.job = Job(flow.id, request, flow.selection, flow.policy, account, flow.started)
        answer = await self._dispatcher.dispatch(flow.job)
        if isinstance(answer, Whole) and answer.status == 200:
            await self._remember(flow)
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
        flow.end = end = await relay(begun, write, attempts, self._clock)
        try:
            if end.outcome is Outcome.SUCCEEDED:
                await self._remember(flow)
            await let_go(begun, write_end, attempts)
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
        """Settle the money and write the record. Called exactly once for each flow."""
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
                snapshot=flow.table.used,
                facts=flow.facts,
                client_request_id=None if flow.identity is None else flow.identity.client_request_id,
                policy=None if flow.policy is None else flow.policy.used,
                selection=flow.selection,
                job=flow.job,
                committed_seconds=flow.committed,
                budgets=budgets,
            )
        )

    def now(self) -> float:
        """Monotonic seconds."""
        return self._clock()

    def elapsed(self, flow: Flow) -> float:
        """Seconds since the request arrived."""
        return self._clock() - flow.started

    def overhead_milliseconds(self, flow: Flow) -> float:
        """Time spent so far that was not spent waiting for somebody else."""
        waited = 0.0 if flow.job is None else flow.job.waited
        return max(0.0, (self.elapsed(flow) - waited) * 1000)

    def facts(self, table: Table, identity: Identity, headers: Mapping[str, str], request: ChatRequest) -> Facts:
        """What is known of a request, without its text."""
        workspace = identity.workspace
        return Facts(
            workspace=workspace,
            namespace=table.tenancy.owner_of(workspace),
            agent_type=identity.agent_type,
            user_hash=self.identifier.hashed(workspace, identity.user),
            session_hash=self.identifier.hashed(workspace, identity.session),
            user_tier=identity.user_tier,
            subject=identity.subject,
            request_type="Chat",
            requested_model=request.model,
            stream=request.stream,
            content_length_characters=request.content_length_characters,
            message_count=request.message_count,
            estimated_input_tokens=request.estimated_input_tokens,
            max_output_tokens=request.max_output_tokens,
            required_capabilities=request.required_capabilities,
            header_conditions=table.index.header_conditions(headers),
        )

    async def select(
        self, table: Table, matched: PolicyEntry | ModelEntry, facts: Facts, decision_id: str
    ) -> Selection:
        """Gather what selecting may read of shared state, and select."""
        workspace = table.workspaces.get(facts.workspace)
        if isinstance(matched, ModelEntry):
            return select_direct(matched, facts, workspace, StateView(self.breakers), now=self._clock())
        key = _affinity_key(matched, facts, decision_id)
        pinned = None if key is None else await self._store.get(key, now=self._wall())
        view = StateView(self.breakers, pinned)
        return select(matched, facts, workspace, view, self._draws, decision_id=decision_id, now=self._clock())

    async def _remember(self, flow: Flow) -> None:
        if flow.policy is None or flow.facts is None or flow.job is None or flow.job.chosen is None:
            return
        key = _affinity_key(flow.policy, flow.facts, flow.id)
        affinity = flow.policy.fragment.affinity
        if key is not None and affinity is not None:
            await self._store.put(key, flow.job.chosen.key, now=self._wall(), ttl_seconds=affinity.ttl_seconds)


def match(table: Table, facts: Facts) -> PolicyEntry | ModelEntry:
    """The policy that decides, or the one model of that name. Raises ``RouterError`` when there is neither."""
    rank = table.index.first(facts)
    if rank is not None:
        return table.policies[rank]
    name = facts.requested_model
    found = table.models_named(facts.namespace, name)
    if len(found) == 1:
        return found[0]
    if found:
        raise model_ambiguous(name, sorted(unambiguous_name(each, found) for each in found))
    if name == AUTO:
        raise no_policy(facts.workspace)
    raise model_not_found(name, facts.workspace)


def unambiguous_name(entry: ModelEntry, namesakes: Sequence[ModelEntry]) -> str:
    """``provider/model`` where that is enough to tell ``entry`` from ``namesakes``, else ``namespace/provider/model``."""
    alike = [each for each in namesakes if each.ref.provider == entry.ref.provider]
    return entry.key if len(alike) > 1 else f"{entry.ref.provider}/{entry.ref.model}"


def limits(facts: Facts, workspace: WorkspaceFragment | None, now: float) -> tuple[Limit, ...]:
    """The accounts a request is charged to: the day (UTC) of its workspace, or of the namespace that owns it.

    Undeclared workspaces share an account, so that names invented by clients cannot fill the store.
    """
    owner = f"workspace/{workspace.workspace}" if workspace is not None else f"namespace/{facts.namespace or 'none'}"
    day = int(now // _DAY)
    return (Limit(f"{owner}/day/{day}", None, (day + 2) * _DAY),)


def _affinity_key(policy: PolicyEntry, facts: Facts, decision_id: str) -> str | None:
    affinity = policy.fragment.affinity
    if affinity is None:
        return None
    unit, value = unit_value(affinity.unit, facts, decision_id)
    return None if unit == "Request" else f"affinity/{policy.fragment.uid}/{unit}/{value}"
