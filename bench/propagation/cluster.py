"""A control plane with routers to measure on, a client for its administrator, and when statuses are written."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any

from devcluster.installation import Installation, running_installation
from fairlead_kube.client import KubeClient
from fairlead_kube.errors import KubeError
from fairlead_kube.follow import FAILURES
from fairlead_kube.kubeconfig import read_kubeconfig
from fairlead_operator.observe.sources import BY_KIND, OURS, Source

_AT_ONCE = 16
_Place = tuple[str, str, str]
"""(kind, namespace, name)."""


@dataclass(slots=True)
class Cluster:
    """What a benchmark drives."""

    installation: Installation
    client: KubeClient
    statuses: Statuses

    async def create(self, objects: Iterable[Mapping[str, Any]]) -> None:
        """Create objects of ours, namespaces or Secrets, many at a time."""
        turn = asyncio.Semaphore(_AT_ONCE)

        async def one(item: Mapping[str, Any]) -> None:
            async with turn:
                try:
                    await self.client.create(_source(item["kind"]).path(item["metadata"].get("namespace")), item)
                except KubeError as error:
                    if not error.conflict:
                        raise

        async with asyncio.TaskGroup() as group:
            for item in objects:
                group.create_task(one(item))

    async def edit(self, kind: str, namespace: str, name: str, patch: Mapping[str, Any]) -> int:
        """Send a merge patch; the generation it made."""
        written = await self.client.merge(BY_KIND[kind].path(namespace, name), patch)
        return int(written["metadata"]["generation"])


@dataclass(slots=True)
class Statuses:
    """Follows the statuses of our objects by watches of its own."""

    client: KubeClient
    programmed: dict[_Place, int] = field(default_factory=dict)
    """The generation that every router is said to run."""
    observed: set[_Place] = field(default_factory=set)
    """Objects whose status speaks of their generation."""
    settled: set[_Place] = field(default_factory=set)
    """Of these, those that every router runs, or that somebody has to mend."""
    _changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def when_programmed(
        self, kind: str, namespace: str, name: str, generation: int, seconds: float = 30
    ) -> float:
        """The moment (``perf_counter``) at which the status said so. Raises ``TimeoutError``."""
        place = (kind, namespace, name)
        async with asyncio.timeout(seconds), self._changed:
            await self._changed.wait_for(lambda: self.programmed.get(place, -1) >= generation)
            return perf_counter()

    async def when_all(self, places: set[_Place], count: int, seconds: float) -> float:
        """The moment at which ``places`` (``observed`` or ``settled``) were so many. Raises ``TimeoutError``."""
        async with asyncio.timeout(seconds), self._changed:
            await self._changed.wait_for(lambda: len(places) >= count)
            return perf_counter()

    async def follow(self, source: Source) -> None:
        """For ever."""
        while True:
            try:
                items, version = await self.client.list_all(source.path())
                kind = next(name for name, known in BY_KIND.items() if known is source)
                for item in items:
                    await self._take(kind, item)
                async with self.client.watch(source.path(), {"resourceVersion": version}) as events:
                    async for event in events:
                        if event.type in {"ADDED", "MODIFIED"}:
                            await self._take(kind, event.object)
            except FAILURES:  # a kind that was defined a moment ago is not served at once
                await asyncio.sleep(0.2)

    async def _take(self, kind: str, item: Mapping[str, Any]) -> None:
        metadata, status = item["metadata"], item.get("status") or {}
        place = (kind, metadata["namespace"], metadata["name"])
        if status.get("observedGeneration") != metadata["generation"]:
            return
        async with self._changed:
            self.observed.add(place)
            for condition in status.get("conditions") or ():
                if condition["type"] in {"Programmed", "Stalled"} and condition["status"] == "True":
                    self.settled.add(place)
                    if condition["type"] == "Programmed":
                        self.programmed[place] = condition["observedGeneration"]
            self._changed.notify_all()


@asynccontextmanager
async def running_cluster(directory: Path, *, api_server_flags: Sequence[str] = ()) -> AsyncIterator[Cluster]:
    """CRDs, permissions and two routers; no operator yet."""
    async with running_installation(directory, api_server_flags=api_server_flags) as installation:
        access = read_kubeconfig(installation.control_plane.admin_kubeconfig)
        async with KubeClient(access, user_agent="fairlead-bench", request_seconds=60) as client:
            statuses = Statuses(client)
            following = [asyncio.create_task(statuses.follow(source)) for source in OURS]
            try:
                yield Cluster(installation, client, statuses)
            finally:
                for task in following:
                    task.cancel()
                for ended in await asyncio.gather(*following, return_exceptions=True):
                    if isinstance(ended, Exception):
                        raise ended


def status_value(pid: int, name: str) -> float:
    """MiB of ``VmRSS`` (now) or ``VmHWM`` (at most so far) of a process."""
    return int(Path(f"/proc/{pid}/status").read_text().partition(f"{name}:")[2].split()[0]) / 1024


def _source(kind: str) -> Source:
    return {"Namespace": Source.NAMESPACE, "Secret": Source.SECRET, **BY_KIND}[kind]
