"""Writes the statuses that differ, a few at a time."""

from __future__ import annotations

import asyncio
import datetime
import logging
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from fairlead_crds.compile import Compilation, Finding, ObjectState, Reason
from fairlead_crds.compile.declared import ObjectKey
from fairlead_crds.kinds import API_VERSION
from fairlead_kube.client import KubeClient
from fairlead_kube.errors import KubeError
from fairlead_kube.follow import FAILURES
from fairlead_operator.lead.elector import Elector
from fairlead_operator.metrics import Metrics
from fairlead_operator.observe.inventory import Inventory, Place
from fairlead_operator.observe.sources import BY_KIND
from fairlead_operator.status.desired import NO_ENDPOINTS, desired_status, differs
from fairlead_operator.status.endpoints import Endpoints, Observed
from fairlead_operator.status.events import ObjectReference, transitions
from fairlead_operator.status.poster import EventPoster
from fairlead_operator.status.rollout import Fleet
from fairlead_operator.status.standing import Standing
from fairlead_operator.status.summary import declared_endpoints, summaries

logger = logging.getLogger("fairlead.status")

MANAGER = "fairlead-operator-status"
_AT_ONCE = 16
_AT_LEAST = 64
"""Statuses that each call writes, however fast the situation changes."""

_REFUSED_KEPT = 1000
"""Statuses that the API server would not take, and so are not sent again unchanged."""


@dataclass(frozen=True, slots=True)
class Situation:
    """Everything that statuses are made from."""

    compilation: Compilation
    standings: Mapping[ObjectKey, Standing]
    fleet: Fleet
    observed: Observed | None = None
    """How endpoints fare; ``None`` until routers were asked."""


class _Write(NamedTuple):
    state: ObjectState
    current: Mapping[str, Any]
    desired: dict[str, Any]


class _Summed(NamedTuple):
    """What a compilation says without a look at routers."""

    of: Compilation
    fields: Mapping[ObjectKey, dict[str, Any]]
    endpoints: Mapping[ObjectKey, tuple[str, ...]]


def _endpoints(observed: Observed | None, provider: str | None, summed: _Summed, key: ObjectKey) -> Endpoints | None:
    declared = summed.endpoints.get(key)
    if provider is None or declared is None:
        return NO_ENDPOINTS
    return None if observed is None else observed.endpoints(provider, declared)


class StatusWriter:
    """Only what differs from what the inventory last heard is written."""

    def __init__(
        self,
        client: KubeClient,
        elector: Elector,
        inventory: Inventory,
        metrics: Metrics,
        poster: EventPoster,
        *,
        wall: Callable[[], datetime.datetime],
    ) -> None:
        self._client = client
        self._elector = elector
        self._inventory = inventory
        self._metrics = metrics
        self._poster = poster
        self._wall = wall
        self._refused: dict[str, dict[str, Any]] = {}
        self._summed: _Summed | None = None

    async def write(self, situation: Situation, outdated: Callable[[], bool]) -> bool:
        """Whether no write failed. Raises :class:`NotLeader`.

        Objects whose newest generation has no word yet come first. Once ``situation`` is ``outdated`` the rest is left
        to the next call: an edit does not wait until thousands of others have been told of a router's coming or going.
        """
        writes = await asyncio.to_thread(self._wanted, situation)
        writes.sort(key=lambda item: item.current.get("observedGeneration") == item.state.generation)
        writing = asyncio.Semaphore(_AT_ONCE)

        async def one(item: _Write, number: int) -> bool:
            async with writing:
                if number >= _AT_LEAST and outdated():
                    return True
                self._elector.require()
                return await self._write(item)

        return all(await asyncio.gather(*(one(item, number) for number, item in enumerate(writes))))

    def _wanted(self, situation: Situation) -> list[_Write]:
        now = self._wall().astimezone(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        compilation = situation.compilation
        if self._summed is None or self._summed.of is not compilation:
            self._summed = _Summed(compilation, summaries(compilation), declared_endpoints(compilation))
        summed = self._summed
        findings: defaultdict[ObjectKey, list[Finding]] = defaultdict(list)
        for finding in compilation.findings:
            findings[ObjectKey(finding.kind, finding.namespace, finding.name)].append(finding)
        writes = []
        for state in compilation.states:
            key = ObjectKey(state.kind, state.namespace, state.name)
            standing = situation.standings.get(key)
            item = self._inventory.items[BY_KIND[state.kind]].get(Place(state.namespace, state.name))
            if standing is None or item is None or state.accepted_reason == Reason.DUPLICATE:
                continue
            if (item.declared.get("metadata") or {}).get("uid") != state.uid:
                continue
            provider = f"{state.namespace}/{state.name}" if state.kind == "ModelProvider" else None
            rollout = situation.fleet.rollout(standing.since, provider)
            summary, endpoints = summed.fields.get(key, {}), _endpoints(situation.observed, provider, summed, key)
            desired = desired_status(
                state, findings.get(key, ()), rollout, summary, item.status, now, endpoints=endpoints
            )
            if differs(item.status, desired):
                writes.append(_Write(state, item.status, desired))
        return writes

    async def _write(self, item: _Write) -> bool:
        state, desired = item.state, item.desired
        refused = self._refused.get(state.uid)
        if refused is not None and not differs(refused, desired):
            return True
        source = BY_KIND[state.kind]
        body = {
            "apiVersion": API_VERSION,
            "kind": state.kind,
            "metadata": {"name": state.name, "namespace": state.namespace, "uid": state.uid},
            "status": desired,
        }
        try:
            written = await self._client.apply(
                f"{source.path(state.namespace, state.name)}/status", body, manager=MANAGER
            )
        except KubeError as error:
            if (
                error.not_found or error.conflict
            ):  # deleted, or another object of that name: its own event is on the way
                return True
            self._metrics.status_writes.labels("failed").inc()
            logger.warning("the status of %s %s/%s: %s", state.kind, state.namespace, state.name, error)
            if error.status in {400, 413, 422}:
                if len(self._refused) >= _REFUSED_KEPT:
                    self._refused.clear()
                self._refused[state.uid] = desired
                return True
            return False
        except FAILURES as error:
            self._metrics.status_writes.labels("failed").inc()
            logger.warning("a status cannot be written: %s: %s", type(error).__name__, error)
            return False
        self._metrics.status_writes.labels("written").inc()
        self._inventory.take_status(source, written)
        regarding = ObjectReference(API_VERSION, state.kind, state.namespace, state.name, state.uid)
        for event in transitions(item.current.get("conditions") or (), desired["conditions"], regarding):
            self._poster.put(event)
        return True
