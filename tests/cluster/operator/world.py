"""What a person and their clients do to an installation, and what they can see of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

import aiohttp

from devcluster.installation import SYSTEM, Installation, Router
from devcluster.processes import Process, ProcessFailed
from fairlead_contract.delivery import snapshot_in
from fairlead_contract.snapshot import SnapshotRejected
from fairlead_kube.access import KubeAccess
from fairlead_kube.client import Json, KubeClient
from fairlead_kube.errors import KubeError
from fairlead_operator.observe.sources import BY_KIND, OURS

USER = "a-person"
"""Field manager of what tests write as users."""

TEST_LABEL = "fairlead-test"
"""Namespaces with it are removed after each test."""

SNAPSHOT = f"/api/v1/namespaces/{SYSTEM}/configmaps/fairlead-snapshot"
CREDENTIALS = f"/api/v1/namespaces/{SYSTEM}/secrets/fairlead-credentials"
LEASE = f"/apis/coordination.k8s.io/v1/namespaces/{SYSTEM}/leases/fairlead-operator"

QUICK = {"FAIRLEAD_RESYNC": "2"}
"""Lists every two seconds, so that tests need not wait for the usual fifteen."""

_SECONDS = 20.0
_ANSWER = aiohttp.ClientTimeout(total=10)


def provider(name: str, *, namespace: str = "default", **spec: Any) -> Json:
    """A simulated one with the model ``NAME-model``, unless ``spec`` says otherwise."""
    simulated = {"type": "Simulated", "simulated": {"firstByteMilliseconds": 1, "perTokenMilliseconds": 0}}
    return _object("ModelProvider", namespace, name, {**simulated, "models": [{"name": f"{name}-model"}], **spec})


def remote(name: str, url: str, secret_key: str | None = None, **spec: Any) -> Json:
    """One at ``url``, that is given the value of ``secret_key`` of the Secret ``keys``."""
    credentials = {} if secret_key is None else {"credentials": {"secretRef": {"name": "keys", "key": secret_key}}}
    made = provider(
        name, **{"type": "OpenAICompatible", "endpoints": [{"name": "main", "url": url}]} | credentials | spec
    )
    made["spec"].pop("simulated", None)
    return made


def policy(name: str, to: str, *, namespace: str = "default", team: str | None = None, **spec: Any) -> Json:
    """All requests, or those of a team, to the model of the provider ``to``."""
    target = {"name": "only", "modelRef": {"providerRef": {"name": to}, "model": f"{to}-model"}, "weight": 100}
    match = {} if team is None else {"match": {"headers": [{"name": "x-team", "exact": team}]}}
    priority = 0 if team is None else 10
    return _object(
        "RoutingPolicy",
        namespace,
        name,
        {"strategy": "Weighted", "priority": priority, "targets": [target], **match, **spec},
    )


def _object(kind: str, namespace: str, name: str, spec: Json) -> Json:
    metadata = {"namespace": namespace, "name": name}
    return {"apiVersion": "fairlead.dev/v1alpha1", "kind": kind, "metadata": metadata, "spec": spec}


def path(made: Mapping[str, Any]) -> str:
    """Where the API has ``made``."""
    metadata = made["metadata"]
    if made["kind"] == "Secret":
        return f"/api/v1/namespaces/{metadata['namespace']}/secrets/{metadata['name']}"
    if made["kind"] == "Namespace":
        return f"/api/v1/namespaces/{metadata['name']}"
    return BY_KIND[made["kind"]].path(metadata["namespace"], metadata["name"])


def condition(found: Mapping[str, Any], kind: str) -> dict[str, Any]:
    """One condition of an object as read; empty if it is not there."""
    conditions = (found.get("status") or {}).get("conditions") or ()
    return next((each for each in conditions if each["type"] == kind), {})


def version_of(found: Mapping[str, Any]) -> str:
    """The resource version."""
    return str(found["metadata"]["resourceVersion"])


@dataclass(slots=True)
class Answer:
    """What a client got."""

    status: int
    model: str | None
    policy: str | None
    text: str


@dataclass(slots=True)
class World:
    """See the module."""

    installation: Installation
    kube: KubeClient
    http: aiohttp.ClientSession

    # -------------------------------------------------------------------------------------------- what people do

    async def start(self, routers: int = 2, environment: Mapping[str, str] = QUICK) -> Process:
        """Routers, and then an operator that knows them."""
        for _ in range(routers):
            await self.installation.add_router()
        return await self.installation.add_operator(environment=environment)

    async def apply(self, *objects: Json) -> None:
        """Server-side, one after the other."""
        for each in objects:
            await self.kube.apply(path(each), each, manager=USER)

    async def delete(self, made: Mapping[str, Any]) -> None:
        """At once."""
        await self.kube.request("DELETE", path(made))

    async def put_secret(self, *, labelled: bool = True, **values: str) -> Json:
        """The Secret ``keys`` with just these values."""
        labels = {"fairlead.dev/credentials": "provider"} if labelled else {}
        metadata = {"namespace": "default", "name": "keys", "labels": labels}
        made = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": values}
        try:
            found = await self.kube.get(path(made))
        except KubeError:
            return await self.kube.create("/api/v1/namespaces/default/secrets", made)
        return await self.kube.replace(path(made), {**made, "metadata": {**metadata, "uid": found["metadata"]["uid"]}})

    async def settle(self, timeout: float = 30.0) -> None:
        """Until the status of every object speaks of its generation."""
        await self.installation.wait_until_converged(timeout)

    # -------------------------------------------------------------------------------------------- what they see

    async def read(self, made: Mapping[str, Any]) -> Json:
        """The object as it is."""
        return await self.kube.get(path(made))

    async def shows(
        self, made: Mapping[str, Any], kind: str, status: str, reason: str | None = None, timeout: float = _SECONDS
    ) -> dict[str, Any]:
        """Wait until a condition says so of the newest generation."""
        found: Json = {}

        async def said() -> bool:
            nonlocal found
            found = await self.read(made)
            now = condition(found, kind)
            return (
                now.get("status") == status
                and (reason is None or now.get("reason") == reason)
                and now.get("observedGeneration") == found["metadata"]["generation"]
            )

        try:
            await until(said, f"{kind}={status} {reason or ''}", timeout)
        except TimeoutError as error:
            raise TimeoutError(f"{error}; its status is {found.get('status')}") from None
        return condition(found, kind)

    async def resource_versions(self) -> dict[str, str]:
        """Of all that the operator might write to: our objects, what is published, Events."""
        result = {}
        events = "/apis/events.k8s.io/v1/events"
        for where in (*(source.path() for source in OURS), events):
            items, _ = await self.kube.list_all(where)
            result |= {
                f"{where} {each['metadata']['namespace']}/{each['metadata']['name']}": version_of(each)
                for each in items
            }
        for where in (SNAPSHOT, CREDENTIALS):
            with suppress(KubeError):  # no Secret as long as there are no credentials
                result[where] = version_of(await self.kube.get(where))
        return result

    async def published(self) -> tuple[int, int]:
        """Epoch and revision in the ConfigMap."""
        return snapshot_in(await self.kube.get(SNAPSHOT)).manifest.version

    async def runs(self, router: Router) -> tuple[int, int]:
        """Epoch and revision that a router runs."""
        said = await router.config(self.http)
        return (said.get("epoch", 0), said.get("revision", 0))

    async def all_run_what_is_published(self, timeout: float = _SECONDS) -> None:
        """Wait for it."""

        async def same() -> bool:
            try:
                published = await self.published()
            except (KubeError, SnapshotRejected):  # deleted, or broken by the test
                return False
            return all([await self.runs(router) == published for router in self.installation.routers])

        await until(same, "all routers running what is published", timeout)

    async def chat(self, router: Router, team: str | None = None, model: str = "auto") -> Answer:
        """One request."""
        body = {"model": model, "messages": [{"role": "user", "content": "Which way?"}]}
        headers = {} if team is None else {"x-team": team}
        async with self.http.post(
            f"{router.url}/v1/chat/completions", json=body, headers=headers, timeout=_ANSWER
        ) as response:
            said = response.headers
            return Answer(
                response.status, said.get("x-fairlead-model"), said.get("x-fairlead-policy"), await response.text()
            )

    async def routed_to(self, provider_name: str, team: str | None = None, timeout: float = _SECONDS) -> None:
        """Wait until every router sends requests to the model of this provider."""
        for router in self.installation.routers:

            async def there(router: Router = router) -> bool:
                return f"{provider_name}-model" in ((await self.chat(router, team)).model or "")

            await until(there, f"requests going to {provider_name}", timeout)

    async def text_of(self, url: str) -> str:
        """GET."""
        async with self.http.get(url, timeout=_ANSWER) as response:
            return await response.text()


async def until(holds: Callable[[], Awaitable[bool]], what: str, timeout: float = _SECONDS) -> float:
    """Ask until it holds; the seconds it took. Raises ``TimeoutError``."""
    started = time.monotonic()
    while not await holds():
        if time.monotonic() - started > timeout:
            raise TimeoutError(f"{what}: not within {timeout:g} s")
        await asyncio.sleep(0.05)
    return time.monotonic() - started


def admin_of(operator: Process) -> str:
    """Where an operator has its probes and metrics."""
    return f"http://127.0.0.1:{operator.command[operator.command.index('--http-port') + 1]}"


def ended_well(operator: Process) -> bool:
    """Whether it has ended with the exit status 0."""
    try:
        return operator.pid < 0
    except ProcessFailed as ended:
        return "(exit code 0)" in str(ended)


@asynccontextmanager
async def world_of(installation: Installation) -> AsyncIterator[World]:
    """As the administrator."""
    control_plane = installation.control_plane
    pair = control_plane.admin
    access = KubeAccess(control_plane.url, control_plane.ca_file, client_certificate=pair.public, client_key=pair.key)
    async with KubeClient(access, user_agent="fairlead-tests") as kube, aiohttp.ClientSession() as http:
        yield World(installation, kube, http)
